"""Layers that only copy: functions of tensors that others take too, and concatenations of concatenations."""

from __future__ import annotations

import dataclasses

import numpy as np
import onnx
import pytest
from image_cases import ImageCase
from imported_graphs import differences, imported, quantised_on
from layer_cases import SQUARE, WIDE
from onnx import TensorProto, helper, numpy_helper

from wingrid.host.execution.setup import Setup
from wingrid.host.images.chained_run import run_chained
from wingrid.host.images.machines import SpecifiedMachine
from wingrid.host.images.running import run_image
from wingrid.host.images.work import model_work
from wingrid.host.networks.layer import Lookup
from wingrid.host.onnx_models.judge import difference
from wingrid.host.onnx_models.scheduling import segments
from wingrid.hw.config import AcceleratorConfig
from wingrid.sim.memory import MemoryTiming

TABLED = dataclasses.replace(SQUARE, tables=2)

Model = tuple[onnx.ModelProto, np.ndarray]


def model_of(nodes: list[onnx.NodeProto], x: np.ndarray, constants: dict[str, np.ndarray]) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "branches",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def dense_block(layers: int = 2, growth: int = 4, transition: bool = False) -> Model:
    """As in DenseNet: each layer takes all results before it, normalised by channel, and adds its own to them.

    A ``transition`` averages 2x2 pixels.
    """
    random = np.random.default_rng([layers, growth])
    x = random.normal(0, 1, (1, 3, 6, 6)).astype(np.float32)
    constants = {"w": random.normal(0, 0.4, (growth, 3, 3, 3))}
    nodes = [helper.make_node("Conv", ["x", "w"], ["all0"], pads=[1] * 4)]
    for number in range(layers):
        before = f"all{number}"
        channels = (number + 1) * growth
        for name, middle in (("scale", 1.0), ("shift", 0.0), ("mean", 0.0), ("variance", 1.0)):
            constants[f"{name}{number}"] = np.abs(random.normal(middle, 0.3, channels))
        constants[f"w{number}"] = random.normal(0, 0.3, (growth, channels, 3, 3))
        names = [f"{name}{number}" for name in ("scale", "shift", "mean", "variance")]
        nodes += [
            helper.make_node("BatchNormalization", [before, *names], [f"n{number}"]),
            helper.make_node("Relu", [f"n{number}"], [f"r{number}"]),
            helper.make_node("Conv", [f"r{number}", f"w{number}"], [f"c{number}"], pads=[1] * 4),
            helper.make_node("Concat", [before, f"c{number}"], [f"all{number + 1}"], axis=1),
        ]
    last = f"all{layers}"
    if transition:
        nodes.append(helper.make_node("AveragePool", [last], ["averages"], kernel_shape=[2, 2], strides=[2, 2]))
        last = "averages"
    constants["last"] = random.normal(0, 0.3, (5, (layers + 1) * growth, 1, 1))
    nodes.append(helper.make_node("Conv", [last, "last"], ["y"]))
    return model_of(nodes, x, constants), x


def branches() -> Model:
    """A tensor that a layer, a function of several nodes and one of a single node take, which a layer puts together."""
    random = np.random.default_rng(3)
    x = random.normal(0, 1, (1, 3, 5, 7)).astype(np.float32)
    constants = {"w": random.normal(0, 0.4, (8, 3, 3, 3)), "v": random.normal(0, 0.3, (8, 8, 1, 1))}
    constants["last"] = random.normal(0, 0.3, (3, 24, 1, 1))
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["t"]),
        helper.make_node("Conv", ["t", "v"], ["a"]),
        helper.make_node("Sigmoid", ["t"], ["s"]),
        helper.make_node("Mul", ["t", "s"], ["silu"]),
        helper.make_node("Tanh", ["t"], ["tanh"]),
        helper.make_node("Concat", ["silu", "a", "tanh"], ["all"], axis=1),
        helper.make_node("Conv", ["all", "last"], ["y"]),
    ]
    return model_of(nodes, x, constants), x


CASES = {"dense": dense_block, "transition": lambda: dense_block(transition=True), "branches": branches}


@pytest.mark.parametrize("name", CASES)
def test_a_network_with_branches_is_one_program(name: str) -> None:
    model, x = CASES[name]()
    graph = imported(quantised_on(model, x), x, config=TABLED)
    assert segments(graph.steps) == 1, [(step.name, step.reason) for step in graph.host_steps]
    kinds = {(step.layer.operator, step.layer.lookup) for step in graph.accelerated}
    assert ("lookup", Lookup.LAYER if name == "branches" else Lookup.CHANNEL) in kinds
    assert differences(graph, x) == []
    inputs = dict.fromkeys(graph.inputs, x)
    case = ImageCase(model_work(name, graph, inputs), inputs, graph)
    image = case.image(TABLED)
    assert len(image.contents.entries) == 1
    assert case.wrong(run_image(image, SpecifiedMachine(image), inputs)) is None


def test_copies_count_no_multiply_adds_of_the_model() -> None:
    model, x = dense_block()
    graph = imported(quantised_on(model, x), x, config=TABLED)
    convolutions = [step for step in graph.accelerated if step.layer.operator == "conv"]
    assert sum(step.macs for step in graph.accelerated) == sum(step.layer.shape.macs for step in convolutions)


def test_vectors_with_several_takers_are_looked_up_as_rows() -> None:
    random = np.random.default_rng(4)
    x = random.normal(0, 1, (2, 3, 6)).astype(np.float32)
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["t"]),
        helper.make_node("MatMul", ["t", "v"], ["a"]),
        helper.make_node("Sigmoid", ["t"], ["s"]),
        helper.make_node("MatMul", ["s", "u"], ["b"]),
        helper.make_node("Add", ["a", "b"], ["y"]),
    ]
    constants = {"w": random.normal(0, 0.4, (6, 8)), **{name: random.normal(0, 0.4, (8, 5)) for name in "uv"}}
    graph = imported(quantised_on(model_of(nodes, x, constants), x), x, config=TABLED)
    assert "lookup" in [step.layer.operator for step in graph.accelerated]
    assert "Sigmoid" not in [step.operator for step in graph.host_steps]
    assert differences(graph, x) == []


@pytest.mark.parametrize(("config", "operators"), [(SQUARE, 0), (TABLED, 2)])
def test_without_tables_they_say_what_would_bring_them_over(config: AcceleratorConfig, operators: int) -> None:
    model, x = branches()
    graph = imported(quantised_on(model, x), x, config=config)
    assert [step.layer.operator for step in graph.accelerated].count("lookup") == operators
    remedies = [step.remedy for step in graph.host_steps if step.operator == "QLinearSigmoid"]
    assert remedies == ([] if config.tables else ["--set tables=8"])
    assert differences(graph, x) == []


@pytest.mark.rtl
@pytest.mark.slow
def test_the_rtl_copies_and_looks_up() -> None:
    model, x = dense_block(growth=3, transition=True)
    graph = imported(quantised_on(model, x), x, config=WIDE)
    assert {"copy", "lookup", "avgpool"} <= {step.layer.operator for step in graph.accelerated}
    inputs = dict.fromkeys(graph.inputs, x)
    run = run_chained(graph, inputs, Setup("rtl", WIDE, MemoryTiming.for_bus(WIDE.bus_bytes), jobs=1))
    assert [text for layer in run.layers for text in layer.failures()] == []
    assert difference(graph, inputs, run.outputs) is None
