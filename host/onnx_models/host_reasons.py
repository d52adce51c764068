"""Why a node is the host's, and what would bring it to the accelerator."""

from __future__ import annotations

from collections.abc import Mapping

import numpy.typing as npt
import onnx

from wingrid.host.onnx_models.layer_reading import NO_LAYER
from wingrid.host.onnx_models.tensors import DYNAMIC

DYNAMIC_SCALES = "its scales follow from each input"
QUANTISE = "wingrid quantize on the float model"

_LAYERS = ("Conv", "FusedConv", "Gemm", "FusedGemm", "MatMul", "FusedMatMul")
"""Operators in floating point that would be layers if they were quantised, and their second input constant."""


def reason_for(node: onnx.NodeProto, refusal: str, macs: int | None) -> str:
    """What to say of a node for which ``read_layers`` has that refusal."""
    if node.op_type in DYNAMIC:
        return DYNAMIC_SCALES
    return f"the accelerator has no {node.op_type}" if refusal == NO_LAYER and macs != 0 else refusal


def remedy_for(node: onnx.NodeProto, constants: Mapping[str, npt.NDArray], graph: onnx.GraphProto) -> str:
    """What the user can do about it; empty where there is nothing."""
    if node.op_type in DYNAMIC:
        return QUANTISE
    if node.op_type not in _LAYERS or len(node.input) < 2:
        return ""
    makers = {name: maker.op_type for maker in graph.node for name in maker.output}
    weights = node.input[1]
    return QUANTISE if weights in constants or makers.get(weights) == "DequantizeLinear" else ""
