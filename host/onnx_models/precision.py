"""Models in float16, bfloat16 or float64, brought to float32: the precision that is quantised, and whose results count.

ONNX Runtime has no quantised operators between tensors of other precisions, and few kernels for float16 on processors.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx
from onnx import TensorProto, TypeProto, numpy_helper

from wingrid.host.onnx_models.nodes import all_graphs, all_nodes

OTHERS: dict[int, str] = {
    TensorProto.FLOAT16: "float16",
    TensorProto.BFLOAT16: "bfloat16",
    TensorProto.DOUBLE: "float64",
}
"""Precisions that are brought to float32."""

LAYERS = ("Conv", "ConvTranspose", "Gemm", "MatMul", "QuantizeLinear", "DequantizeLinear")
"""Operators whose constants tell in which precision a model computes."""

_TYPE_ATTRIBUTES = ("to", "dtype", "output_dtype", "softmax_precision")
"""Attributes that name the type of a result."""


def in_single_precision(model: onnx.ModelProto) -> Iterator[str]:
    """Bring the whole model to float32, in place, if layers might compute in another; yields a sentence if so.

    Constants beyond float32 become its largest numbers.
    """
    found = {type_ for type_ in _types_of_layers(model) if type_ in OTHERS}
    if not found:
        return
    for graph in all_graphs(model):
        for value in (*graph.input, *graph.output, *graph.value_info):
            _change_type(value.type)
        for tensor in graph.initializer:
            _change_tensor(tensor)
    for node in all_nodes(model):
        for attribute in node.attribute:
            if attribute.name in _TYPE_ATTRIBUTES and attribute.i in OTHERS:
                attribute.i = TensorProto.FLOAT
            for tensor in (*([attribute.t] if attribute.HasField("t") else []), *attribute.tensors):
                _change_tensor(tensor)
    yield f"The model was brought from {' and '.join(sorted(OTHERS[type_] for type_ in found))} to float32."


def _types_of_layers(model: onnx.ModelProto) -> Iterator[int]:
    """Types of the model's inputs, of the weights of its layers and of the scales of its quantised tensors."""
    for value in model.graph.input:
        yield value.type.tensor_type.elem_type
    constants = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant":
            kinds = [attribute.t.data_type for attribute in node.attribute if attribute.HasField("t")]
            constants |= zip(node.output, kinds, strict=False)
        elif node.op_type in LAYERS:
            yield from (constants[name] for name in node.input if name in constants)


def _change_type(type_: TypeProto) -> None:
    kind = type_.WhichOneof("value")
    if kind in ("tensor_type", "sparse_tensor_type"):
        tensor = getattr(type_, kind)
        if tensor.elem_type in OTHERS:
            tensor.elem_type = TensorProto.FLOAT
    elif kind in ("sequence_type", "optional_type"):
        _change_type(getattr(type_, kind).elem_type)


def _change_tensor(tensor: TensorProto) -> None:
    if tensor.data_type not in OTHERS:
        return
    values = numpy_helper.to_array(tensor).astype(np.float64)
    largest = np.finfo(np.float32).max
    within = np.where(np.isfinite(values), np.clip(values, -largest, largest), values)
    tensor.CopyFrom(numpy_helper.from_array(within.astype(np.float32), tensor.name))
