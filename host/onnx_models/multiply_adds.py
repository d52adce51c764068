"""How many multiply-adds a node of a model takes, wherever it runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import onnx

from wingrid.host.onnx_models.nodes import attributes_of
from wingrid.host.onnx_models.shapes import TensorType

Types = Mapping[str, TensorType]


def multiply_adds(node: onnx.NodeProto, types: Types) -> int | None:
    """Multiply-adds of a convolution, a product or a recurrent node; 0 of all others, which have none worth counting.

    ``None`` where shapes depend on data. What graphs inside a node do is not counted.
    """
    count = _COUNTS.get(node.op_type)
    if count is None:
        return 0
    try:
        return count(node, types)
    except (KeyError, IndexError):
        return None


def _shape(name: str, types: Types) -> tuple[int, ...]:
    return types[name].shape


def _convolution(node: onnx.NodeProto, types: Types) -> int:
    weights = _shape(node.input[_weights_of(node)], types)
    return math.prod(_shape(node.output[0], types)) * math.prod(weights[1:])


def _weights_of(node: onnx.NodeProto) -> int:
    return 3 if node.op_type == "QLinearConv" else 1


def _transposed_convolution(node: onnx.NodeProto, types: Types) -> int:
    """Each element of the input meets all taps of its group's kernels."""
    return math.prod(_shape(node.input[0], types)) * math.prod(_shape(node.input[1], types)[1:])


def _product(node: onnx.NodeProto, types: Types) -> int:
    """Elements of the result, times the length of the axis that is summed over."""
    left = _shape(node.input[0], types)
    summed = left[-2] if attributes_of(node).get("transA", 0) else left[-1]
    return math.prod(_shape(node.output[0], types)) * summed


def _recurrent(gates: int) -> Callable[[onnx.NodeProto, Types], int]:
    """The gates' products with the input and with the state (ONNX operator specification, LSTM, GRU, RNN)."""

    def count(node: onnx.NodeProto, types: Types) -> int:
        steps, batch, features = _shape(node.input[0], types)
        directions, hidden = _shape(node.input[2], types)[0], attributes_of(node)["hidden_size"]
        return steps * batch * directions * gates * hidden * (features + hidden)

    return count


def _einsum(node: onnx.NodeProto, types: Types) -> int:
    """The product of all indices' sizes, for two factors."""
    equation = attributes_of(node)["equation"].decode().replace(" ", "")
    terms = equation.split("->")[0].split(",")
    sizes: dict[str, int] = {}
    for term, name in zip(terms, node.input, strict=True):
        shape: Sequence[int] = _shape(name, types)
        before, dots, after = term.partition("...")
        sizes |= dict(zip(before, shape, strict=False))
        sizes |= dict(zip(reversed(after), reversed(shape), strict=False))
        if dots:
            sizes["..."] = max(sizes.get("...", 1), math.prod(shape[len(before) : len(shape) - len(after)]))
    return math.prod(sizes.values()) if len(terms) > 1 else 0


def _attention(node: onnx.NodeProto, types: Types) -> int:
    """Scores and their products with the values: two products of queries by keys by features."""
    batch, queries, features = _shape(node.input[0], types)[-3:]
    keys = _shape(node.input[1], types)[-2] if len(node.input) > 1 and node.op_type != "Attention" else queries
    return 2 * batch * queries * keys * features


_COUNTS: dict[str, Callable[[onnx.NodeProto, Types], int]] = {
    **dict.fromkeys(("Conv", "FusedConv", "NhwcFusedConv", "ConvInteger", "QLinearConv"), _convolution),
    **dict.fromkeys(("ConvTranspose",), _transposed_convolution),
    **dict.fromkeys(
        ("MatMul", "FusedMatMul", "Gemm", "FusedGemm", "QGemm", "QLinearMatMul", "MatMulInteger"), _product
    ),
    **dict.fromkeys(("MatMulIntegerToFloat", "DynamicQuantizeMatMul", "MatMulNBits"), _product),
    "RNN": _recurrent(1),
    "GRU": _recurrent(3),
    **dict.fromkeys(("LSTM", "DynamicQuantizeLSTM"), _recurrent(4)),
    "Einsum": _einsum,
    "MultiHeadAttention": _attention,
}
"""By operator; those with 8-bit tensors count as those without."""
