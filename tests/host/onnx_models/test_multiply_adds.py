"""Multiply-adds of nodes, against what is counted by hand."""

import numpy as np
import pytest
from onnx import helper

from wingrid.host.onnx_models.multiply_adds import multiply_adds
from wingrid.host.onnx_models.shapes import TensorType


@pytest.mark.parametrize(
    ("operator", "shapes", "attributes", "expected"),
    [
        ("Conv", [(2, 6, 9, 9), (8, 3, 3, 3), (2, 8, 7, 7)], {"group": 2}, 2 * 8 * 7 * 7 * 27),
        ("QLinearConv", [(1, 3, 9, 9), (), (), (8, 3, 3, 3), (1, 8, 7, 7)], {}, 8 * 49 * 27),
        ("ConvInteger", [(1, 3, 9), (8, 3, 3), (1, 8, 7)], {}, 8 * 7 * 9),
        ("ConvTranspose", [(1, 6, 5, 5), (6, 4, 2, 2), (1, 8, 10, 10)], {"group": 2}, 6 * 25 * 16),
        ("MatMul", [(2, 3, 4), (2, 4, 5), (2, 3, 5)], {}, 2 * 3 * 5 * 4),
        ("Gemm", [(4, 3), (4, 5), (3, 5)], {"transA": 1}, 3 * 5 * 4),
        ("LSTM", [(7, 2, 5), (2, 16, 5), (2, 16, 4), (7, 2, 2, 4)], {"hidden_size": 4}, 7 * 2 * 2 * 16 * 9),
        ("GRU", [(7, 2, 5), (1, 12, 5), (1, 12, 4), (7, 1, 2, 4)], {"hidden_size": 4}, 7 * 2 * 12 * 9),
        # ONNX Runtime stores these weights the other way round.
        (
            "DynamicQuantizeLSTM",
            [(7, 1, 5), (2, 5, 16), (2, 4, 16), (7, 2, 1, 4)],
            {"hidden_size": 4},
            7 * 2 * 16 * 9,
        ),
        ("Einsum", [(2, 3, 4), (4, 5), (2, 3, 5)], {"equation": "b i k, kj -> bij"}, 2 * 3 * 4 * 5),
        ("Einsum", [(2, 7, 3, 4), (2, 7, 4, 5), (2, 7, 3, 5)], {"equation": "...ik,...kj->...ij"}, 14 * 3 * 4 * 5),
        ("Einsum", [(3, 4), (4, 3)], {"equation": "ij->ji"}, 0),
        ("Relu", [(1, 8, 7, 7), (1, 8, 7, 7)], {}, 0),
    ],
)
def test_counts(operator: str, shapes: list[tuple[int, ...]], attributes: dict[str, object], expected: int) -> None:
    names = [f"t{index}" for index in range(len(shapes))]
    node = helper.make_node(operator, names[:-1], names[-1:], **attributes)
    types = {name: TensorType(np.dtype(np.float32), shape) for name, shape in zip(names, shapes, strict=True)}
    assert multiply_adds(node, types) == expected


def test_what_depends_on_data_is_not_known() -> None:
    assert multiply_adds(helper.make_node("MatMul", ["a", "b"], ["y"]), {}) is None
