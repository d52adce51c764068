"""Max pooling of any window and stride, as layers: every result is ONNX Runtime's."""

from __future__ import annotations

import numpy as np
import pytest
from image_cases import ImageCase
from imported_graphs import differences, imported, quantised_on
from layer_cases import SQUARE
from onnx import TensorProto, helper, numpy_helper

from wingrid.host.images.machines import SpecifiedMachine
from wingrid.host.images.running import run_image
from wingrid.host.images.work import model_work


@pytest.mark.parametrize(
    ("kernel", "strides", "pads", "layers"),
    [
        ([2, 2], [2, 1], [0, 1, 0, 1], ["copy", "maxpool"]),  # as in CRNN
        ([2, 1], [2, 1], [0, 0, 0, 0], ["copy", "copy", "maxpool"]),
        ([1, 3], [1, 2], [0, 1, 0, 1], ["copy", "copy", "copy", "copy", "maxpool"]),
        ([3, 2], [2, 2], [1, 0, 1, 1], ["copy"] * 6 + ["maxpool"] * 2),
    ],
)
def test_windows_are_made_square_and_strides_equal(
    kernel: list[int], strides: list[int], pads: list[int], layers: list[str]
) -> None:
    random = np.random.default_rng([*kernel, *strides])
    x = random.normal(0, 1, (1, 3, 6, 7)).astype(np.float32)
    constants = {"first": random.normal(0, 0.4, (5, 3, 1, 1)), "last": random.normal(0, 0.4, (2, 5, 1, 1))}
    nodes = [
        helper.make_node("Conv", ["x", "first"], ["c"], name="before"),
        helper.make_node("MaxPool", ["c"], ["p"], name="pool", kernel_shape=kernel, strides=strides, pads=pads),
        helper.make_node("Conv", ["p", "last"], ["y"], name="behind"),
    ]
    graph = helper.make_graph(
        nodes,
        "pooled",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    found = imported(quantised_on(model, x), x, config=SQUARE)
    assert [step.operator for step in found.host_steps] == ["QuantizeLinear", "DequantizeLinear"]
    assert sorted(step.layer.operator for step in found.accelerated) == sorted(["conv", "conv", *layers])
    assert differences(found, x) == []
    inputs = dict.fromkeys(found.inputs, x)
    case = ImageCase(model_work("pooled", found, inputs), inputs, found)
    image = case.image(SQUARE)
    assert len(image.contents.entries) == 1
    assert case.wrong(run_image(image, SpecifiedMachine(image), inputs)) is None
