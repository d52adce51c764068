"""Nodes that scale and shift each channel of a tensor by constants, in whatever operator they are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnx

from wingrid.host.onnx_models.nodes import attributes_of

EPSILON = 1e-5
"""What BatchNormalization adds to the variance unless told otherwise (ONNX operator specification)."""


@dataclass(frozen=True)
class AffineMap:
    """x * scale + shift for each channel, float64 [C] each."""

    scale: npt.NDArray[np.float64]
    shift: npt.NDArray[np.float64]

    @classmethod
    def identity(cls, channels: int) -> AffineMap:
        return cls(np.ones(channels), np.zeros(channels))

    def then(self, other: AffineMap) -> AffineMap:
        """This one first, and then ``other``."""
        return AffineMap(self.scale * other.scale, self.shift * other.scale + other.shift)


@dataclass(frozen=True)
class ChannelAxis:
    """Where a tensor of ``rank`` axes has its ``count`` channels."""

    rank: int
    axis: int
    count: int

    def holds(self, shape: Sequence[int]) -> bool:
        """Whether a constant of this shape broadcasts as one number for all channels, or as one for each."""
        sizes = (*[1] * (self.rank - len(shape)), *shape)
        return len(sizes) == self.rank and all(
            size == 1 or (axis == self.axis and size == self.count) for axis, size in enumerate(sizes)
        )

    def vector(self, constant: npt.NDArray) -> npt.NDArray[np.float64] | None:
        """A constant as one number for each channel, float64 [C]; ``None`` if it broadcasts in any other way."""
        if not self.holds(constant.shape) or not np.issubdtype(constant.dtype, np.floating):
            return None
        return np.broadcast_to(constant.astype(np.float64).reshape(-1), (self.count,)).copy()


def affine_map(
    node: onnx.NodeProto, tensor: str, constants: Mapping[str, npt.NDArray], channels: ChannelAxis
) -> AffineMap | None:
    """What the node does to ``tensor``, an input of it with these channels; ``None`` if it is no affine map of each."""
    if node.domain not in ("", "ai.onnx"):
        return None
    same = AffineMap.identity(channels.count)
    if node.op_type == "Identity":
        return same
    if node.op_type == "Neg":
        return AffineMap(-same.scale, same.shift)
    if node.op_type == "BatchNormalization":
        return _batch_normalisation(node, tensor, constants, channels)
    if node.op_type not in ("Add", "Sub", "Mul", "Div") or len(node.input) != 2:
        return None
    first = node.input[0] == tensor
    other = node.input[1] if first else node.input[0]
    vector = channels.vector(constants[other]) if other in constants else None
    if vector is None:
        return None
    if node.op_type == "Add":
        return AffineMap(same.scale, vector)
    if node.op_type == "Sub":
        return AffineMap(same.scale, -vector) if first else AffineMap(-same.scale, vector)
    if node.op_type == "Mul":
        return AffineMap(vector, same.shift)
    return AffineMap(1 / vector, same.shift) if first and vector.all() else None


def _batch_normalisation(
    node: onnx.NodeProto, tensor: str, constants: Mapping[str, npt.NDArray], channels: ChannelAxis
) -> AffineMap | None:
    """BatchNormalization in its inference form."""
    attributes = attributes_of(node)
    trains = attributes.get("training_mode", 0) or not attributes.get("spatial", 1) or any(node.output[1:])
    if trains or node.input[0] != tensor or channels.axis != 1 or any(name not in constants for name in node.input[1:]):
        return None
    scale, shift, mean, variance = (constants[name].astype(np.float64) for name in node.input[1:])
    spread = variance + attributes.get("epsilon", EPSILON)
    if any(values.shape != (channels.count,) for values in (scale, shift, mean, variance)) or (spread <= 0).any():
        return None
    factor = scale / np.sqrt(spread)
    return AffineMap(factor, shift - mean * factor)
