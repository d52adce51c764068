"""Tensors stored in an ONNX model, and the scales and zero points of quantised ones."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from wingrid.host.onnx_models.nodes import all_graphs, all_nodes
from wingrid.host.onnx_models.refusal import ModelRefused, NotAccelerable

ACTIVATIONS = (np.dtype(np.int8), np.dtype(np.uint8))
"""Types of tensors of bytes."""

LINEAR = ("QuantizeLinear", "DequantizeLinear")

DYNAMIC = ("DynamicQuantizeLinear", "ConvInteger", "MatMulInteger", "DynamicQuantizeMatMul", "MatMulIntegerToFloat")
"""Operators of models whose scales follow from each input."""


def is_quantised_operator(operator: str) -> bool:
    """Whether all of an operator's floating point inputs are scales."""
    return operator.startswith("QLinear") or operator in ("QGemm", "MatMulIntegerToFloat")


def is_floating(node: onnx.NodeProto) -> bool:
    """Whether ONNX Runtime may be given the node together with its neighbours.

    Among them it may lay tensors out for the processor at hand and fuse again, as it does in the whole model. Quantised
    operators stay alone, so that they are what the optimiser made of them.
    """
    return node.op_type not in LINEAR and not is_quantised_operator(node.op_type)


def is_quantised(model: onnx.ModelProto) -> bool:
    """Whether some tensor of the model is quantised at all."""
    return any(node.op_type in (*LINEAR, *DYNAMIC) or is_quantised_operator(node.op_type) for node in model.graph.node)


def require_scales(model: onnx.ModelProto) -> None:
    """Raise ``ModelRefused`` for a constant scale that is zero, negative, not finite or no number."""
    constants = constants_of(model)
    for node in model.graph.node:
        if node.op_type in LINEAR:
            names = list(node.input[1:2])
        elif is_quantised_operator(node.op_type):
            names = [name for name in node.input if name in constants and constants[name].dtype == np.float32]
        else:
            continue
        for name in names:
            values = constants.get(name)
            if values is None or values.dtype not in (np.float16, np.float32, np.float64):
                continue
            wrong = ~(np.isfinite(values) & (values > 0))
            if wrong.any():
                raise ModelRefused(
                    f"scale {name} of node {node.name} holds {values[wrong].flat[0]}: scales must be finite and above 0"
                )


_SUB_BYTE_BITS = {
    getattr(TensorProto, name): bits
    for name, bits in {"INT4": 4, "UINT4": 4, "FLOAT4E2M1": 4, "INT2": 2, "UINT2": 2}.items()
    if hasattr(TensorProto, name)
}
_COMPLEX = (TensorProto.COMPLEX64, TensorProto.COMPLEX128)


def stored_tensors(model: onnx.ModelProto) -> Iterator[TensorProto]:
    """Initialisers, and the tensors that nodes carry as attributes, in all graphs and functions."""
    for graph in all_graphs(model):
        yield from graph.initializer
        for sparse in graph.sparse_initializer:
            yield from (sparse.values, sparse.indices)
    for node in all_nodes(model):
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.TENSOR:
                yield attribute.t
            yield from attribute.tensors


def require_whole(tensor: TensorProto) -> None:
    """Raise ``ModelRefused`` unless the tensor's type is known and it has as many elements as its shape says."""
    name = tensor.name or "of a node"
    try:
        known = tensor.data_type in helper.get_all_tensor_dtypes()
        kind = TensorProto.DataType.Name(tensor.data_type)
    except ValueError:
        known, kind = False, str(tensor.data_type)
    if not known or tensor.data_type == TensorProto.UNDEFINED:
        raise ModelRefused(f"tensor {name} has the unknown data type {kind}")
    if any(size < 0 for size in tensor.dims):
        raise ModelRefused(f"tensor {name} has a negative size in its shape {list(tensor.dims)}")
    elements = math.prod(tensor.dims)
    if tensor.data_location == TensorProto.EXTERNAL:
        return
    if tensor.HasField("raw_data"):
        if tensor.data_type == TensorProto.STRING:
            raise ModelRefused(f"tensor {name} holds strings as raw bytes, which ONNX does not allow")
        bits = _SUB_BYTE_BITS.get(tensor.data_type) or 8 * _item_bytes(tensor.data_type)
        held, needed, unit = len(tensor.raw_data), -(-elements * bits // 8), "bytes"
    else:
        held, needed, unit = len(getattr(tensor, helper.tensor_dtype_to_field(tensor.data_type))), elements, "elements"
        if tensor.data_type in _COMPLEX:
            needed *= 2
        elif tensor.data_type in _SUB_BYTE_BITS:
            needed = -(-elements * _SUB_BYTE_BITS[tensor.data_type] // 8)
    if held != needed:
        raise ModelRefused(
            f"tensor {name} of shape {list(tensor.dims)} and type {kind} needs {needed} {unit}, "
            f"but the file holds {held}"
        )


def _item_bytes(data_type: int) -> int:
    return np.dtype(helper.tensor_dtype_to_np_dtype(data_type)).itemsize


def constants_of(model: onnx.ModelProto) -> dict[str, npt.NDArray]:
    """The initialisers by name."""
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def centred_weights(raw: npt.NDArray, zero_points: npt.NDArray) -> npt.NDArray[np.int16]:
    """Weights less their zero point, one for all or one for each kernel. Raises ``NotAccelerable``."""
    if raw.dtype not in ACTIVATIONS:
        raise NotAccelerable(f"weights of type {raw.dtype}: the accelerator's have 8 bits")
    if zero_points.size not in (1, len(raw)):
        raise NotAccelerable("zero points of weights other than one for all, or one for each output channel")
    return raw.astype(np.int16) - zero_points.astype(np.int16).reshape(-1, *[1] * (raw.ndim - 1))
