"""Scales with which float32 holds all that transposed convolutions compute, for the quantiser to take.

ONNX Runtime computes them in floating point. With a power of two for each kernel's weights, and few significant bits in
the scale of what they take, its sums are those of integers, so that the accelerator can compute them
(``wingrid.host.onnx_models.transposed_convolutions``).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper

from wingrid.host.onnx_models.linear_layers import LinearLayer
from wingrid.host.onnx_models.short_scales import MANTISSA_BITS, SIGNIFICANT_BITS
from wingrid.host.onnx_models.transposed_convolutions import OPERATOR, by_kernel, largest_sums

LARGEST_WEIGHT = 127

ROOM_FOR_BIAS = 1
"""Bits of a sum."""


def input_bits(graph: onnx.GraphProto) -> dict[str, int]:
    """How many significant bits the scale of each tensor may have that a transposed convolution takes.

    Those are left out that have too many products for any.
    """
    found: dict[str, int] = {}
    for node, layer in _layers(graph):
        weights = layer.weights / _steps(layer.weights).reshape(1, -1, *[1] * (layer.weights.ndim - 2))
        kernels = by_kernel(weights if weights.ndim == 4 else weights[:, :, None], layer.attributes.get("group", 1))
        pairs = [[1, 1, *layer.attributes.get(name, [1])][-2:] for name in ("strides", "dilations")]
        largest = float(largest_sums(kernels, *((pair[0], pair[1]) for pair in pairs)).max()) + layer.weights.size
        bits = MANTISSA_BITS - ROOM_FOR_BIAS - math.ceil(math.log2(255 * max(largest, 1)))
        found[node.input[0]] = min(bits, found.get(node.input[0], SIGNIFICANT_BITS))
    return {name: bits for name, bits in found.items() if bits > 0}


def weight_ranges(graph: onnx.GraphProto) -> dict[str, list[dict[str, Any]]]:
    """Ranges of weights for each kernel, in the form of ONNX Runtime's ``TensorQuantOverrides``."""
    return {
        node.input[1]: [
            {"axis": 1, "rmin": np.float32(-LARGEST_WEIGHT * step), "rmax": np.float32(LARGEST_WEIGHT * step)}
            for step in _steps(layer.weights)
        ]
        for node, layer in _layers(graph)
    }


def _layers(graph: onnx.GraphProto) -> Iterator[tuple[onnx.NodeProto, LinearLayer]]:
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for node in graph.node:
        layer = LinearLayer.of(node, constants) if node.op_type == OPERATOR else None
        if layer is not None and layer.weights.ndim in (3, 4):
            yield node, layer


def _steps(weights: npt.NDArray) -> npt.NDArray[np.float64]:
    """The least power of two for each kernel of [C, K // groups, ...] of which its weights are at most 127."""
    largest = np.abs(weights.astype(np.float64)).max(axis=(0, *range(2, weights.ndim)))
    return np.exp2(np.ceil(np.log2(np.where(largest > 0, largest, 1) / LARGEST_WEIGHT)))
