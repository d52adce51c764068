"""Models of one quantised operator."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

TYPES = {np.dtype(np.uint8): TensorProto.UINT8, np.dtype(np.int8): TensorProto.INT8}


def one_operator(
    operator: str, x: np.ndarray, weights: np.ndarray, zero: np.ndarray, kernels: int, **attributes: object
) -> onnx.ModelProto:
    """QLinearConv, QLinearMatMul or QGemm on ``x``, with activation zero points other than the middle."""
    constants = {
        "x_scale": np.float32(0.02),
        "x_zero": x.dtype.type(7),
        "w": weights,
        "w_scale": np.full(np.shape(zero), 0.01, np.float32),
        "w_zero": zero,
        "bias": np.arange(kernels, dtype=np.int32) * 100,
        "y_scale": np.float32(0.4),
        "y_zero": x.dtype.type(50),
    }
    inputs = {
        "QLinearConv": "x x_scale x_zero w w_scale w_zero y_scale y_zero bias",
        "QLinearMatMul": "x x_scale x_zero w w_scale w_zero y_scale y_zero",
        "QGemm": "x x_scale x_zero w w_scale w_zero bias y_scale y_zero",
    }[operator]
    domain = "com.microsoft" if operator == "QGemm" else ""
    graph = helper.make_graph(
        [helper.make_node(operator, inputs.split(), ["y"], name="layer", domain=domain, **attributes)],
        "one operator",
        [helper.make_tensor_value_info("x", TYPES[x.dtype], x.shape)],
        [helper.make_tensor_value_info("y", TYPES[x.dtype], None)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def uniform(seed: int, dtype: type[np.integer], shape: tuple[int, ...]) -> np.ndarray:
    """Values over all of a type's range."""
    limits = np.iinfo(dtype)
    return np.random.default_rng(seed).integers(limits.min, limits.max + 1, shape, dtype)
