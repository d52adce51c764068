"""Operators that compute each element of what they leave from the same element of what they take, and constants."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy.typing as npt
import onnx

from wingrid.host.onnx_models.affine_maps import ChannelAxis
from wingrid.host.onnx_models.nodes import attributes_of

_BROADCAST = """
    Abs Acos Acosh Add And Asin Asinh Atan Atanh BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Cast Ceil Celu
    Cos Cosh Div Elu Equal Erf Exp Floor Gelu Greater GreaterOrEqual HardSigmoid HardSwish Identity IsInf IsNaN
    LeakyRelu Less LessOrEqual Log Max Mean Min Mish Mod Mul Neg Not Or PRelu Pow Reciprocal Relu Round Selu Shrink
    Sigmoid Sign Sin Sinh Softplus Softsign Sqrt Sub Sum Swish Tan Tanh ThresholdedRelu Where Xor
"""
"""Of the ONNX standard: all that they take broadcasts, as numpy does it (ONNX operator specification)."""

DIVIDING = ("Div", "Mod")
"""Of these, the operators that stop the process where an integer is divided by zero."""

_BROADCAST_BY_ONNXRUNTIME = ("BiasGelu", "FastGelu", "Gelu", "QuickGelu")
"""The same of ONNX Runtime's own operators (its documentation of contributed operators)."""

_STANDARD, _OWN = "", "com.microsoft"

_TENSORS: dict[tuple[str, str], Sequence[int]] = {
    (_STANDARD, "BatchNormalization"): (0,),
    (_STANDARD, "Clip"): (0,),
    (_STANDARD, "DequantizeLinear"): (0,),
    (_STANDARD, "QuantizeLinear"): (0,),
    (_OWN, "DequantizeLinear"): (0,),
    (_OWN, "QuantizeLinear"): (0,),
    (_OWN, "QLinearAdd"): (0, 3),
    (_OWN, "QLinearLeakyRelu"): (0,),
    (_OWN, "QLinearMul"): (0, 3),
    (_OWN, "QLinearSigmoid"): (0,),
    (_OWN, "QLinearWhere"): (0, 1, 4),
    **dict.fromkeys([(_STANDARD, operator) for operator in _BROADCAST.split()], range(1 << 16)),
    **dict.fromkeys([(_OWN, operator) for operator in _BROADCAST_BY_ONNXRUNTIME], range(1 << 16)),
}
"""Which of an operator's inputs are tensors that broadcast; the others are numbers, or one for each channel."""


def is_known(node: onnx.NodeProto) -> bool:
    """Whether the node's operator is one of them."""
    return _key(node) in _TENSORS


def _key(node: onnx.NodeProto) -> tuple[str, str]:
    return _STANDARD if node.domain == "ai.onnx" else node.domain, node.op_type


def is_elementwise(
    node: onnx.NodeProto, made: Collection[str], constants: Mapping[str, npt.NDArray], channels: ChannelAxis
) -> bool:
    """Whether the node computes each element of its only output from the same elements of tensors that are ``made``.

    They all have these channels; the constants are one number, or one for each channel.
    """
    tensors = _TENSORS.get(_key(node))
    if tensors is None or len([name for name in node.output if name]) != 1:
        return False
    for position, name in enumerate(node.input):
        if not name or (name in made and position in tensors):
            continue
        if name not in constants:
            return False
        shape = constants[name].shape
        if not (channels.holds(shape) if position in tensors else _is_parameter(node, shape, channels)):
            return False
    return True


def _is_parameter(node: onnx.NodeProto, shape: Sequence[int], channels: ChannelAxis) -> bool:
    """Whether an input of that shape is one number, or one for each channel along the node's axis."""
    if len(shape) <= 1 and all(size == 1 for size in shape):
        return True
    attributes = attributes_of(node)
    along_channels = attributes.get("axis", 1) % channels.rank == channels.axis
    return tuple(shape) == (channels.count,) and along_channels and not attributes.get("block_size")


def is_per_channel(node: onnx.NodeProto, constants: Mapping[str, npt.NDArray]) -> bool:
    """Whether an elementwise node has a constant with one number for each channel."""
    return any(constants[name].size != 1 for name in node.input if name in constants)


def quantisation_of_output(node: onnx.NodeProto) -> tuple[str, str] | None:
    """Names of scale and zero point of what the node leaves (none is empty); ``None`` if it does not say."""
    position = {
        "QuantizeLinear": 1,
        "QLinearAdd": 6,
        "QLinearConcat": 0,
        "QLinearLeakyRelu": 3,
        "QLinearMul": 6,
        "QLinearSigmoid": 3,
        "QLinearWhere": 7,
    }.get(node.op_type)
    if position is None:
        return None
    scale, zero_point = [*node.input, "", ""][position : position + 2]
    return scale, zero_point
