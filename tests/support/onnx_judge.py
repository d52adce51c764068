"""ONNX Runtime as the outside judge of single operators."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import onnxruntime
from onnx import TensorProto, helper, numpy_helper


def run_operator(
    operator: str,
    x: npt.NDArray[np.int8],
    constants: Mapping[str, npt.NDArray],
    inputs: str,
    *,
    domain: str = "",
    **attributes: int | list[int],
) -> npt.NDArray[np.int8]:
    """The int8 output of one operator on ``x``.

    ``inputs`` lists the operator's inputs in order; those other than ``x`` are constants by name.
    """
    node = helper.make_node(operator, inputs.split(), ["y"], domain=domain, **attributes)
    graph = helper.make_graph(
        [node],
        operator,
        [helper.make_tensor_value_info("x", TensorProto.INT8, x.shape)],
        [helper.make_tensor_value_info("y", TensorProto.INT8, None)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]
