"""Transposed convolutions, a layer for each phase of their output: every result is ONNX Runtime's."""

from __future__ import annotations

import dataclasses

import numpy as np
import onnx
import pytest
from image_cases import ImageCase
from imported_graphs import differences, imported, quantised_on, read
from layer_cases import SQUARE
from onnx import TensorProto, helper, numpy_helper

from wingrid.host.execution.setup import Setup
from wingrid.host.images.chained_run import run_chained
from wingrid.host.images.machines import SpecifiedMachine
from wingrid.host.images.running import run_image
from wingrid.host.images.work import model_work
from wingrid.host.networks.layer import Lookup
from wingrid.host.onnx_models.judge import difference
from wingrid.host.onnx_models.model_file import Model
from wingrid.host.onnx_models.rounding import rounding_scale
from wingrid.sim.memory import MemoryTiming

SHAPES = [
    ((3, 3), {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]}),
    ((2, 2), {"strides": [2, 2]}),
    ((4, 4), {"strides": [2, 2], "pads": [1, 1, 1, 1]}),
    ((3, 2), {"strides": [1, 1]}),
    ((2, 5), {"strides": [3, 2], "pads": [0, 1, 1, 3]}),
    ((3, 3), {"strides": [2, 3], "dilations": [2, 2], "pads": [1, 0, 2, 1]}),
    ((4,), {"strides": [2], "pads": [1, 1]}),
    ((3, 3), {"strides": [2, 1], "group": 2}),
]


def around(
    kernel: tuple[int, ...], attributes: dict[str, object], relu: bool = True
) -> tuple[onnx.ModelProto, np.ndarray]:
    """A float model with a layer before the transposed convolution, and one behind it."""
    random = np.random.default_rng([*kernel, len(attributes)])
    axes, groups = len(kernel), attributes.get("group", 1)
    point = (1,) * axes
    weights = {
        "first": random.normal(0, 0.4, (6, 3, *point)),
        "w": random.normal(0, 0.3, (6, 4 // groups, *kernel)),
        "b": random.normal(0, 0.5, 4),
        "last": random.normal(0, 0.4, (2, 4, *point)),
    }
    nodes = [
        helper.make_node("Conv", ["x", "first"], ["c"], name="before"),
        helper.make_node("ConvTranspose", ["c", "w", *(["b"] if groups == 1 else [])], ["t"], name="up", **attributes),
        *([helper.make_node("Relu", ["t"], ["r"], name="relu")] if relu else []),
        helper.make_node("Conv", ["r" if relu else "t", "last"], ["y"], name="behind"),
    ]
    shape = [1, 3, 5, 4][: 2 + axes]
    graph = helper.make_graph(
        nodes,
        "up",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return model, random.normal(0, 1, shape).astype(np.float32)


@pytest.mark.parametrize(("kernel", "attributes"), SHAPES)
def test_each_phase_is_a_convolution(kernel: tuple[int, ...], attributes: dict[str, object]) -> None:
    model, x = around(kernel, attributes, relu=len(attributes) != 2)
    graph = imported(quantised_on(model, x), x, config=SQUARE)
    phases = [step for step in graph.accelerated if step.layer.operator == "transposed"]
    assert len(phases) == np.prod(attributes["strides"])
    assert [step.operator for step in graph.host_steps] == ["QuantizeLinear", "DequantizeLinear"]
    assert sum(step.macs for step in phases) == 24 // attributes.get("group", 1) * np.prod(kernel) * np.prod(
        x.shape[2:]
    )
    assert differences(graph, x) == []


def test_a_function_behind_the_phases_is_part_of_each() -> None:
    model, x = around(*SHAPES[1], relu=False)
    model.graph.node.insert(2, helper.make_node("Sigmoid", ["t"], ["s"], name="sigmoid"))
    model.graph.node[3].input[0] = "s"
    graph = imported(quantised_on(model, x), x, config=dataclasses.replace(SQUARE, tables=2))
    assert [step.layer.operator for step in graph.accelerated] == ["conv", *["transposed"] * 4, "conv"]
    assert [step.layer.lookup for step in graph.accelerated[1:-1]] == [Lookup.LAYER] * 4
    assert differences(graph, x) == []


def with_scale(model: Model, name: str, factor: float) -> Model:
    """The quantised model with another scale."""
    proto = onnx.ModelProto.FromString(model.proto.SerializeToString())
    (tensor,) = [tensor for tensor in proto.graph.initializer if tensor.name == name]
    tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) * np.float32(factor), name))
    return read(proto)


def test_sums_that_depend_on_their_order_are_the_hosts() -> None:
    model, x = around(*SHAPES[0])
    del model.graph.node[1].input[2]
    quantised = with_scale(quantised_on(model, x), "c_scale", 1.1)
    graph = imported(quantised, x, config=SQUARE)
    (reason,) = [step.reason for step in graph.host_steps if step.operator == "ConvTranspose"]
    assert "float32 does not hold all of its sums" in reason
    assert differences(graph, x) == []


def test_all_sums_are_rounded_as_onnx_runtime_does_or_none_is() -> None:
    """Beside the real scales: in ten thousand sums, a scale next to the right one makes another byte of some."""
    node = helper.make_node("QuantizeLinear", ["v", "s", "z"], ["q"])
    like = helper.make_model(
        helper.make_graph([], "none", [], []), opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    )
    refused = 0
    for seed in range(12):
        random = np.random.default_rng(seed)
        scale = np.float32(random.uniform(0.01, 0.1))
        zero_point = np.uint8(random.integers(256))
        unit = 2.0 ** int(random.integers(-20, -10))
        largest = 1 << 23
        found = rounding_scale(node, unit, largest, {"s": scale.reshape(()), "z": np.asarray(zero_point)}, like)
        refused += found is None
        if found is not None:
            sums = random.integers(-largest, largest, 10000)
            expected = np.clip(np.rint((sums * unit).astype(np.float32) / scale) + int(zero_point), 0, 255)
            ours = np.clip(np.rint(sums.astype(np.float32) * found) + int(zero_point), 0, 255)
            assert np.array_equal(expected, ours), seed
    assert 0 < refused < 12


def test_phases_lie_between_each_other_in_memory() -> None:
    model, x = around(*SHAPES[0])
    graph = imported(quantised_on(model, x), x, config=SQUARE)
    inputs = dict.fromkeys(graph.inputs, x)
    case = ImageCase(model_work("up", graph, inputs), inputs, graph)
    image = case.image(SQUARE)
    assert len(image.contents.entries) == 1
    assert case.wrong(run_image(image, SpecifiedMachine(image), inputs)) is None


@pytest.mark.rtl
@pytest.mark.slow
def test_the_rtl_leaves_phases_between_each_other() -> None:
    model, x = around(*SHAPES[4])
    graph = imported(quantised_on(model, x), x, config=SQUARE)
    inputs = dict.fromkeys(graph.inputs, x)
    run = run_chained(graph, inputs, Setup("rtl", SQUARE, MemoryTiming.for_bus(SQUARE.bus_bytes), jobs=1))
    assert [text for layer in run.layers for text in layer.failures()] == []
    assert difference(graph, inputs, run.outputs) is None
