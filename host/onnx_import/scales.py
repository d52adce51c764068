"""The scales of a quantised model: positive, finite numbers all of them."""

from __future__ import annotations

import numpy as np
import onnx

from host.onnx_import.refusal import ModelRefused
from host.onnx_import.tensor_data import constants_of

LINEAR = ("QuantizeLinear", "DequantizeLinear")


def is_quantised_operator(operator: str) -> bool:
    """Whether all of an operator's floating point inputs are scales."""
    return operator.startswith("QLinear") or operator in ("QGemm", "MatMulIntegerToFloat")


def is_quantised(model: onnx.ModelProto) -> bool:
    """Whether some tensor of the model is quantised at all."""
    return any(node.op_type in LINEAR or is_quantised_operator(node.op_type) for node in model.graph.node)


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
