"""Imported models give ONNX Runtime's bits, tensor by tensor, with the golden model in the accelerator's place."""

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest
from imported_graphs import CONFIG, differences, every_tensor, imported, quantised_on
from light_networks import light_network
from onnx import TensorProto, helper, numpy_helper
from random_graphs import judged_case, quantised_as, random_graph, samples

from wingrid.host.networks.layer import Pool
from wingrid.host.onnx_models.bundled import DIGITS, bundled_model, labelled_digits
from wingrid.host.onnx_models.graph_walk import golden_outputs
from wingrid.host.onnx_models.importer import import_model
from wingrid.host.onnx_models.judge import bits, difference
from wingrid.host.onnx_models.model_estimate import imported_for_estimate
from wingrid.host.onnx_models.model_file import read_model
from wingrid.host.onnx_models.sizes import ONLY, Sizes

OPSETS = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]


@pytest.mark.slow
def test_all_digits_give_onnxruntimes_logits_and_are_recognised() -> None:
    digits = labelled_digits(None, "golden")
    graph = imported(read_model(bundled_model(DIGITS)), digits.images)
    inputs = {"x": digits.images}
    outputs = golden_outputs(graph, inputs)
    assert difference(graph, inputs, outputs) is None
    assert [(layer.operator, layer.pool) for layer in graph.layers] == [
        *[("conv", None), ("conv", Pool(2, 2))] * 3,
        *[("fc", None)] * 2,
    ]
    assert Counter(step.operator for step in graph.host_steps) == {
        "QuantizeLinear": 1,
        "Flatten": 1,
        "DequantizeLinear": 1,
    }
    logits = outputs["y"]
    assert logits.shape == (500, 10)
    assert int((logits.argmax(axis=1) == digits.labels).sum()) == 490


@pytest.mark.parametrize("seed", range(24))
def test_every_tensor_of_a_random_graph_equals_onnxruntimes(seed: int) -> None:
    model, x, name = judged_case(seed)
    # int8 that branches stays in integers only where ONNX Runtime is allowed to.
    graph = imported(model, x, int8_kernels="branches qdq-s8s8" in name)
    assert differences(graph, x) == [], f"seed {seed}: {name}"
    assert not [step for step in graph.host_steps if "floating point" in step.reason]


def test_int8_that_branches_is_onnxruntimes_float_without_its_int8_kernels() -> None:
    model = random_graph(13, residual=True)
    x = samples(model, 2)
    without = imported(quantised_as(model, "qdq-s8s8-channel", x), x)
    assert differences(without, x) == []
    assert ("ONNX Runtime computes it in floating point", "--int8-kernels") in {
        (step.reason, step.remedy) for step in without.host_steps
    }
    integers = imported(quantised_as(model, "qdq-s8s8-channel", x), x, int8_kernels=True)
    assert len(integers.accelerated) > len(without.accelerated)
    assert differences(integers, x) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["squeezenet", "shufflenet"])
def test_published_topologies_run_all_convolutions_and_poolings_on_the_accelerator(name: str) -> None:
    model = light_network(name)
    convolutions = sum(node.op_type in ("Conv", "Gemm") for node in model.graph.node)
    x = np.random.default_rng(1).normal(0, 1, (1, 3, 224, 224)).astype(np.float32)
    graph = imported(quantised_on(model, x), x)
    assert sum(layer.operator in ("conv", "fc") for layer in graph.layers) == convolutions
    assert [step.operator for step in graph.host_steps if "MaxPool" in step.operator] == []
    assert differences(graph, x) == []


def test_a_relu_between_equal_scales_becomes_a_clamp() -> None:
    random = np.random.default_rng(5)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], name="conv"),
        helper.make_node("Relu", ["c"], ["r"], name="relu"),
        helper.make_node("MaxPool", ["r"], ["y"], name="pool", kernel_shape=[2, 2], strides=[2, 2]),
    ]
    model = float_model(nodes, {"w": random.normal(0, 1, (4, 3, 1, 1))}, [1, 3, 6, 6])
    x = samples(model, 1)
    graph = imported(quantised_as(model, "qdq-s8s8-tensor-symmetric", x), x)
    assert differences(graph, x) == []
    (step,) = graph.accelerated
    assert (step.layer.minimum, step.layer.maximum) == (0, 127)
    assert [name for name in step.nodes if "Linear" not in name] == ["conv", "relu", "pool"]
    assert step.layer.pool == Pool(2, 2)


def test_an_activation_between_other_scales_is_no_clamp() -> None:
    random = np.random.default_rng(5)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], name="conv"),
        helper.make_node("Clip", ["c", "low", "high"], ["y"], name="clip"),
    ]
    weights = {"w": random.normal(0, 1, (4, 3, 1, 1)), "low": np.array(-0.5), "high": np.array(0.5)}
    model = float_model(nodes, weights, [1, 3, 6, 6])
    x = samples(model, 1)
    model = quantised_as(model, "qdq-s8s8-tensor-symmetric", x)
    scale = next(tensor for tensor in model.graph.initializer if tensor.name == "y_scale")
    scale.CopyFrom(numpy_helper.from_array(1.7 * numpy_helper.to_array(scale), "y_scale"))
    graph = imported(model, x)
    assert differences(graph, x) == []
    assert (graph.layers[0].minimum, graph.layers[0].maximum) == (-128, 127)
    assert "Clip" in [step.operator for step in graph.host_steps]


def test_pooling_with_padding_is_the_hosts_even_where_sizes_agree() -> None:
    random = np.random.default_rng(11)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], name="conv"),
        helper.make_node("MaxPool", ["c"], ["y"], name="pool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 0, 0]),
    ]
    model = float_model(nodes, {"w": random.normal(0, 1, (4, 3, 1, 1))}, [1, 3, 7, 7])
    x = samples(model, 1)
    graph = imported(quantised_as(model, "qdq-u8s8-channel", x), x)
    assert differences(graph, x) == []
    assert graph.layers[0].pool is None


def test_what_others_read_too_is_not_pooled_away() -> None:
    random = np.random.default_rng(12)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], name="conv"),
        helper.make_node("MaxPool", ["c"], ["p"], name="pool", kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("GlobalAveragePool", ["c"], ["a"], name="all"),
        helper.make_node("GlobalAveragePool", ["p"], ["b"], name="largest"),
        helper.make_node("Concat", ["a", "b"], ["y"], name="both", axis=1),
    ]
    model = float_model(nodes, {"w": random.normal(0, 1, (4, 3, 1, 1))}, [1, 3, 8, 8])
    x = samples(model, 1)
    graph = imported(quantised_as(model, "qdq-u8s8-channel", x), x)
    assert differences(graph, x) == []
    assert graph.layers[0].pool is None


def quantised_by_hand(zero_point: np.ndarray, *, float_bias: bool) -> onnx.ModelProto:
    """Conv and Relu between one pair of quantisers, as exporters of trained quantisation leave them."""
    random = np.random.default_rng(1)
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "zero"], ["xq"], name="quantise"),
        helper.make_node("DequantizeLinear", ["xq", "s", "zero"], ["xd"], name="dequantise"),
        helper.make_node("DequantizeLinear", ["w", "ws", "wz"], ["wd"], name="weights", axis=0),
        helper.make_node("Conv", ["xd", "wd", "b"], ["c"], name="conv", pads=[1] * 4),
        helper.make_node("Relu", ["c"], ["r"], name="relu"),
        helper.make_node("QuantizeLinear", ["r", "ys", "zero"], ["rq"], name="requantise"),
        helper.make_node("DequantizeLinear", ["rq", "ys", "zero"], ["y"], name="output"),
    ]
    s, ws = np.float32(0.02), np.full(4, 0.01, np.float32)
    constants = {"s": s, "ws": ws, "ys": np.float32(0.05), "wz": np.zeros(4, np.int8), "zero": zero_point}
    constants["w"] = random.integers(-127, 128, (4, 3, 3, 3), np.int8)
    if float_bias:
        constants["b"] = random.normal(0, 1, 4).astype(np.float32)
    else:
        constants |= {"bq": random.integers(-1000, 1000, 4, np.int32), "bs": s * ws}
        nodes.insert(0, helper.make_node("DequantizeLinear", ["bq", "bs"], ["b"], name="bias", axis=0))
    model = float_model(nodes, {}, [1, 3, 8, 8])
    model.graph.initializer.extend(numpy_helper.from_array(np.asarray(v), name) for name, v in constants.items())
    return model


@pytest.mark.parametrize("float_bias", [False, True])
@pytest.mark.parametrize("zero_point", [np.uint8(0), np.int8(-128), np.int8(0)])
def test_a_relu_before_the_quantiser_is_saturation_if_zero_is_the_least(
    zero_point: np.ndarray, float_bias: bool
) -> None:
    model = quantised_by_hand(zero_point, float_bias=float_bias)
    x = np.random.default_rng(2).normal(0, 1, (1, 3, 8, 8)).astype(np.float32)
    if zero_point == 0 and zero_point.dtype == np.int8:
        graph = imported(model, x)
        assert graph.accelerated == []
        (step,) = [step for step in graph.host_steps if step.macs]
        assert (step.operator, step.reason) == ("FusedConv", "ONNX Runtime computes it in floating point")
        assert step.remedy == "wingrid quantize on the float model"
        return
    graph = imported(model, x)
    assert [step.name for step in graph.accelerated] == ["conv"]
    assert differences(graph, x) == []


def test_a_line_is_an_image_of_one_row() -> None:
    random = np.random.default_rng(6)
    node = helper.make_node("Conv", ["x", "w"], ["y"], name="conv", pads=[2, 1], strides=[2], dilations=[2])
    model = float_model([node], {"w": random.normal(0, 1, (5, 3, 3))}, [2, 3, 20])
    x = random.normal(0, 1, (2, 3, 20)).astype(np.float32)
    graph = imported(quantised_on(model, x), x)
    assert differences(graph, x) == []
    assert graph.layers[0].shape.padding == (0, 2, 0, 1)


def test_a_product_of_many_vectors_is_one_layer() -> None:
    random = np.random.default_rng(7)
    node = helper.make_node("MatMul", ["x", "w"], ["y"], name="product")
    model = float_model([node], {"w": random.normal(0, 1, (6, 5))}, [2, 3, 7, 6])
    x = random.normal(0, 1, (2, 3, 7, 6)).astype(np.float32)
    graph = imported(quantised_on(model, x), x)
    assert differences(graph, x) == []
    assert (graph.layers[0].operator, graph.layers[0].shape.macs) == ("matmul", 2 * 3 * 7 * 6 * 5)


def test_estimates_take_float_models_as_if_they_were_int8(tmp_path: Path) -> None:
    model = float_model(
        [
            helper.make_node("Conv", ["x", "w"], ["c"], name="conv", pads=[1] * 4),
            helper.make_node("Relu", ["c"], ["y"], name="relu"),
        ],
        {"w": np.ones((4, 3, 3, 3))},
        ["N", 3, "H", "W"],
    )
    path = tmp_path / "model.onnx"
    onnx.save(model, path)
    layers = imported_for_estimate(str(path), CONFIG, Sizes({ONLY: (5, 3, 8, 9)}), assume_int8=True).layers
    assert [(layer.shape.images, layer.shape.height, layer.shape.width) for layer in layers] == [(5, 8, 9)]


def float_model(nodes: list, weights: dict[str, np.ndarray], shape: list) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "made here",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()],
    )
    return helper.make_model(graph, opset_imports=OPSETS, ir_version=8)


def test_average_pooling_is_onnxruntimes_within_a_step_of_the_exact_mean() -> None:
    # The standard does not say in which precision a mean is taken, so its rounding is each implementation's own.
    random = np.random.default_rng(10)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], name="conv"),
        helper.make_node("AveragePool", ["c"], ["y"], name="pool", kernel_shape=[3, 3], strides=[2, 2]),
    ]
    model = float_model(nodes, {"w": random.normal(0, 1, (4, 3, 1, 1))}, [2, 3, 21, 21])
    x = random.normal(0, 1, (2, 3, 21, 21)).astype(np.float32)
    graph = imported(quantised_on(model, x), x)
    assert differences(graph, x) == []
    step, pool = graph.accelerated
    (node,) = [node for node in graph.optimised.graph.node if node.op_type == "QLinearAveragePool"]
    taken, x_scale, x_zero, y_scale, y_zero = node.input
    assert (taken, node.output[0]) == (step.target, pool.target)
    values = {name: float(graph.constants[name]) for name in (x_scale, x_zero, y_scale, y_zero)}
    sums = every_tensor(graph, x, [taken, pool.target])
    windows = np.lib.stride_tricks.sliding_window_view(sums[taken].astype(np.float64), (3, 3), (2, 3))[:, :, ::2, ::2]
    means = (windows.mean(axis=(4, 5)) - values[x_zero]) * values[x_scale] / values[y_scale] + values[y_zero]
    exact = np.clip(np.rint(means), 0, 255)
    assert np.abs(sums[pool.target].astype(int) - exact).max() <= 1


def test_the_judge_sees_a_single_bit() -> None:
    digits = labelled_digits(2, "golden")
    graph = imported(read_model(bundled_model(DIGITS)), digits.images)
    inputs = {"x": digits.images}
    outputs = golden_outputs(graph, inputs)
    assert difference(graph, inputs, outputs) is None
    changed = outputs["y"].copy()
    bits(changed)[1, 7] ^= 1
    message = difference(graph, inputs, {"y": changed})
    assert message is not None
    assert message.startswith("output y: 1 of 20 elements differ from ONNX Runtime's, the first at [1, 7]: ")


def test_layers_that_take_what_the_host_makes_are_prepared_by_it() -> None:
    model = read_model(bundled_model(DIGITS))
    graph = import_model(model, dict.fromkeys(model.inputs, (2, 1, 32, 32)), CONFIG)
    # The second fully connected layer takes the first one's results; the first one what the host flattens.
    assert [step.layer.prepared for step in graph.accelerated] == [True, *[False] * 5, True, False]


def test_a_constant_may_be_a_layers_input_or_an_output_and_so_may_the_input() -> None:
    random = np.random.default_rng(8)
    nodes = [
        helper.make_node("QLinearConv", ["x", "s", "zero", "w", "ws", "wz", "ys", "zero"], ["a"], name="of the input"),
        helper.make_node("QLinearConv", ["c", "s", "zero", "w", "ws", "wz", "ys", "zero"], ["b"], name="folded away"),
        helper.make_node("DequantizeLinear", ["c", "s", "zero"], ["cd"], name="constant"),
        helper.make_node("DequantizeLinear", ["w", "ws", "wz"], ["wd"], name="weights"),
        helper.make_node("Conv", ["cd", "wd"], ["df"], name="of a constant"),
        helper.make_node("QuantizeLinear", ["df", "ys", "zero"], ["d"], name="requantise"),
        helper.make_node("Concat", ["a", "b", "c", "d"], ["y"], name="all", axis=1),
    ]
    constants = {
        "c": random.integers(0, 256, (1, 3, 5, 5), np.uint8),
        "w": random.integers(-9, 9, (4, 3, 1, 1), np.int8),
        "s": np.float32(0.1),
        "ws": np.float32(0.02),
        "ys": np.float32(0.3),
        "zero": np.uint8(90),
        "wz": np.int8(0),
    }
    outputs = ["y", "c", "x", "b"]
    graph = helper.make_graph(
        nodes,
        "constants",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, [1, 3, 5, 5])],
        [helper.make_tensor_value_info(name, TensorProto.UINT8, None) for name in outputs],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=OPSETS, ir_version=8)
    x = random.integers(0, 256, (1, 3, 5, 5), np.uint8)
    read = imported(model, x)
    assert {step.name for step in read.accelerated} == {"of the input", "of a constant"}
    assert all(step.layer.prepared for step in read.accelerated)
    assert differences(read, x) == []
    assert list(golden_outputs(read, {"x": x})) == outputs
