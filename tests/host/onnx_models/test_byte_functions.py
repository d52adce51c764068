"""Functions of one byte become tables of the layer before them, and give ONNX Runtime's bits."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from byte_activations import (
    UNARY,
    ByteWriter,
    batch_normalisation,
    behind_a_layer,
    chain,
    hard_swish,
    one,
    quantised_by_channel,
    silu,
    swish,
    where,
    with_constant,
    with_quantised_slope,
)
from imported_graphs import CONFIG, WITH_UNITS, differences, imported
from random_graphs import judged_case

from wingrid.host.execution.setup import Setup
from wingrid.host.networks.layer import Lookup, Pool
from wingrid.host.onnx_models import exhaustion
from wingrid.host.onnx_models.graph import AcceleratedStep, ImportedGraph
from wingrid.host.onnx_models.model_run import run_model
from wingrid.host.onnx_models.sizes import ONLY
from wingrid.hw.config import AcceleratorConfig
from wingrid.sim.memory import MemoryTiming

Function = Callable[[ByteWriter], object]

LAYERS = [
    ("Conv", (np.uint8,)),
    ("Conv", (np.int8, np.uint8)),
    ("Gemm", (np.int8,)),
    ("MatMul", (np.uint8, np.int8)),
]
"""Layers, and the types of the bytes that each quantiser leaves in turn."""

WITHOUT_TABLES = (2, 11)
"""Seeds of random graphs whose functions all stand behind the host's work, or between it and the output."""


def case(
    seed: int,
    function: Function,
    operator: str = "Conv",
    dtypes: tuple[type[np.integer], ...] = (np.uint8,),
    config: AcceleratorConfig = WITH_UNITS,
) -> ImportedGraph:
    """The layer with the function behind it as it is imported, after it was found to give ONNX Runtime's bits."""
    model, x = behind_a_layer(seed, function, operator, dtypes)
    graph = imported(model, x, int8_kernels=True, config=config)
    assert differences(graph, x) == [], (seed, operator, dtypes)
    return graph


def only_layer(graph: ImportedGraph) -> AcceleratedStep:
    """The layer, if nothing is left to the host but floats at the end."""
    assert [step.operator for step in graph.host_steps] == ["DequantizeLinear"]
    (step,) = graph.accelerated
    return step


def left_to_the_host(graph: ImportedGraph) -> dict[str, tuple[str, str]]:
    """Reason and remedy of what the host does between bytes and bytes, by operator."""
    assert [layer.lookup for layer in graph.layers] == [None]
    return {step.operator: (step.reason, step.remedy) for step in graph.host_steps}


@pytest.mark.parametrize("name", sorted(UNARY))
def test_an_operator_behind_a_layer_is_its_table(name: str) -> None:
    for seed, (operator, dtypes) in enumerate(LAYERS):
        step = only_layer(case(100 * sorted(UNARY).index(name) + seed, UNARY[name], operator, dtypes))
        assert step.layer.lookup is Lookup.LAYER or name in ("Relu", "Clip")


@pytest.mark.parametrize("channels", [False, True])
@pytest.mark.parametrize("operator", ["Add", "Div", "Max", "Mean", "Min", "Mul", "PRelu", "Sub", "Sum"])
def test_constants_may_be_one_number_or_one_for_each_channel(operator: str, channels: bool) -> None:
    for seed, (layer, dtypes) in enumerate(LAYERS):
        for first in (False,) if operator == "PRelu" else (False, True):
            function = with_constant(operator, 0.3, 1.5, first=first, channels=channels)
            found = only_layer(case(2 * seed + first, function, layer, dtypes)).layer.lookup
            clamps = operator in ("Max", "Min")
            assert found is (Lookup.CHANNEL if channels else Lookup.LAYER) or (clamps and found is not Lookup.CHANNEL)


@pytest.mark.parametrize("operator", ["Pow", "Mod"])
def test_powers_and_remainders_are_tables_too(operator: str) -> None:
    attributes = {"fmod": 1} if operator == "Mod" else {}
    assert only_layer(case(5, one(operator, 2, **attributes))).layer.lookup is Lookup.LAYER


@pytest.mark.parametrize("operator", ["Log", "Sqrt", "Acos", "Reciprocal"])
def test_what_is_not_finite_for_some_bytes_gives_the_same_bits_wherever_it_runs(operator: str) -> None:
    case(7, one(operator))


@pytest.mark.parametrize("function", [silu, hard_swish, chain, where], ids=lambda function: function.__name__)
@pytest.mark.parametrize(("operator", "dtypes"), LAYERS)
def test_several_operators_are_one_table(
    function: Function, operator: str, dtypes: tuple[type[np.integer], ...]
) -> None:
    step = only_layer(case(21, function, operator, dtypes))
    assert step.layer.lookup is (Lookup.CHANNEL if function is chain else Lookup.LAYER)
    assert step.operands.table is not None
    assert step.operands.table.shape == ((6, 256) if function is chain else (256,))


@pytest.mark.parametrize(
    ("function", "lookup"),
    [
        (swish, Lookup.LAYER),
        (batch_normalisation, Lookup.CHANNEL),
        (quantised_by_channel, Lookup.CHANNEL),
        (with_quantised_slope, Lookup.CHANNEL),
    ],
)
def test_constants_may_come_in_any_way(function: Function, lookup: Lookup) -> None:
    assert only_layer(case(31, function)).layer.lookup is lookup


def test_channels_that_have_the_same_table_share_it() -> None:
    def function(writer: ByteWriter) -> None:
        writer.add("Mul", writer.tensor, writer.constant(np.full((6, 1, 1), 0.7)))
        writer.quantised()

    assert only_layer(case(33, function)).layer.lookup is Lookup.LAYER


def test_a_byte_with_a_sign_and_one_without_are_the_same_byte_to_the_accelerator() -> None:
    def requantised(writer: ByteWriter) -> None:
        scale, zero_point = (writer.constants[name] for name in writer.nodes[-1].input[1:])
        writer.quantised(float(scale), int(zero_point) - 128)

    step = only_layer(case(35, requantised, dtypes=(np.uint8, np.int8)))
    assert (step.layer.lookup, step.layer.minimum, step.layer.maximum) == (None, -128, 127)
    assert step.target_type.dtype == np.int8


def test_scale_and_zero_point_of_the_output_are_the_functions() -> None:
    def function(writer: ByteWriter) -> None:
        writer.add("Sigmoid")
        writer.quantised(1 / 256, 3)

    step = only_layer(case(36, function))
    assert (step.target_scale, step.target_zero_point) == (1 / 256, 3 - 128)
    assert step.layer.y_zero_point != step.target_zero_point


def clamped(writer: ByteWriter) -> None:
    """Between equal scales and zero points."""
    scale, zero_point = (writer.constants[name] for name in writer.nodes[-1].input[1:])
    writer.add("Clip", writer.tensor, writer.constant(-1), writer.constant(1.5))
    writer.quantised(float(scale), int(zero_point))


def test_a_clamp_needs_no_tables_and_anything_else_says_that_it_does() -> None:
    layer = only_layer(case(41, clamped, config=CONFIG)).layer
    assert layer.lookup is None
    assert -128 < layer.minimum < layer.maximum < 127

    def clamped_silu(writer: ByteWriter) -> None:
        clamped(writer)
        silu(writer)

    graph = case(41, clamped_silu, config=CONFIG)
    assert (graph.layers[0].minimum, graph.layers[0].maximum) == (layer.minimum, layer.maximum)
    no_tables = ("this accelerator has no tables for functions of a byte", "--set tables=8")
    found = left_to_the_host(graph)
    assert {found["QLinearSigmoid"], found["QLinearMul"]} == {no_tables}
    step = only_layer(case(41, clamped_silu))
    assert (step.layer.lookup, step.layer.minimum, step.layer.maximum) == (Lookup.LAYER, -128, 127)


def pooled(function: Function, *, before: bool = False) -> Function:
    """With max pooling before or behind."""

    def written(writer: ByteWriter) -> None:
        if not before:
            function(writer)
        writer.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
        dtype, pair = writer.constants[writer.nodes[-2].input[2]].dtype.type, writer.nodes[-2].input[1:]
        writer.dtypes = (dtype,)
        writer.add("DequantizeLinear", writer.add("QuantizeLinear", writer.tensor, *pair), *pair)
        if before:
            function(writer)

    return written


def test_max_pooling_behind_a_function_stays_part_of_the_layer() -> None:
    for function in (silu, hard_swish, with_constant("Mul", -1, 1, first=True, channels=True)):
        step = only_layer(case(51, pooled(function)))
        assert step.layer.lookup is not None
        assert step.layer.pool == Pool(2, 2)


def test_only_a_rising_function_behind_max_pooling_goes_before_it() -> None:
    step = only_layer(case(52, pooled(one("Tanh"), before=True)))
    assert (step.layer.lookup, step.layer.pool) == (Lookup.LAYER, Pool(2, 2))
    found = left_to_the_host(case(52, pooled(one("Abs"), before=True)))
    assert found["Abs"] == ("it follows max pooling and is not monotonic, so it cannot go before it", "")


@pytest.mark.parametrize("first", [clamped, hard_swish], ids=lambda function: function.__name__)
def test_functions_on_both_sides_of_max_pooling_are_one_table(first: Function) -> None:
    def function(writer: ByteWriter) -> None:
        pooled(first)(writer)
        writer.add("Tanh")
        writer.quantised()

    step = only_layer(case(53, function))
    assert (step.layer.lookup, step.layer.pool) == (Lookup.LAYER, Pool(2, 2))


def softmax(writer: ByteWriter) -> None:
    writer.add("Softmax", axis=1)
    writer.quantised()


def along_width(writer: ByteWriter) -> None:
    writer.add("Mul", writer.tensor, writer.constant(writer.random.uniform(0.5, 1, writer.shape[-1])))
    writer.quantised()


def by_pixel(writer: ByteWriter) -> None:
    writer.add("Add", writer.tensor, writer.constant(writer.random.uniform(0.5, 1, writer.shape[1:])))
    writer.quantised()


def by_image(writer: ByteWriter) -> None:
    writer.add("Mul", writer.tensor, writer.constant([[[[0.5]]], [[[0.7]]]]))
    writer.quantised()


def broadcast(writer: ByteWriter) -> None:
    writer.add("Mul", writer.tensor, writer.constant(np.ones((2, 1, 1, 1, 1))))
    writer.quantised()


def read_by_others(writer: ByteWriter) -> None:
    x = writer.tensor
    writer.add("Tanh")
    tanh = writer.quantised()
    writer.add("GlobalAveragePool", x)
    writer.add("Add", tanh, writer.quantised())
    writer.quantised()


def read_by_others_later(writer: ByteWriter) -> None:
    x = writer.tensor
    writer.add("Tanh")
    tanh = writer.quantised()
    writer.add("GlobalAveragePool", tanh)
    pooled = writer.quantised()
    writer.add("Concat", tanh, x, axis=1)
    writer.quantised()
    writer.add("Mul", writer.tensor, writer.add("Concat", pooled, pooled, axis=1))
    writer.quantised()


def two_tensors(writer: ByteWriter) -> None:
    tanh = writer.add("Tanh")
    writer.add("Mul", tanh, writer.add("GlobalAveragePool", tanh))
    writer.quantised()


@pytest.mark.parametrize(
    "function",
    [softmax, along_width, by_pixel, by_image, broadcast, two_tensors],
    ids=lambda function: function.__name__,
)
def test_what_is_no_function_of_one_byte_is_the_hosts(function: Function) -> None:
    assert {layer.lookup for layer in case(61, function).layers} == {None}


@pytest.mark.parametrize("function", [read_by_others, read_by_others_later], ids=lambda function: function.__name__)
def test_what_begins_at_a_tensor_that_others_take_is_a_layer_of_its_own(function: Function) -> None:
    layers = case(61, function).layers
    assert [layer.lookup for layer in layers if layer.operator == "lookup"] == [Lookup.LAYER]
    assert [layer.lookup for layer in layers if layer.operator == "conv"] == [None]


@pytest.mark.parametrize("inner", ["floats", "bytes"])
def test_a_tensor_that_is_an_output_of_the_model_ends_a_function(inner: str) -> None:
    kept = {}

    def function(writer: ByteWriter) -> None:
        kept["floats"] = writer.add("Tanh")
        writer.quantised()
        kept["bytes"] = writer.nodes[-1].input[0]
        writer.add("Abs")
        writer.quantised()

    model, x = behind_a_layer(62, function)
    assert only_layer(imported(model, x, config=WITH_UNITS)).layer.lookup is Lookup.LAYER
    model.graph.output.append(onnx.ValueInfoProto(name=kept[inner]))
    graph = imported(model, x, config=WITH_UNITS)
    assert differences(graph, x) == []
    assert [layer.lookup for layer in graph.layers] == ([Lookup.LAYER] * 2 if inner == "bytes" else [None])
    assert ("Abs" in [step.operator for step in graph.host_steps]) == (inner == "floats")


def test_integers_are_not_divided_to_find_out() -> None:
    def function(writer: ByteWriter) -> None:
        whole = writer.add("Cast", to=onnx.TensorProto.INT32)
        ones = writer.add("Max", whole, writer.constant(1, np.int32))
        writer.add("Cast", writer.add("Div", writer.constant(9, np.int32), ones), to=onnx.TensorProto.FLOAT)
        writer.quantised()

    assert "Div" in left_to_the_host(case(63, function))


def test_results_that_depend_on_where_a_byte_stands_are_the_hosts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run = exhaustion._Chain.run

    def careless(chain: exhaustion._Chain, values: np.ndarray) -> list[np.ndarray]:
        """Odd lengths are off by one at their end, as they would be if other instructions computed it there."""
        results = run(chain, values)
        if values.size % 2:
            for result in results:
                result.reshape(-1)[-1] ^= 1
        return results

    assert only_layer(case(71, silu)).layer.lookup is Lookup.LAYER
    monkeypatch.setattr(exhaustion._Chain, "run", careless)
    monkeypatch.setenv("WINGRID_CACHE", str(tmp_path))
    graph = case(71, silu)
    assert not any(
        layer.lookup for layer in graph.layers
    )  # the product of two tensors is the accelerator's all the same
    (reason,) = [step.reason for step in graph.host_steps if step.operator == "QLinearSigmoid"]
    assert reason == "ONNX Runtime's result for a byte depends on where in the tensor it stands"


def test_every_byte_is_asked_for_once_in_every_arrangement(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: dict[tuple[int, ...], list[np.ndarray]] = {}
    run = exhaustion._Chain.run

    def watched(chain: exhaustion._Chain, values: np.ndarray) -> list[np.ndarray]:
        asked.setdefault(values.shape, []).append(values)
        return run(chain, values)

    monkeypatch.setattr(exhaustion._Chain, "run", watched)
    monkeypatch.setenv("WINGRID_CACHE", str(tmp_path))
    case(72, with_constant("Mul", 0.5, 1, first=False, channels=True))
    assert list(asked) == [(1, 6, 1, 256), (1, 6, 1, 64 + 32 + 16 + 8 + 4 + 3), (2, 6, 24, 23)]
    for shape, values in asked.items():
        starts = [0, 64, 96, 112, 120, 124] if shape[3] == 127 else [0]
        for channel in np.moveaxis(np.stack(values), 2, 0):
            for segment in np.split(channel, starts[1:], axis=-1):
                assert len(np.unique(segment)) == 256
    counts = {shape: len(values) for shape, values in asked.items()}
    case(72, with_constant("Mul", 0.5, 1, first=False, channels=True))
    assert {shape: len(values) for shape, values in asked.items()} == counts
    case(72, with_constant("Mul", 0.25, 1, first=False, channels=True))
    assert len(asked[1, 6, 1, 256]) == 2 * counts[1, 6, 1, 256]


@pytest.mark.parametrize("seed", range(24))
def test_random_graphs_with_functions_give_onnxruntimes_bits(seed: int) -> None:
    model, x, name = judged_case(seed, functions=True)
    graph = imported(model, x, int8_kernels="s8s8" in name, config=WITH_UNITS)
    assert differences(graph, x) == [], f"seed {seed}: {name}"
    assert any(layer.lookup for layer in graph.layers) or seed in WITHOUT_TABLES


def test_a_run_on_golden_is_judged_equal(tmp_path: Path) -> None:
    model, x = behind_a_layer(81, hard_swish)
    path = tmp_path / "model.onnx"
    onnx.save(model, path)
    setup = Setup("golden", WITH_UNITS, MemoryTiming.for_bus(WITH_UNITS.bus_bytes))
    result = run_model(str(path), setup, sources={ONLY: x})
    result.require_checks()
    assert [layer.layer.lookup for layer in result.layers] == [Lookup.LAYER]
