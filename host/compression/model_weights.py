"""The int8 weights of a quantised ONNX model's layers: found in whichever form the file has them, and replaced."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper

from wingrid.host.onnx_models.nodes import attributes_of
from wingrid.host.onnx_models.tensors import constants_of

CONVOLUTION, CONNECTED = "conv", "fc"
KINDS = (CONVOLUTION, CONNECTED)
"""Convolutions, and products with a matrix of weights."""

_FLOATING = {"Conv": CONVOLUTION, "ConvTranspose": CONVOLUTION, "Gemm": CONNECTED, "MatMul": CONNECTED}
_QUANTISED = {
    "QLinearConv": CONVOLUTION,
    "ConvInteger": CONVOLUTION,
    "QLinearMatMul": CONNECTED,
    "MatMulInteger": CONNECTED,
    "QGemm": CONNECTED,
}
_BYTES = (np.dtype(np.int8), np.dtype(np.uint8))
_FACTOR = 1
"""Which input of a node in floating point has the weights."""


@dataclass(frozen=True)
class LayerWeights:
    """Weights of a layer of a model."""

    layer: str
    """Name of the node, of several that share them the first one's."""
    kind: str
    """One of ``KINDS``."""
    initialiser: str
    codes: npt.NDArray[np.int16]
    """As they lie in the file, less their zero point."""
    scales: npt.NDArray[np.float32]
    """Of real weights, in a shape that broadcasts to that of ``codes``."""
    zero: npt.NDArray[np.int16]
    """The zero point, likewise."""
    dtype: npt.DTypeLike
    """In the file: int8 or uint8."""


def find_weights(model: onnx.ModelProto) -> list[LayerWeights]:
    """The constant 8-bit weights of all layers, in the order of nodes, each tensor once."""
    constants = constants_of(model)
    dequantised = {node.output[0]: node for node in model.graph.node if node.op_type == "DequantizeLinear"}
    found: dict[str, LayerWeights] = {}
    for node in model.graph.node:
        for weights in _weights(node, constants, dequantised):
            found.setdefault(weights.initialiser, weights)
    return list(found.values())


def with_weights(model: onnx.ModelProto, replaced: Mapping[str, npt.NDArray]) -> onnx.ModelProto:
    """The model with other values in these initialisers."""
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    for tensor in changed.graph.initializer:
        if tensor.name in replaced:
            tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(replaced[tensor.name]), tensor.name))
    return changed


def as_in_file(weights: LayerWeights, codes: npt.NDArray) -> npt.NDArray:
    """Other ``codes`` for the layer as its initialiser has them."""
    return (codes + weights.zero).astype(weights.dtype)


def _weights(
    node: onnx.NodeProto, constants: Mapping[str, npt.NDArray], dequantised: Mapping[str, onnx.NodeProto]
) -> Iterator[LayerWeights]:
    if node.op_type in _FLOATING and len(node.input) > _FACTOR:
        maker = dequantised.get(node.input[_FACTOR])
        if maker is not None:
            names = [*maker.input, ""][:3]
            axis = attributes_of(maker).get("axis", 1)
            yield from _layer(node, _FLOATING[node.op_type], names, axis, constants)
    elif node.op_type in ("ConvInteger", "MatMulInteger"):
        inputs = [*node.input, "", ""]
        kind = _QUANTISED[node.op_type]
        yield from _layer(node, kind, [inputs[1], "", inputs[3]], 0 if kind == CONVOLUTION else -1, constants)
    elif node.op_type in _QUANTISED:
        axis = 0 if _QUANTISED[node.op_type] == CONVOLUTION or attributes_of(node).get("transB", 0) else -1
        yield from _layer(node, _QUANTISED[node.op_type], list(node.input[3:6]), axis, constants)


def _layer(
    node: onnx.NodeProto, kind: str, names: list[str], axis: int, constants: Mapping[str, npt.NDArray]
) -> Iterator[LayerWeights]:
    """The weights called so: tensor, scale and zero point, of which the last two may be left out."""
    tensor, scale, zero = names
    stored = constants.get(tensor)
    if stored is None or stored.dtype not in _BYTES or any(name and name not in constants for name in (scale, zero)):
        return
    scales = constants[scale].astype(np.float32) if scale else np.float32(1)
    zeros = constants[zero].astype(np.int16) if zero else np.int16(0)
    try:
        broadcast = [_along(np.asarray(values), axis, stored.ndim) for values in (scales, zeros)]
        np.broadcast_shapes(stored.shape, *(values.shape for values in broadcast))
    except ValueError:
        return  # scales by block, or for another axis: whoever computes that is not the array
    codes = stored.astype(np.int16) - broadcast[1]
    yield LayerWeights(node.name, kind, tensor, codes, broadcast[0], broadcast[1], stored.dtype)


def _along(values: npt.NDArray, axis: int, axes: int) -> npt.NDArray:
    """One value, or one for each place along an axis, in a shape that broadcasts."""
    if values.size == 1:
        return values.reshape(())
    shape = [1] * axes
    shape[axis] = values.size
    return values.reshape(shape)
