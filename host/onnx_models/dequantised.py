"""What stands around operators that ONNX Runtime computes in floating point: DequantizeLinear and QuantizeLinear."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnx

from wingrid.host.onnx_models.nodes import Consumers
from wingrid.host.onnx_models.refusal import NotAccelerable


@dataclass(frozen=True)
class Dequantised:
    """What a DequantizeLinear takes, and the numbers by which it does."""

    node: onnx.NodeProto
    scales: npt.NDArray[np.float32]
    zero_points: npt.NDArray
    """Of the type of what is dequantised, as many as scales, or one."""

    @classmethod
    def of(cls, node: onnx.NodeProto | None, constants: Mapping[str, npt.NDArray]) -> Dequantised:
        """Raises ``NotAccelerable`` if it is another node, or has other numbers."""
        if node is None or node.op_type != "DequantizeLinear" or len(node.input) < 3:
            raise NotAccelerable("ONNX Runtime computes it in floating point, of what is not quantised")
        scales, zero_points = (constants.get(name) for name in node.input[1:3])
        if scales is None or zero_points is None or scales.dtype != np.float32:
            raise NotAccelerable("scales and zero points that are no constants")
        return cls(node, scales.reshape(-1), zero_points.reshape(-1))

    @classmethod
    def before(cls, node: onnx.NodeProto, constants: Mapping[str, npt.NDArray], model: onnx.ModelProto) -> Dequantised:
        """The one that leaves the node's first input. Raises ``NotAccelerable`` if there is none."""
        return cls.of(next((other for other in model.graph.node if node.input[0] in other.output), None), constants)


def quantised_behind(
    node: onnx.NodeProto, constants: Mapping[str, npt.NDArray], model: onnx.ModelProto
) -> onnx.NodeProto:
    """The QuantizeLinear, with one constant scale and zero point, that alone takes what the node leaves.

    Raises ``NotAccelerable`` if there is none.
    """
    quantise = Consumers(model.graph).only(node.output[0])
    if quantise is None or quantise.op_type != "QuantizeLinear" or len(quantise.input) < 3:
        raise NotAccelerable("ONNX Runtime computes it in floating point, and leaves it so")
    scale, zero_point = (constants.get(name) for name in quantise.input[1:3])
    if scale is None or zero_point is None or scale.size != 1:
        raise NotAccelerable("scales and zero points that are no constants, one for each tensor")
    return quantise
