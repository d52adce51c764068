"""What a node pools over, and the step that a layer is which does it."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx

from wingrid.host.networks.layer import Layer, Operands, Pair
from wingrid.host.onnx_models.graph import IMAGES, AcceleratedStep
from wingrid.host.onnx_models.nodes import attributes_of, padding_of
from wingrid.host.onnx_models.refusal import NotAccelerable
from wingrid.host.onnx_models.shapes import TensorType

AVERAGES = ("QLinearAveragePool", "QLinearGlobalAveragePool")
"""ONNX Runtime's operators on quantised tensors, of the domain com.microsoft."""


def is_pooling(node: onnx.NodeProto) -> bool:
    """Whether the node pools, and might be a layer of its own."""
    return node.op_type in AVERAGES or (node.op_type == "MaxPool" and node.domain in ("", "ai.onnx"))


def plane(kind: TensorType) -> Pair:
    """Height and width of an image; a line is an image of one row."""
    height, width = (1, *kind.shape[2:])[-2:]
    return height, width


@dataclass(frozen=True)
class Window:
    """What a node pools over, along the rows and columns of its input."""

    sizes: Pair
    kernel: Pair
    strides: Pair
    pads: tuple[int, int, int, int]
    """Top, left, bottom, right."""
    dilated: bool

    @classmethod
    def of(cls, node: onnx.NodeProto, taken: TensorType) -> Window:
        sizes = plane(taken)
        if node.op_type == "QLinearGlobalAveragePool":
            return cls(sizes, sizes, (1, 1), (0, 0, 0, 0), dilated=False)
        attributes = attributes_of(node)
        kernel = list(attributes["kernel_shape"])
        axes = len(kernel)
        strides, dilations = (list(attributes.get(name, [1] * axes)) for name in ("strides", "dilations"))
        pads = padding_of(attributes, taken.shape[2:], kernel, strides, dilations)
        starts, ends = pads[:axes], pads[axes:]
        top, bottom = (starts[0], ends[0]) if axes > 1 else (0, 0)
        (kernel_y, kernel_x), (stride_y, stride_x) = (1, *kernel)[-2:], (1, *strides)[-2:]
        pads = [top, starts[-1], bottom, ends[-1]]
        return cls(
            sizes,
            (kernel_y, kernel_x),
            (stride_y, stride_x),
            (pads[0], pads[1], pads[2], pads[3]),
            dilated=any(dilation > 1 for dilation in dilations),
        )

    def along(self, axis: int, outputs: int, *, included: bool) -> list[Windows]:
        """All windows of an axis, in order. Raises ``NotAccelerable`` where one averages no pixel.

        With ``included``, padding before and after counts as pixels, so that all windows have as many.
        """
        (before, after), size = self.pads[axis::2], self.sizes[axis]
        side, stride = self.kernel[axis], self.strides[axis]
        starts = [output * stride - before for output in range(outputs)]
        counts = [side if included else min(start + side, size) - max(start, 0) for start in starts]
        if min(counts) < 1 or (included and starts[-1] + side > size + after):
            raise NotAccelerable("an average over windows that overhang is not the accelerator's")
        found = []
        for pixels, group in itertools.groupby(range(outputs), counts.__getitem__):
            first, *_, last = (*group,) * 2
            found.append(Windows(first, pixels, -starts[first], starts[last] + side - size))
        return found


@dataclass(frozen=True)
class Windows:
    """Successive windows along an axis of which each averages the same number of pixels."""

    first: int
    pixels: int
    before: int
    """Padding before the first of them, negative where that many pixels are left out."""
    after: int


def pooled_tensors(node: onnx.NodeProto, types: Mapping[str, TensorType]) -> tuple[TensorType, TensorType]:
    """What the node takes and leaves. Raises ``NotAccelerable`` unless both are images of bytes of one type."""
    taken, left = types[node.input[0]], types[node.output[0]]
    if taken.dtype not in (np.int8, np.uint8) or left.dtype != taken.dtype:
        raise NotAccelerable(f"pooling of {taken.dtype} to {left.dtype}: the accelerator's tensors have 8 bits")
    if len(taken.shape) not in (3, 4):
        raise NotAccelerable(f"pooling over {len(taken.shape) - 2} axes is not the accelerator's")
    return taken, left


def pooling_step(
    layer: Layer,
    operands: Operands,
    names: tuple[str, str],
    tensors: tuple[TensorType, TensorType],
    scales: tuple[float, float],
) -> AcceleratedStep:
    """The layer from one tensor to another one. It stands for no nodes yet, and for no multiply-adds."""
    return AcceleratedStep(layer, operands, IMAGES, *names, *tensors, (), None, *scales, model_macs=0)
