"""Concatenations of channels: layers leave their results in place, and every tensor is ONNX Runtime's."""

from __future__ import annotations

import dataclasses

import numpy as np
import onnx
import pytest
from image_cases import ImageCase
from imported_graphs import differences, imported, quantised_on
from layer_cases import SQUARE
from onnx import TensorProto, helper, numpy_helper

from wingrid.host.execution.setup import Setup
from wingrid.host.images.chained_run import run_chained
from wingrid.host.images.machines import SpecifiedMachine
from wingrid.host.images.running import run_image
from wingrid.host.images.work import model_work
from wingrid.host.networks.layer import Lookup
from wingrid.host.onnx_models.graph import ImportedGraph
from wingrid.host.onnx_models.judge import difference
from wingrid.host.onnx_models.model_file import Model
from wingrid.hw.config import AcceleratorConfig
from wingrid.sim.memory import MemoryTiming

TABLED = dataclasses.replace(SQUARE, tables=2)


def fire(
    channels: tuple[int, ...], gains: tuple[float, ...], *, shared: bool = False
) -> tuple[onnx.ModelProto, np.ndarray]:
    """A layer, layers side by side behind it whose results are put behind each other, and one that takes them all.

    ``gains`` make their scales differ; with ``shared`` the first one's result is an output of the model, too.
    """
    random = np.random.default_rng([*channels, len(gains)])
    weights = {"squeeze": random.normal(0, 0.3, (6, 3, 1, 1)), "last": random.normal(0, 0.2, (5, sum(channels), 1, 1))}
    nodes = [helper.make_node("Conv", ["x", "squeeze"], ["s"], name="squeeze_conv")]
    for number, (kernels, gain) in enumerate(zip(channels, gains, strict=True)):
        side = 1 + 2 * (number % 2)
        weights[f"w{number}"] = random.normal(0, 0.3 * gain, (kernels, 6, side, side))
        pads = [side // 2] * 4
        nodes.append(helper.make_node("Conv", ["s", f"w{number}"], [f"c{number}"], name=f"conv{number}", pads=pads))
        nodes.append(helper.make_node("Relu", [f"c{number}"], [f"r{number}"], name=f"relu{number}"))
    parts = [f"r{number}" for number in range(len(channels))]
    nodes.append(helper.make_node("Concat", parts, ["all"], name="concat", axis=1))
    nodes.append(helper.make_node("Conv", ["all", "last"], ["y"], name="last_conv"))
    outputs = ["y", *(["r0"] if shared else [])]
    graph = helper.make_graph(
        nodes,
        "fire",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 9, 7])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return model, random.normal(0, 1, (1, 3, 9, 7)).astype(np.float32)


def graph_of(model: onnx.ModelProto, x: np.ndarray, config: AcceleratorConfig) -> ImportedGraph:
    return imported(quantised_on(model, x), x, config=config)


@pytest.mark.parametrize(
    ("channels", "shared", "copies"),
    [((4, 8), False, 0), ((8, 4, 3), False, 0), ((12, 5), True, 1), ((3, 8), False, 0), ((5, 1, 6), True, 1)],
)
def test_results_lie_behind_each_other_in_one_program(channels: tuple[int, ...], shared: bool, copies: int) -> None:
    """What others take too is copied; channels that do not fill blocks are taken with the holes between them."""
    model, x = fire(channels, (1.0,) * len(channels), shared=shared)
    graph = graph_of(model, x, TABLED)
    assert [step.layer.operator for step in graph.accelerated].count("copy") == copies
    assert not [step for step in graph.host_steps if "Concat" in step.operator]
    assert differences(graph, x) == []
    inputs = dict.fromkeys(graph.inputs, x)
    case = ImageCase(model_work("fire", graph, inputs), inputs, graph)
    image = case.image(TABLED)
    assert len(image.contents.entries) == 1
    assert case.wrong(run_image(image, SpecifiedMachine(image), inputs)) is None


def test_holes_are_closed_for_others_than_dense_layers() -> None:
    model, x = fire((3, 8), (1.0, 1.0))
    model.graph.output.append(helper.make_tensor_value_info("all", TensorProto.FLOAT, None))
    graph = graph_of(model, x, TABLED)
    assert [step.layer.operator for step in graph.accelerated] == ["conv"] * 3 + ["copy", "conv"]
    assert graph.accelerated[-1].layer.shape.channels == 11
    assert differences(graph, x) == []


def test_multiply_adds_with_zeros_for_holes_do_not_count() -> None:
    model, x = fire((3, 8), (1.0, 1.0))
    graph = graph_of(model, x, TABLED)
    assert graph.accelerated[-1].layer.shape.channels == 12
    assert graph.accelerated[-1].macs == 9 * 7 * 11 * 5


def test_scales_that_differ_become_tables() -> None:
    model, x = fire((4, 4), (1.0, 0.1))
    graph = graph_of(model, x, TABLED)
    assert not [step for step in graph.host_steps if "Concat" in step.operator]
    assert Lookup.LAYER in {step.layer.lookup for step in graph.accelerated}
    assert differences(graph, x) == []
    without = graph_of(model, x, SQUARE)
    (left,) = [step.reason for step in without.host_steps if "Concat" in step.operator]
    assert "several scales need tables: --set tables=8" in left
    assert differences(without, x) == []


def of_one_scale(model: Model) -> onnx.ModelProto:
    """The quantised model with the scale and zero point of the whole for each of its parts."""
    proto = onnx.ModelProto.FromString(model.proto.SerializeToString())
    tensors = {tensor.name: tensor for tensor in proto.graph.initializer}
    for ending in ("_scale", "_zero_point"):
        whole = numpy_helper.to_array(tensors["all" + ending])
        for name, tensor in tensors.items():
            if name.startswith("r") and name.endswith(ending):
                tensor.CopyFrom(numpy_helper.from_array(whole, name))
    return proto


@pytest.mark.rtl
@pytest.mark.slow
def test_the_rtl_leaves_parts_in_their_places() -> None:
    model, x = fire((8, 4, 3), (1.0, 1.0, 1.0))
    graph = imported(of_one_scale(quantised_on(model, x)), x, config=SQUARE)
    assert not [step for step in graph.host_steps if "Concat" in step.operator]
    inputs = dict.fromkeys(graph.inputs, x)
    run = run_chained(graph, inputs, Setup("rtl", SQUARE, MemoryTiming.for_bus(SQUARE.bus_bytes), jobs=1))
    assert [text for layer in run.layers for text in layer.failures()] == []
    assert difference(graph, inputs, run.outputs) is None


def test_others_are_the_hosts_and_say_why() -> None:
    model, x = fire((4, 4), (1.0, 1.0))
    (concat,) = [node for node in model.graph.node if node.op_type == "Concat"]
    concat.attribute[0].i = 2
    last = next(tensor for tensor in model.graph.initializer if tensor.name == "last")
    last.CopyFrom(numpy_helper.from_array(np.ones((5, 4, 1, 1), np.float32), "last"))
    graph = graph_of(model, x, TABLED)
    (left,) = [step.reason for step in graph.host_steps if "Concat" in step.operator]
    assert "only channels of a single image" in left
    assert differences(graph, x) == []
