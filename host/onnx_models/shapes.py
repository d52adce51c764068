"""Types and shapes: what a model's inputs admit, binding them, and what each of its tensors is then."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import helper, shape_inference

from wingrid.host.onnx_models.refusal import ModelRefused
from wingrid.host.onnx_models.session import Level, open_session

LARGEST_TENSOR = 1 << 31
"""Bytes: a tensor that would take more is refused before anything is computed."""

_TYPES: dict[str, np.dtype] = {
    "tensor(float)": np.dtype(np.float32),
    "tensor(float16)": np.dtype(np.float16),
    "tensor(double)": np.dtype(np.float64),
    "tensor(bool)": np.dtype(np.bool_),
    **{
        f"tensor({name})": np.dtype(name)
        for name in ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")
    },
}


@dataclass(frozen=True)
class TensorType:
    """Type and shape of a tensor."""

    dtype: np.dtype
    shape: tuple[int, ...]

    @property
    def bytes(self) -> int:
        """What the tensor takes."""
        return math.prod(self.shape) * self.dtype.itemsize

    def __str__(self) -> str:
        return f"{self.dtype} {list(self.shape)}"


@dataclass(frozen=True)
class OpenType:
    """A tensor's type as a model states it: sizes may be numbers, names, or not known at all (``None``)."""

    dtype: np.dtype
    shape: tuple[int | str | None, ...] | None
    """``None`` where not even the number of axes is known."""

    def admits(self, shape: Sequence[int]) -> bool:
        """Whether a tensor of that shape, none of whose sizes is zero, may stand here."""
        if min(shape, default=1) < 1:
            return False
        return self.shape is None or (
            len(shape) == len(self.shape)
            and all(
                not isinstance(wanted, int) or wanted == size for wanted, size in zip(self.shape, shape, strict=True)
            )
        )

    def __str__(self) -> str:
        if self.shape is None:
            return f"{self.dtype} of any shape"
        return f"{self.dtype} [{', '.join('?' if size is None else str(size) for size in self.shape)}]"


def open_type(value: onnx.ValueInfoProto) -> OpenType:
    """What an input admits. Raises ``ModelRefused`` if that is no tensor of numbers."""
    tensor = value.type.tensor_type
    if not value.type.HasField("tensor_type"):
        raise ModelRefused(f"input {value.name} is no tensor")
    try:
        dtype = np.dtype(helper.tensor_dtype_to_np_dtype(tensor.elem_type))
    except KeyError:
        raise ModelRefused(f"input {value.name} has the unknown data type {tensor.elem_type}") from None
    if dtype not in _TYPES.values():
        raise ModelRefused(f"input {value.name} has the data type {dtype}, which cannot be given here")
    if not tensor.HasField("shape"):
        return OpenType(dtype, None)
    shape = tuple(_size(dimension) for dimension in tensor.shape.dim)
    if any(isinstance(size, int) and size < 1 for size in shape):
        raise ModelRefused(f"input {value.name} has a size of zero or less in its shape {list(shape)}")
    require_bounded(value.name, [size for size in shape if isinstance(size, int)], dtype.itemsize)
    return OpenType(dtype, shape)


def _size(dimension: onnx.TensorShapeProto.Dimension) -> int | str | None:
    if dimension.HasField("dim_value"):
        return dimension.dim_value
    return dimension.dim_param or None


def bound(model: onnx.ModelProto, shapes: Mapping[str, Sequence[int]]) -> onnx.ModelProto:
    """The model for inputs of these shapes.

    Raises ``ModelRefused`` if the model does not admit them, or a tensor would go beyond ``LARGEST_TENSOR``.
    """
    made = onnx.ModelProto()
    made.CopyFrom(model)
    for value in made.graph.input:
        wanted, shape = open_type(value), shapes[value.name]
        if not wanted.admits(shape):
            raise ModelRefused(f"input {value.name} must be {wanted}, not {list(shape)}")
        value.type.CopyFrom(helper.make_tensor_type_proto(value.type.tensor_type.elem_type, shape))
    require_room(made)
    return made


def require_room(model: onnx.ModelProto) -> None:
    """Raise ``ModelRefused`` for a tensor beyond ``LARGEST_TENSOR``, as far as sizes can be foreseen.

    Whether shapes agree is for ONNX Runtime to say.
    """
    try:
        inferred = shape_inference.infer_shapes(model, data_prop=True)
    except (shape_inference.InferenceError, ValueError, RuntimeError):
        return
    for value in (*inferred.graph.value_info, *inferred.graph.output):
        sizes = [_size(dimension) for dimension in value.type.tensor_type.shape.dim]
        require_bounded(value.name, [size for size in sizes if isinstance(size, int)], _item_bytes(value))


def _item_bytes(value: onnx.ValueInfoProto) -> int:
    try:
        return np.dtype(helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)).itemsize
    except KeyError:  # not known yet, and most are
        return np.dtype(np.float32).itemsize


def require_bounded(name: str, shape: Sequence[int], item_bytes: int = 1) -> None:
    """Raise ``ModelRefused`` for a tensor with a size below zero, or with more than memory should hold."""
    if any(size < 0 for size in shape):
        raise ModelRefused(f"tensor {name} has a size below zero in its shape {list(shape)}")
    if math.prod(shape) * item_bytes > LARGEST_TENSOR:
        raise ModelRefused(f"tensor {name} of shape {list(shape)} would take more than {LARGEST_TENSOR} bytes")


def tensor_types(model: onnx.ModelProto) -> dict[str, TensorType]:
    """Type and shape of each tensor that a node computes, by ONNX Runtime's own inference.

    Left out are those whose shape depends on data, and what is no tensor of numbers.
    Raises ``ModelRefused`` for one beyond ``LARGEST_TENSOR``.
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
        sizes = output.shape
        if output.type not in _TYPES or sizes is None or any(not isinstance(size, int) for size in sizes):
            continue
        dtype = _TYPES[output.type]
        require_bounded(output.name, sizes, dtype.itemsize)
        types[output.name] = TensorType(dtype, tuple(sizes))
    return types
