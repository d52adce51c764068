"""Which operators can be had: those that the host leaves to ONNX Runtime, and the refusal of all others at once."""

from __future__ import annotations

import onnx

from wingrid.host.onnx_models.refusal import ModelRefused

_STANDARD_NAMES = """
    Abs Add ArgMax ArgMin AveragePool BatchNormalization Cast Ceil Celu Clip Concat Constant Conv ConvTranspose
    ConvInteger CumSum DepthToSpace DequantizeLinear Div Dropout DynamicQuantizeLinear Elu Equal Erf Exp Flatten Floor
    Gather Gelu Gemm GlobalAveragePool GlobalMaxPool Greater GreaterOrEqual GroupNormalization HardSigmoid HardSwish
    Identity InstanceNormalization LRN LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax LpNormalization
    LpPool MatMul MatMulInteger Max MaxPool Mean Min Mish Mul Neg Not PRelu Pad Pow QLinearConv QLinearMatMul
    QuantizeLinear Reciprocal ReduceL2 ReduceMax ReduceMean ReduceMin ReduceSum Relu Reshape Resize Round Selu Shape
    Sigmoid Slice Softmax Softplus Softsign SpaceToDepth Split Sqrt Squeeze Sub Sum Tanh ThresholdedRelu Transpose
    Unsqueeze Upsample Where
"""

STANDARD = frozenset(_STANDARD_NAMES.split())
"""ONNX's own operators that the host may leave to ONNX Runtime.

Their outputs are as large as shape inference says, and depend on nothing but the inputs.
"""

_CONTRIBUTED_NAMES = """
    DequantizeLinear FastGelu FusedConv FusedGemm FusedMatMul Gelu MatMulIntegerToFloat NhwcMaxPool QGemm QLinearAdd
    QLinearAveragePool QLinearConcat QLinearConv QLinearGlobalAveragePool QLinearLeakyRelu QLinearMul QLinearReduceMean
    QLinearSigmoid QLinearSoftmax QLinearWhere QuickGelu QuantizeLinear
"""

CONTRIBUTED = frozenset(_CONTRIBUTED_NAMES.split())
"""Operators of ONNX Runtime's domain ``com.microsoft``: what its quantiser writes and its fusions make."""


def require_operators(model: onnx.ModelProto) -> None:
    """Raise ``ModelRefused`` naming every node that neither the accelerator nor the host can do, with the reason."""
    problems = [f"{node.name} ({node.op_type}): {reason}" for node in model.graph.node if (reason := _objection(node))]
    if problems:
        count = f"{len(problems)} node{'s' if len(problems) > 1 else ''}"
        raise ModelRefused(f"{count} can run neither on the accelerator nor on the host: {'; '.join(problems)}")


def _objection(node: onnx.NodeProto) -> str | None:
    if any(attribute.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS) for attribute in node.attribute):
        return "control flow with graphs of its own is not supported"
    if node.domain in ("", "ai.onnx"):
        return None if node.op_type in STANDARD else "the operator is not supported"
    if node.domain == "com.microsoft":
        return None if node.op_type in CONTRIBUTED else "the operator is not supported"
    return f"operators of the domain {node.domain} are not known"
