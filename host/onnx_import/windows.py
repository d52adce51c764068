"""Windows of convolutions and poolings, from a node's attributes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import onnx
from onnx import helper


def attributes_of(node: onnx.NodeProto) -> dict[str, Any]:
    """Attributes by name, as Python values."""
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def padding_of(
    attributes: dict[str, Any],
    sizes: Sequence[int],
    kernel: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
) -> list[int]:
    """Pixels of padding, starts of all axes and then their ends, by ``pads`` or ``auto_pad``.

    SAME makes ceil(size / stride) outputs; of an odd number of pixels, the additional one goes to the end for
    SAME_UPPER and to the start for SAME_LOWER (ONNX operator specification, Conv).
    """
    how = attributes.get("auto_pad", b"NOTSET").decode()
    axes = len(kernel)
    if how in ("NOTSET", ""):
        return list(attributes.get("pads", [0] * 2 * axes))
    if how == "VALID":
        return [0] * 2 * axes
    starts, ends = [], []
    for size, taps, stride, dilation in zip(sizes, kernel, strides, dilations, strict=True):
        outputs = -(-size // stride)
        total = max(0, (outputs - 1) * stride + (taps - 1) * dilation + 1 - size)
        less = total // 2
        starts.append(total - less if how == "SAME_LOWER" else less)
        ends.append(less if how == "SAME_LOWER" else total - less)
    return starts + ends
