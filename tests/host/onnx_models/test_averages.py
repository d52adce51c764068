"""Averages of quantised tensors: ties fall as ONNX Runtime has them, and what cannot be proven is the host's."""

from __future__ import annotations

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
from wingrid.host.onnx_models.judge import difference
from wingrid.host.onnx_models.short_scales import SIGNIFICANT_BITS, sums_are_exact, with_short_scale
from wingrid.sim.memory import MemoryTiming

SHORT = 331 / 2**14
"""A scale of nine significant bits."""

LONG = float(np.float32(0.0202))


def averaged(scale: float, zero_point: int, dtype: type[np.integer], **attributes: object) -> onnx.ModelProto:
    """A layer that changes nothing, so that all bytes occur, and an average behind it."""
    kind = {np.uint8: TensorProto.UINT8, np.int8: TensorProto.INT8}[dtype]
    constants = {
        "scale": np.float32(scale),
        "zero": dtype(zero_point),
        "w": np.ones((1, 1, 1, 1), np.int8),
        "one": np.float32(1),
        "none": np.int8(0),
    }
    quantisation = ["scale", "zero"]
    nodes = [
        helper.make_node("QLinearConv", ["x", *quantisation, "w", "one", "none", *quantisation], ["t"]),
        helper.make_node(
            "QLinearAveragePool", ["t", *quantisation, *quantisation], ["y"], domain="com.microsoft", **attributes
        ),
    ]
    graph = helper.make_graph(
        nodes,
        "averaged",
        [helper.make_tensor_value_info("x", kind, [1, 1, 12, 12])],
        [helper.make_tensor_value_info("y", kind, None)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8])
@pytest.mark.parametrize("zero_point", [0, 117, 118])
def test_of_four_pixels_ties_fall_as_onnxruntime_has_them(zero_point: int, dtype: type[np.integer]) -> None:
    random = np.random.default_rng(zero_point)
    for kernel, strides in (([2, 2], [2, 2]), ([2, 2], [1, 1]), ([1, 4], [1, 4]), ([3, 3], [3, 3])):
        limits = np.iinfo(dtype)
        x = random.integers(limits.min, limits.max + 1, (1, 1, 12, 12)).astype(dtype)
        graph = imported(averaged(SHORT, zero_point, dtype, kernel_shape=kernel, strides=strides), x)
        assert [layer.operator for layer in graph.layers] == ["conv", "avgpool"]
        assert differences(graph, x) == []


PADDED = {
    "3x3": {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]},
    "3x3/2": {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "strides": [2, 2]},
    "uneven": {"kernel_shape": [2, 4], "pads": [0, 3, 1, 0], "strides": [1, 3]},
    "ceil_mode": {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1},
    "a single window": {"kernel_shape": [13, 14], "pads": [0, 1, 1, 1]},
}


@pytest.mark.parametrize("name", PADDED)
def test_an_average_that_leaves_padding_out_is_a_layer_for_each_size_of_windows(name: str) -> None:
    random = np.random.default_rng(7)
    for zero_point in (0, 117):
        x = random.integers(0, 256, (1, 1, 12, 12)).astype(np.uint8)
        graph = imported(averaged(SHORT, zero_point, np.uint8, **PADDED[name]), x)
        sizes = {"3x3": 9, "3x3/2": 4, "uneven": 4, "ceil_mode": 4, "a single window": 1}[name]
        assert [layer.operator for layer in graph.layers] == ["conv", *["avgpool"] * sizes]
        assert differences(graph, x) == []


@pytest.mark.rtl
@pytest.mark.slow
def test_the_rtl_averages_regions_in_one_program() -> None:
    x = np.random.default_rng(8).integers(0, 256, (1, 1, 12, 12)).astype(np.uint8)
    graph = imported(averaged(SHORT, 117, np.uint8, **PADDED["uneven"]), x, config=SQUARE)
    inputs = dict.fromkeys(graph.inputs, x)
    case = ImageCase(model_work("averages", graph, inputs), inputs, graph)
    image = case.image(SQUARE)
    assert len(image.contents.entries) == 1
    assert case.wrong(run_image(image, SpecifiedMachine(image), inputs)) is None
    run = run_chained(graph, inputs, Setup("rtl", SQUARE, MemoryTiming.for_bus(SQUARE.bus_bytes), jobs=1))
    assert [text for layer in run.layers for text in layer.failures()] == []
    assert difference(graph, inputs, run.outputs) is None


def mean_between_layers() -> onnx.ModelProto:
    """A layer, the mean of each of its ten channels over the image, and a layer of those."""
    random = np.random.default_rng(9)
    constants = {
        "scale": np.float32(SHORT),
        "zero": np.uint8(117),
        "first scale": np.float32(0.005),
        "first zero": np.int8(0),
        "second scale": np.float32(0.005),
        "second zero": np.int8(0),
        "first": random.integers(-127, 128, (10, 3, 1, 1), np.int8),
        "second": random.integers(-127, 128, (6, 10, 1, 1), np.int8),
    }
    quantisation = ["scale", "zero"]
    nodes = [
        helper.make_node(
            "QLinearConv", ["x", *quantisation, "first", "first scale", "first zero", *quantisation], ["t"]
        ),
        helper.make_node(
            "QLinearGlobalAveragePool", ["t", *quantisation, *quantisation], ["m"], domain="com.microsoft"
        ),
        helper.make_node(
            "QLinearConv", ["m", *quantisation, "second", "second scale", "second zero", *quantisation], ["y"]
        ),
    ]
    graph = helper.make_graph(
        nodes,
        "mean",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, [2, 3, 6, 5])],
        [helper.make_tensor_value_info("y", TensorProto.UINT8, None)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


@pytest.mark.rtl
def test_the_blocks_of_a_mean_are_rows_of_one_image_between_other_layers() -> None:
    x = np.random.default_rng(10).integers(0, 256, (2, 3, 6, 5)).astype(np.uint8)
    graph = imported(mean_between_layers(), x, config=SQUARE)
    inputs = dict.fromkeys(graph.inputs, x)
    case = ImageCase(model_work("mean", graph, inputs), inputs, graph)
    image = case.image(SQUARE)
    assert len(image.contents.entries) == 1
    assert case.wrong(run_image(image, SpecifiedMachine(image), inputs)) is None
    run = run_chained(graph, inputs, Setup("rtl", SQUARE, MemoryTiming.for_bus(SQUARE.bus_bytes), jobs=1))
    assert [text for layer in run.layers for text in layer.failures()] == []
    assert difference(graph, inputs, run.outputs) is None


def test_padding_that_counts_does_so_up_to_its_end() -> None:
    x = np.zeros((1, 1, 12, 12), np.uint8)
    ceiled = {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1, "count_include_pad": 1}
    (left,) = imported(averaged(SHORT, 117, np.uint8, **ceiled), x).host_steps
    assert left.reason == "an average over windows that overhang is not the accelerator's"


def test_a_scale_of_many_bits_leaves_ties_to_the_order_of_additions() -> None:
    x = np.zeros((1, 1, 12, 12), np.uint8)
    graph = imported(averaged(LONG, 117, np.uint8, kernel_shape=[2, 2], strides=[2, 2]), x)
    (left,) = graph.host_steps
    assert "so near to a tie that ONNX Runtime's rounding decides" in left.reason


def test_quantised_models_get_scales_of_few_bits() -> None:
    random = np.random.default_rng(1)
    for low, high in random.normal(0, 3, (100, 2)).astype(np.float32):
        lowest, highest = with_short_scale(np.array(min(low, high)), np.array(max(low, high)))
        scale = (float(highest) - float(lowest)) / 255
        needed = (max(low, high, 0) - min(low, high, 0)) / 255
        assert needed * (1 - 1e-6) <= scale <= needed * (1 + 2 ** (1 - SIGNIFICANT_BITS))
        assert sums_are_exact(scale, 255 * 64)
        zero_point = -float(lowest) / scale
        assert zero_point == round(zero_point)
    assert not sums_are_exact(LONG, 255)
    nothing = np.zeros((), np.float32)
    assert with_short_scale(nothing, nothing) == (0, 0)


@pytest.mark.parametrize("keepdims", [0, 1])
def test_means_over_all_pixels_are_averages(keepdims: int) -> None:
    """As PyTorch writes them, in floating point, before a fully connected layer."""
    random = np.random.default_rng(15 + keepdims)
    x = random.normal(0, 1, (1, 3, 5, 6)).astype(np.float32)
    first, ones = random.normal(0, 0.4, (6, 3, 1, 1)), np.ones((4, 6))
    constants = {"w": first, "v": ones.T, "u": ones[..., None, None]}
    last = helper.make_node("Conv", ["m", "u"], ["y"]) if keepdims else helper.make_node("Gemm", ["m", "v"], ["y"])
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"]),
        helper.make_node("ReduceMean", ["c"], ["m"], axes=[2, 3], keepdims=keepdims),
        last,
    ]
    graph = helper.make_graph(
        nodes,
        "mean",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [
            numpy_helper.from_array(value.astype(np.float32), name)
            for name, value in constants.items()
            if name in [*nodes[0].input, *last.input]
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    found = imported(quantised_on(model, x), x, config=SQUARE)
    assert [step.operator for step in found.host_steps] == ["QuantizeLinear", "DequantizeLinear"]
    assert [step.layer.operator for step in found.accelerated][1] == "avgpool"
    assert differences(found, x) == []
