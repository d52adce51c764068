"""Constants that nodes compute from constants, and that ONNX Runtime has not folded: slopes in bytes, casts."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import onnx

from wingrid.host.onnx_models.elementwise import is_known
from wingrid.host.onnx_models.nodes import Consumers, taken_by
from wingrid.host.onnx_models.refusal import ModelRefused
from wingrid.host.onnx_models.session import compute, model_of, open_session


def computed_constants(
    model: onnx.ModelProto, consumers: Consumers, constants: Mapping[str, npt.NDArray]
) -> dict[str, npt.NDArray]:
    """The tensors that elementwise operators compute from constants alone, and that only such operators take."""
    nodes: list[onnx.NodeProto] = []
    found: dict[str, None] = {}
    for node in model.graph.node:
        names = taken_by(node)
        if not is_known(node) or not names or any(name not in constants and name not in found for name in names):
            continue
        takers = [consumers.node(position) for name in node.output for position in consumers.positions(name)]
        if takers and all(is_known(taker) for taker in takers):
            nodes.append(node)
            found |= dict.fromkeys(name for name in node.output if name)
    if not nodes:
        return {}
    try:
        values = compute(open_session(model_of(nodes, {}, constants, list(found), model)), {})
    except ModelRefused:  # so will the host be, if it gets there
        return {}
    return {name: value for name, value in values.items() if isinstance(value, np.ndarray)}
