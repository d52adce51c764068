"""Sizes: binding a model's open dimensions, and the type and shape of each of its tensors."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import helper, shape_inference

from wingrid.host.onnx_models.refusal import ModelRefused, one_sentence
from wingrid.host.onnx_models.session import Level, open_session

LARGEST_TENSOR = 1 << 31
"""Bytes: a tensor that would take more is refused before anything is computed."""

_TYPES: dict[str, np.dtype] = {
    "tensor(float)": np.dtype(np.float32),
    "tensor(float16)": np.dtype(np.float16),
    "tensor(double)": np.dtype(np.float64),
    "tensor(bool)": np.dtype(np.bool_),
    **{f"tensor({name})": np.dtype(name) for name in ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64")},
}


@dataclass(frozen=True)
class TensorType:
    """Type and shape of a tensor."""

    dtype: np.dtype
    shape: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.dtype} {list(self.shape)}"


@dataclass(frozen=True)
class OpenType:
    """A tensor's type as a model states it: sizes may be numbers, names, or not known at all (``None``)."""

    dtype: np.dtype
    shape: tuple[int | str | None, ...]

    def bound(self, images: int) -> tuple[int, ...] | None:
        """The shape for a batch if nothing but the first size is open; else ``None``."""
        first, rest = self.shape[:1], self.shape[1:]
        if not first or any(not isinstance(size, int) for size in rest):
            return None
        start = first[0] if isinstance(first[0], int) else images
        return (start, *(size for size in rest if isinstance(size, int)))

    def admits(self, shape: Sequence[int]) -> bool:
        """Whether a tensor of that shape may stand here."""
        return len(shape) == len(self.shape) and all(
            not isinstance(wanted, int) or wanted == size for wanted, size in zip(self.shape, shape, strict=True)
        )

    def __str__(self) -> str:
        return f"{self.dtype} [{', '.join('?' if size is None else str(size) for size in self.shape)}]"


def model_input(model: onnx.ModelProto) -> onnx.ValueInfoProto:
    """The one input. Raises ``ModelRefused`` for none, several, or one that is no tensor."""
    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in constants]
    if len(inputs) != 1:
        names = ", ".join(value.name for value in inputs) or "none"
        raise ModelRefused(f"a model must have one input to be run here; this one has {len(inputs)}: {names}")
    return inputs[0]


def open_type(value: onnx.ValueInfoProto) -> OpenType:
    """What an input admits. Raises ``ModelRefused`` if that is no tensor of numbers with a known rank."""
    tensor = value.type.tensor_type
    if not value.type.HasField("tensor_type") or not tensor.HasField("shape"):
        raise ModelRefused(f"input {value.name} is no tensor of a known rank")
    try:
        dtype = np.dtype(helper.tensor_dtype_to_np_dtype(tensor.elem_type))
    except KeyError:
        raise ModelRefused(f"input {value.name} has the unknown data type {tensor.elem_type}") from None
    if dtype not in _TYPES.values():
        raise ModelRefused(f"input {value.name} has the data type {dtype}, which cannot be given here")
    shape = tuple(_size(dimension) for dimension in tensor.shape.dim)
    if any(isinstance(size, int) and size < 1 for size in shape):
        raise ModelRefused(f"input {value.name} has a size of zero or less in its shape {list(shape)}")
    require_bounded(value.name, [size for size in shape if isinstance(size, int)], dtype.itemsize)
    return OpenType(dtype, shape)


def _size(dimension: onnx.TensorShapeProto.Dimension) -> int | str | None:
    if dimension.HasField("dim_value"):
        return dimension.dim_value
    return dimension.dim_param or None


def with_input_shape(model: onnx.ModelProto, shape: Sequence[int]) -> onnx.ModelProto:
    """The model for an input of this shape, a name for a size replaced wherever it stands.

    Raises ``ModelRefused`` if shapes in the model contradict each other, are empty or beyond ``LARGEST_TENSOR``.
    """
    bound = onnx.ModelProto()
    bound.CopyFrom(model)
    value = model_input(bound)
    wanted = open_type(value)
    if not wanted.admits(shape) or min(shape, default=1) < 1:
        raise ModelRefused(f"input {value.name} must be {wanted}, not {list(shape)}")
    names = {name: size for name, size in zip(wanted.shape, shape, strict=True) if isinstance(name, str)}
    for dimension, size in zip(value.type.tensor_type.shape.dim, shape, strict=True):
        dimension.dim_value = size
    for other in (*bound.graph.value_info, *bound.graph.output):
        for dimension in other.type.tensor_type.shape.dim:
            if dimension.dim_param in names:
                dimension.dim_value = names[dimension.dim_param]
    try:
        inferred = shape_inference.infer_shapes(bound, check_type=True, strict_mode=True, data_prop=True)
    except (shape_inference.InferenceError, ValueError, RuntimeError) as error:
        raise ModelRefused(f"the model's shapes disagree: {one_sentence(error)}") from None
    for other in (*inferred.graph.value_info, *inferred.graph.output):
        sizes = [_size(dimension) for dimension in other.type.tensor_type.shape.dim]
        known = [size for size in sizes if isinstance(size, int)]
        require_bounded(other.name, known, _item_bytes(other))
    return bound


def _item_bytes(value: onnx.ValueInfoProto) -> int:
    try:
        return np.dtype(helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)).itemsize
    except KeyError:  # not known yet, and most are
        return np.dtype(np.float32).itemsize


def require_bounded(name: str, shape: Sequence[int], item_bytes: int = 1) -> None:
    """Raise ``ModelRefused`` for a tensor without elements, or with more than memory should hold."""
    if any(size < 1 for size in shape):
        raise ModelRefused(f"tensor {name} has a size of zero or less in its shape {list(shape)}")
    if math.prod(shape) * item_bytes > LARGEST_TENSOR:
        raise ModelRefused(f"tensor {name} of shape {list(shape)} would take more than {LARGEST_TENSOR} bytes")


def tensor_types(model: onnx.ModelProto) -> Mapping[str, TensorType]:
    """Type and shape of each tensor that a node computes, by ONNX Runtime's own inference.

    Raises ``ModelRefused`` where a shape depends on data.
    """
    exposed = onnx.ModelProto()
    exposed.CopyFrom(model)
    outputs = {value.name for value in exposed.graph.output}
    for node in exposed.graph.node:
        exposed.graph.output.extend(
            onnx.ValueInfoProto(name=name) for name in node.output if name not in {"", *outputs}
        )
    types = {}
    for output in open_session(exposed, Level.ORT_DISABLE_ALL).get_outputs():
        if output.type not in _TYPES:
            raise ModelRefused(f"tensor {output.name} has the type {output.type}, which cannot be handled here")
        sizes = list(output.shape or ())
        if any(not isinstance(size, int) for size in sizes):
            raise ModelRefused(f"the shape {sizes} of tensor {output.name} depends on data")
        dtype = _TYPES[output.type]
        require_bounded(output.name, sizes, dtype.itemsize)
        types[output.name] = TensorType(dtype, tuple(sizes))
    return types
