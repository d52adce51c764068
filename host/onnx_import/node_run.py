"""A few nodes of a model, run by ONNX Runtime by themselves: exact by construction where the host has to compute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from host.onnx_import.session import compute, open_session


def run_nodes(
    nodes: Sequence[onnx.NodeProto],
    values: Mapping[str, npt.NDArray],
    constants: Mapping[str, npt.NDArray],
    outputs: Sequence[str],
    like: onnx.ModelProto,
) -> dict[str, npt.NDArray]:
    """The outputs named, computed from ``values`` and ``constants`` under the operator versions of ``like``.

    Raises ``ModelRefused`` with ONNX Runtime's reason if it fails.
    """
    used = {name for node in nodes for name in node.input}
    graph = helper.make_graph(
        list(nodes),
        "steps",
        [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)
            for name, value in values.items()
        ],
        [onnx.ValueInfoProto(name=name) for name in outputs],
        [numpy_helper.from_array(value, name) for name, value in constants.items() if name in used],
    )
    model = helper.make_model(graph, opset_imports=like.opset_import, ir_version=like.ir_version)
    return compute(open_session(model), {name: np.ascontiguousarray(value) for name, value in values.items()})
