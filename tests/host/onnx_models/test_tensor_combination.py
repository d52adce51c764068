"""Residual additions, products and gates: a layer combines two tensors on its way out, and all are ONNX Runtime's."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence

import numpy as np
import onnx
import pytest
from image_cases import ImageCase
from imported_graphs import WITH_UNITS, differences, imported, quantised_on
from layer_cases import SQUARE, WIDE
from onnx import TensorProto, helper, numpy_helper
from random_graphs import judged_case

from wingrid.host.compiler.compile_layer import plan_exactly
from wingrid.host.execution.setup import Setup
from wingrid.host.images.chained_run import run_chained
from wingrid.host.images.machines import RtlMachine, SpecifiedMachine
from wingrid.host.images.running import run_image
from wingrid.host.images.segmentation import segmented
from wingrid.host.images.work import model_work
from wingrid.host.onnx_models import quantising
from wingrid.host.onnx_models.graph import AcceleratedStep, ImportedGraph
from wingrid.host.onnx_models.judge import difference
from wingrid.host.onnx_models.model_run import run_graph
from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.isa import Buffer, Combining, Load
from wingrid.sim.memory import MemoryTiming

WITHOUT = dataclasses.replace(SQUARE, addends=0)


class Network:
    """Nodes in floating point, to be quantised: every tensor has 8 channels of 9 x 7 pixels, unless it pools."""

    def __init__(self, seed: int = 1, images: int = 1) -> None:
        self._random = np.random.default_rng(seed)
        self._nodes: list[onnx.NodeProto] = []
        self._weights: dict[str, np.ndarray] = {}
        self._shape = (images, 8, 9, 7)
        self.x = self._random.normal(0, 1, self._shape).astype(np.float32)

    def conv(self, source: str, target: str, side: int = 1, relu: bool = False) -> str:
        name = f"{target}_weights"
        self._weights[name] = self._random.normal(0, 0.4 / side, (8, 8, side, side))
        made = f"{target}_before" if relu else target
        self.node("Conv", [source, name], made, pads=[side // 2] * 4)
        return self.node("Relu", [made], target) if relu else made

    def node(self, operator: str, inputs: Sequence[str], target: str, **attributes: object) -> str:
        self._nodes.append(helper.make_node(operator, inputs, [target], name=f"{target}_node", **attributes))
        return target

    def add(self, first: str, second: str, target: str) -> str:
        return self.node("Add", [first, second], target)

    def graph(self, outputs: Sequence[str], config: AcceleratorConfig = SQUARE) -> ImportedGraph:
        """As the importer reads it once it is quantised."""
        graph = helper.make_graph(
            self._nodes,
            "residual",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, self._shape)],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
            [numpy_helper.from_array(value.astype(np.float32), name) for name, value in self._weights.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        return imported(quantised_on(model, self.x), self.x, config=config)

    def squeezed(self, source: str, target: str) -> str:
        """The tensor by a gate for each channel, which follows from the averages of all channels."""
        mean = self.node("GlobalAveragePool", [source], f"{target}_mean")
        gate = self.node("HardSigmoid", [self.conv(mean, f"{target}_inner")], f"{target}_gate", alpha=0.2, beta=0.5)
        return self.node("Mul", [source, gate], target)


def added(graph: ImportedGraph) -> list[bool]:
    """Of each layer, whether it adds."""
    return [bool(layer.combination) for layer in graph.layers]


def host(graph: ImportedGraph) -> list[str]:
    return [step.operator for step in graph.host_steps if step.operator not in ("QuantizeLinear", "DequantizeLinear")]


def block(seed: int = 1, images: int = 1, side: int = 3) -> Network:
    """A layer, a residual block around two, and another one with a layer on its shortcut."""
    network = Network(seed, images)
    network.conv("x", "a", relu=True)
    network.conv("a", "b", side, relu=True)
    network.conv("b", "c", side)
    network.node("Relu", [network.add("a", "c", "sum")], "d")
    network.conv("d", "e", side)
    network.conv("d", "f")
    network.node("Relu", [network.add("f", "e", "total")], "g")
    network.conv("g", "y")
    return network


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("images", "side"), [(1, 3), (2, 1)])
def test_residual_blocks_are_one_program(seed: int, images: int, side: int) -> None:
    network = block(seed, images, side)
    graph = network.graph(["y"])
    assert host(graph) == []
    assert sorted(added(graph)) == [False] * 4 + [True] * 2
    assert differences(graph, network.x) == []
    inputs = dict.fromkeys(graph.inputs, network.x)
    case = ImageCase(model_work("block", graph, inputs), inputs, graph)
    image = case.image()
    assert len(image.contents.entries) == 1
    assert case.wrong(run_image(image, SpecifiedMachine(image), inputs)) is None
    described = [layer["addend"] for layer in image.manifest["layers"]]
    assert [name is not None for name in described] == added(graph)


def test_what_is_added_stays_in_memory_until_it_is() -> None:
    network = block()
    graph = network.graph(["y"])
    work = model_work("block", graph, dict.fromkeys(graph.inputs, network.x))
    steps = [step for step in work.steps if isinstance(step, AcceleratedStep)]
    planned = [plan_exactly(step.layer, lambda step=step: step.operands, SQUARE) for step in steps]
    found = segmented(work, planned)
    for position, (step, tensor) in enumerate(zip(steps, found.added, strict=True)):
        assert (tensor is None) == (step.addend is None)
        if tensor is not None and step.addend is not None:
            assert tensor.value == step.addend.name
            assert tensor.first < position <= tensor.last


@pytest.mark.rtl
@pytest.mark.parametrize("config", [SQUARE, WIDE], ids=["4x4", "2x3"])
def test_they_run_from_images_and_in_one_memory_and_side_by_side(config: AcceleratorConfig) -> None:
    network = block()
    graph = network.graph(["y"], config)
    inputs = dict.fromkeys(graph.inputs, network.x)
    case = ImageCase(model_work("block", graph, inputs), inputs, graph)
    image = case.image(config)
    # Where rows and columns differ, the host lays out anew what a layer takes, but not what it adds.
    assert len(image.contents.entries) == 1 if config is SQUARE else len(image.contents.entries) > 1
    with RtlMachine(image) as machine:
        assert case.wrong(run_image(image, machine, inputs)) is None
    setup = Setup("rtl", config, MemoryTiming.for_bus(config.bus_bytes), jobs=1)
    whole = run_chained(graph, inputs, setup)
    assert [text for layer in whole.layers for text in layer.failures()] == []
    assert difference(graph, inputs, whole.outputs) is None
    apart = run_graph(
        graph, inputs, "block", dataclasses.replace(setup, jobs=2), [step.name for step in graph.accelerated]
    )
    assert list(apart.failures()) == []


def test_whoever_has_others_to_serve_is_added_by_a_layer_of_its_own() -> None:
    network = Network(2)
    network.conv("x", "a", relu=True)
    network.conv("a", "b")
    network.conv("a", "c")
    network.add("b", "c", "sum")
    network.conv("sum", "y")
    graph = network.graph(["y", "b", "c"])
    assert host(graph) == []
    assert [layer.operator for layer in graph.layers].count("add") == 1
    assert differences(graph, network.x) == []


def test_the_quantiser_widens_sums_until_integers_add_them(monkeypatch: pytest.MonkeyPatch) -> None:
    def graph() -> ImportedGraph:
        network = Network(1)
        network.conv("x", "a", relu=True)
        network.add(network.conv("a", "b"), network.conv("a", "c"), "sum")
        network.conv("sum", "y")
        return network.graph(["y", "b", "c"])

    assert host(graph()) == []
    monkeypatch.setattr(quantising, "ATTEMPTS", 0)
    (left,) = (step for step in graph().host_steps if step.operator == "QLinearAdd")
    assert left.reason == "no integers add all pairs of bytes as ONNX Runtime does"


def test_chains_of_additions_and_one_of_a_layers_own_input() -> None:
    network = Network(2)
    network.conv("x", "a")
    network.conv("a", "b")
    network.conv("a", "c")
    network.add(network.add("b", "a", "first"), "c", "second")
    network.add("second", "first", "third")
    network.conv("third", "y")
    graph = network.graph(["y"])
    assert host(graph) == []
    assert sum(added(graph)) == 3
    assert differences(graph, network.x) == []


@pytest.mark.parametrize(
    ("side", "stride", "operators"), [(2, 2, ["conv"] * 3), (3, 2, ["conv"] * 2 + ["maxpool", "conv"])]
)
def test_pooling_behind_an_addition(side: int, stride: int, operators: list[str]) -> None:
    network = Network()
    network.conv("x", "a")
    network.conv("a", "b", 3)
    network.node("MaxPool", [network.add("b", "a", "sum")], "p", kernel_shape=[side] * 2, strides=[stride] * 2)
    network.conv("p", "y")
    graph = network.graph(["y"])
    assert host(graph) == []
    assert [layer.operator for layer in graph.layers] == operators
    assert differences(graph, network.x) == []


def test_what_the_host_makes_may_be_added_and_what_only_it_has_is_its_own() -> None:
    network = Network()
    network.conv("x", "a")
    network.node("Transpose", ["a"], "t", perm=[0, 1, 2, 3])
    network.add("a", "t", "sum")
    network.conv("x", "b")
    network.add("b", "x", "with_input")
    network.add(network.node("Neg", ["x"], "n"), "x", "on_host")
    graph = network.graph(["sum", "with_input", "on_host"])
    assert sum(added(graph)) >= 1
    assert differences(graph, network.x) == []


def test_without_addends_the_host_adds_and_says_what_would_help() -> None:
    network = block()
    graph = network.graph(["y"], WITHOUT)
    found = {(step.operator, step.reason, step.remedy) for step in graph.host_steps if step.operator == "QLinearAdd"}
    assert found == {("QLinearAdd", "this accelerator combines results with no other tensors", "--set addends=1024")}
    assert differences(graph, network.x) == []


def test_functions_behind_an_addition_are_a_layer_of_their_own() -> None:
    network = Network()
    network.conv("x", "a")
    network.conv("a", "b")
    network.node("Sigmoid", [network.add("b", "a", "sum")], "s")
    network.conv("s", "y")
    graph = network.graph(["y"], dataclasses.replace(SQUARE, tables=2))
    assert host(graph) == []
    assert [(bool(layer.combination), bool(layer.lookup)) for layer in graph.layers] == [
        (False, False),
        (True, False),
        (False, True),
        (False, False),
    ]
    assert differences(graph, network.x) == []


def test_sums_lie_where_a_concatenation_has_them() -> None:
    network = Network()
    network.conv("x", "a")
    network.conv("a", "b")
    network.conv("a", "c")
    network.node("Concat", [network.add("b", "a", "sum"), "c"], "both", axis=1)
    network.node("Relu", ["both"], "y")
    graph = network.graph(["y"], dataclasses.replace(SQUARE, tables=2))
    assert sum(added(graph)) == 1
    assert differences(graph, network.x) == []


@pytest.mark.slow
def test_random_networks_of_sums_products_gates_and_functions_give_onnxruntimes_bits() -> None:
    found: Counter[tuple[Combining, bool]] = Counter()
    for seed in range(6):
        random = np.random.default_rng(seed)
        network = Network(seed, images=1 + seed % 2)
        made = [network.conv("x", "t0", 3, relu=True)]
        for number in range(1, 8):
            name = f"t{number}"
            first, second = made[-1], made[int(random.integers(max(0, len(made) - 4), len(made)))]
            kind = random.integers(5)
            if kind == 0 or (kind < 3 and first == second):
                network.conv(first, name, int(random.choice([1, 3])))
            elif kind < 3:
                network.node(("Add", "Mul")[kind - 1], [first, second], name)
            elif kind == 3:
                network.squeezed(first, name)
            else:
                network.node("Sigmoid", [first], name)
            made.append(name)
        network.conv(made[-1], "y")
        graph = network.graph(["y"], WIDE if seed % 2 else dataclasses.replace(SQUARE, tables=2))
        assert differences(graph, network.x) == [], f"seed {seed}"
        assert host(graph) == [], f"seed {seed}"
        found.update((c.kind, c.broadcast) for layer in graph.layers if (c := layer.combination))
    assert len(found) == 3


@pytest.mark.slow
def test_random_graphs_with_residual_blocks_give_onnxruntimes_bits() -> None:
    """Quantised in all forms that ONNX Runtime's quantiser has."""
    adding = 0
    for seed in range(16):
        model, x, name = judged_case(seed)
        graph = imported(model, x[:1], int8_kernels="s8s8" in name, config=WITH_UNITS)
        assert differences(graph, x[:1]) == [], f"seed {seed}, {name}"
        assert not [step for step in graph.host_steps if step.operator == "QLinearAdd"], f"seed {seed}, {name}"
        adding += any(added(graph))
    assert adding > 3


def test_tables_before_an_addition() -> None:
    network = Network()
    network.conv("x", "a")
    network.conv("a", "b")
    network.add(network.node("Sigmoid", ["b"], "s"), "a", "sum")
    network.conv("sum", "y")
    graph = network.graph(["y"], dataclasses.replace(SQUARE, tables=2))
    assert host(graph) == []
    assert [(bool(layer.lookup), bool(layer.combination)) for layer in graph.layers].count((True, True)) == 1
    assert differences(graph, network.x) == []


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("images", [1, 2])
def test_gates_by_channel_multiply_on_the_array_and_cost_a_beat_for_a_block(images: int, turned: bool) -> None:
    network = Network(3, images)
    network.conv("x", "a", 3, relu=True)
    network.squeezed("a", "b")
    if turned:
        product = network._nodes[-1]
        product.input[0], product.input[1] = product.input[1], product.input[0]
    network.conv("b", "y")
    config = dataclasses.replace(SQUARE, tables=2)
    graph = network.graph(["y"], config)
    assert host(graph) == []
    (gated,) = (step for step in graph.accelerated if step.layer.combination)
    assert gated.layer.operator == "multiply"
    assert gated.layer.addend_shape == (images, 8, 1, 1)
    assert differences(graph, network.x) == []
    inputs = dict.fromkeys(graph.inputs, network.x)
    case = ImageCase(model_work("gated", graph, inputs), inputs, graph)
    image = case.image(config)
    assert len(image.contents.entries) == 1
    assert case.wrong(run_image(image, SpecifiedMachine(image), inputs)) is None
    planned = plan_exactly(gated.layer, lambda: gated.operands, config)
    loads = [i for i in planned.compiled().instructions if isinstance(i, Load) and i.buffer == Buffer.ADDENDS.value]
    assert sum(load.runs * load.run_beats for load in loads) == images * 2


def test_two_layers_are_multiplied_on_the_way_out_of_one() -> None:
    network = Network(4)
    network.conv("x", "a", relu=True)
    network.conv("a", "b")
    network.conv("a", "c", 3)
    network.node("Mul", ["b", "c"], "product")
    network.add("product", "a", "sum")
    network.conv("sum", "y")
    graph = network.graph(["y"])
    assert host(graph) == []
    kinds = [layer.combination.kind for layer in graph.layers if layer.combination]
    assert kinds == [Combining.PRODUCT, Combining.SUM]
    assert [layer.operator for layer in graph.layers].count("multiply") == 0
    assert differences(graph, network.x) == []


def test_what_is_broadcast_otherwise_stays_with_the_host() -> None:
    network = Network(5)
    network.conv("x", "a")
    network.node("ReduceMean", ["a"], "row", axes=[2], keepdims=1)
    network.node("Mul", ["a", "row"], "b")
    network.node("GlobalAveragePool", ["a"], "mean")
    network.add("b", "mean", "c")
    graph = network.graph(["c"])
    reasons = {step.operator: step.reason for step in graph.host_steps if step.operator.startswith("QLinear")}
    assert reasons["QLinearMul"] == (
        "a multiplication of [1, 8, 9, 7] and [1, 8, 1, 7] is not the accelerator's: both have to be of the result's "
        "shape and type or one of them has a number for each channel"
    )
    assert reasons["QLinearAdd"] == (
        "an addition of [1, 8, 9, 7] and [1, 8, 1, 1] is not the accelerator's: both have to be of the result's "
        "shape and type"
    )
    assert differences(graph, network.x) == []


@pytest.mark.rtl
def test_a_gate_runs_in_one_memory_with_the_layers_around_it() -> None:
    network = Network(6)
    network.conv("x", "a", 3, relu=True)
    network.squeezed("a", "b")
    network.conv("b", "c")
    network.node("Mul", ["b", "c"], "y")
    graph = network.graph(["y"])
    inputs = dict.fromkeys(graph.inputs, network.x)
    setup = Setup("rtl", SQUARE, MemoryTiming.for_bus(SQUARE.bus_bytes), jobs=1)
    whole = run_chained(graph, inputs, setup)
    assert [text for layer in whole.layers for text in layer.failures()] == []
    assert difference(graph, inputs, whole.outputs) is None
