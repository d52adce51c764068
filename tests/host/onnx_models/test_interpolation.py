"""Images enlarged by interpolation: layers for phases and borders, and every result is ONNX Runtime's."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from image_cases import ImageCase
from imported_graphs import differences, imported, quantised_on
from layer_cases import SQUARE
from onnx import TensorProto, helper, numpy_helper

from wingrid.host.images.machines import SpecifiedMachine
from wingrid.host.images.running import run_image
from wingrid.host.images.work import model_work


def enlarged(mode: str, factors: tuple[int, int], size: tuple[int, int] = (4, 5)) -> tuple[onnx.ModelProto, np.ndarray]:
    """A float model with an interpolation between two layers."""
    random = np.random.default_rng([*factors, len(mode)])
    constants = {
        "first": random.normal(0, 0.4, (5, 3, 1, 1)),
        "factors": np.array([1, 1, *factors]),
        "last": random.normal(0, 0.4, (2, 5, 1, 1)),
    }
    nodes = [
        helper.make_node("Conv", ["x", "first"], ["c"], name="before"),
        helper.make_node(
            "Resize", ["c", "", "factors"], ["r"], name="larger", mode="linear", coordinate_transformation_mode=mode
        ),
        helper.make_node("Conv", ["r", "last"], ["y"], name="behind"),
    ]
    graph = helper.make_graph(
        nodes,
        "larger",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, *size])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return model, random.normal(0, 1, (1, 3, *size)).astype(np.float32)


@pytest.mark.parametrize(
    ("mode", "factors", "layers"),
    [("half_pixel", (2, 2), 16), ("asymmetric", (2, 1), 3), ("pytorch_half_pixel", (1, 4), 8)],
)
def test_phases_and_borders_are_sums_of_pixels(mode: str, factors: tuple[int, int], layers: int) -> None:
    model, x = enlarged(mode, factors)
    graph = imported(quantised_on(model, x), x, config=SQUARE)
    assert [step.layer.operator for step in graph.accelerated].count("resize") == layers
    assert [step.operator for step in graph.host_steps] == ["QuantizeLinear", "DequantizeLinear"]
    assert differences(graph, x) == []
    inputs = dict.fromkeys(graph.inputs, x)
    case = ImageCase(model_work("larger", graph, inputs), inputs, graph)
    image = case.image(SQUARE)
    assert len(image.contents.entries) == 1
    assert case.wrong(run_image(image, SpecifiedMachine(image), inputs)) is None


def test_a_single_pixel_is_spread_by_kernels_of_ones() -> None:
    """As behind the mean over an image, put beside its pixels."""
    model, x = enlarged("half_pixel", (5, 7), (1, 1))
    graph = imported(quantised_on(model, x), x, config=SQUARE)
    assert [step.layer.operator for step in graph.accelerated] == ["conv", "copy", "copy", "conv"]
    assert differences(graph, x) == []


@pytest.mark.parametrize(
    ("mode", "factors", "why"),
    [
        ("align_corners", (2, 2), "interpolation is not exact"),
        ("half_pixel", (3, 1), "interpolation is not exact"),
        ("half_pixel", (8, 1), "from 4 to 32 pixels"),
    ],
)
def test_others_are_the_hosts_and_say_why(mode: str, factors: tuple[int, int], why: str) -> None:
    model, x = enlarged(mode, factors)
    graph = imported(quantised_on(model, x), x, config=SQUARE)
    (reason,) = [step.reason for step in graph.host_steps if step.operator == "Resize"]
    assert why in reason
    assert differences(graph, x) == []
