"""Layers in floating point that multiply by constants, and weights with which they do what stands beside them too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from wingrid.host.onnx_models.affine_maps import AffineMap, ChannelAxis
from wingrid.host.onnx_models.nodes import attributes_of


@dataclass(frozen=True)
class LinearLayer:
    """Conv, ConvTranspose, Gemm or MatMul with constant weights and a constant bias, or none, for each channel."""

    operator: str
    weights: npt.NDArray
    bias: npt.NDArray[np.float64] | None
    attributes: dict[str, Any]

    @classmethod
    def of(cls, node: onnx.NodeProto, constants: Mapping[str, npt.NDArray]) -> LinearLayer | None:
        """The node, ``None`` if it is no such layer."""
        if node.op_type not in ("Conv", "ConvTranspose", "Gemm", "MatMul") or node.domain not in ("", "ai.onnx"):
            return None
        weights = constants.get(node.input[1])
        convolves = node.op_type.startswith("Conv")
        if weights is None or node.input[0] in constants or not np.issubdtype(weights.dtype, np.floating):
            return None
        if weights.ndim < 3 if convolves else weights.ndim != 2:
            return None
        layer = cls(node.op_type, weights, None, attributes_of(node))
        if len(node.input) < 3 or not node.input[2]:
            return layer
        constant = constants.get(node.input[2])
        place = ChannelAxis(1, 0, layer.kernels) if convolves else layer.output(2)
        bias = None if constant is None else place.vector(constant)
        return None if bias is None else cls(layer.operator, weights, bias * layer._beta, layer.attributes)

    @property
    def _beta(self) -> float:
        return float(self.attributes.get("beta", 1.0))

    @property
    def _groups(self) -> int:
        return int(self.attributes.get("group", 1))

    @property
    def kernels(self) -> int:
        """Output channels."""
        return int(np.prod(self._by_group(self.weights).shape[:2]))

    @property
    def channels(self) -> int:
        """Input channels."""
        groups, _, width = self._by_group(self.weights).shape[:3]
        return int(groups * width)

    def rank(self, known: int | None) -> int:
        """Axes of the input and the output, of a MatMul as many as are ``known`` or at least one."""
        if self.operator == "MatMul":
            return known or 1
        return self.weights.ndim

    def output(self, rank: int) -> ChannelAxis:
        """The output's channels."""
        return ChannelAxis(rank, self._axis(rank), self.kernels)

    def input(self, rank: int) -> ChannelAxis:
        """The input's channels."""
        return ChannelAxis(rank, self._axis(rank), self.channels)

    def _axis(self, rank: int) -> int:
        return 1 if self.operator.startswith("Conv") else rank - 1

    def takes(self, before: AffineMap) -> bool:
        """Whether it can do the map of its input: one scale for all channels, and a shift only without padding."""
        if (before.scale != before.scale[0]).any() or self.attributes.get("transA", 0):
            return False
        if not before.shift.any():
            return True
        padded = any(self.attributes.get("pads", ())) or self.attributes.get("auto_pad", b"NOTSET") not in (
            b"NOTSET",
            b"VALID",
        )
        return self.operator != "ConvTranspose" and not padded

    def folded(self, before: AffineMap, behind: AffineMap) -> tuple[npt.NDArray, npt.NDArray | None] | None:
        """Weights, and the bias if there is any, of the layer with a map that it takes before it and one behind it.

        A Gemm's bias counts once, whatever its beta. ``None`` if the layer's type does not hold them.
        """
        grouped = self._by_group(self.weights).astype(np.float64)
        groups, kernels, width = grouped.shape[:3]
        taps = grouped.reshape(groups, kernels, width, -1).sum(axis=3)
        bias = (taps * before.shift.reshape(groups, 1, width)).sum(axis=2).reshape(-1)
        bias = bias * float(self.attributes.get("alpha", 1.0)) + (0 if self.bias is None else self.bias)
        bias = bias * behind.scale + behind.shift
        factors = before.scale[0] * behind.scale.reshape(groups, kernels, *[1] * (grouped.ndim - 2))
        with np.errstate(over="ignore"):
            weights = self._from_groups(grouped * factors).astype(self.weights.dtype)
            rounded = bias.astype(self.weights.dtype)
        if not (np.isfinite(weights).all() and np.isfinite(rounded).all()):
            return None
        return np.ascontiguousarray(weights), rounded if self.bias is not None or rounded.any() else None

    def _by_group(self, weights: npt.NDArray) -> npt.NDArray:
        """Weights as [groups, kernels of a group, channels of a group, ...]."""
        groups = self._groups
        if self.operator == "Conv":
            return weights.reshape(groups, -1, *weights.shape[1:])
        if self.operator == "ConvTranspose":
            return weights.reshape(groups, -1, *weights.shape[1:]).swapaxes(1, 2)
        return (weights if self.attributes.get("transB", 0) else weights.T)[None]

    def _from_groups(self, grouped: npt.NDArray) -> npt.NDArray:
        """The inverse of ``_by_group``."""
        if self.operator == "Conv":
            return grouped.reshape(self.weights.shape)
        if self.operator == "ConvTranspose":
            return grouped.swapaxes(1, 2).reshape(self.weights.shape)
        return grouped[0] if self.attributes.get("transB", 0) else grouped[0].T
