"""Lines and strides beyond what instructions express: layers of the accelerator like others, in ONNX Runtime's bits."""

import numpy as np
import onnx
import pytest
from imported_graphs import by_name, differences, imported
from layer_cases import SQUARE, run_functional
from onnx import helper
from quantised_operators import one_operator, uniform

from wingrid.host.compiler.compile_layer import compile_exactly
from wingrid.host.networks.layer import Pool
from wingrid.host.onnx_models.graph import ImportedGraph
from wingrid.host.onnx_models.graph_walk import onnxruntime_outputs


def require_equal(model: onnx.ModelProto, x: np.ndarray) -> ImportedGraph:
    """One layer, equal to ONNX Runtime's as golden computes it and as its program does."""
    graph = imported(model, x)
    (step,) = graph.accelerated
    assert not graph.host_steps
    assert differences(graph, x) == []
    compiled = compile_exactly(step.layer, lambda: step.operands, SQUARE)
    output, _ = run_functional(compiled, step.operands, step.layer_input(x))
    np.testing.assert_array_equal(
        step.model_output(output), onnxruntime_outputs(graph, by_name(graph.inputs, x))[next(iter(graph.outputs))]
    )
    return graph


def line(length: int, kernel: int, channels: int = 2, kernels: int = 3, **attributes: object) -> None:
    x, weights = uniform(length, np.uint8, (1, channels, length)), uniform(kernel, np.int8, (kernels, channels, kernel))
    require_equal(one_operator("QLinearConv", x, weights, np.int8(0), kernels, **attributes), x)


@pytest.mark.parametrize("length", [32767, 32768, 32769, 70000])
def test_lines_of_any_length(length: int) -> None:
    line(length, 3, pads=[2, 1])


@pytest.mark.parametrize("stride", [255, 256, 320])
@pytest.mark.parametrize("kernel", [1, 5, 400])
def test_strides_of_any_length(stride: int, kernel: int) -> None:
    line(3000, kernel, channels=5, strides=[stride], pads=[200, 100] if kernel == 400 else [0, 0])


def test_a_spectrogram_as_a_convolution() -> None:
    line(50000, 1024, channels=1, kernels=2, strides=[512], pads=[512, 512])


def test_what_is_pooled_may_be_long() -> None:
    x, weights = uniform(1, np.uint8, (1, 2, 3, 40000)), uniform(2, np.int8, (3, 2, 2, 2))
    model = one_operator("QLinearConv", x, weights, np.int8(0), 3, pads=[0, 1, 0, 0])
    model.graph.node[0].output[0] = "convolved"
    model.graph.node.append(
        helper.make_node("MaxPool", ["convolved"], ["y"], name="pool", kernel_shape=[2, 2], strides=[1, 1])
    )
    assert require_equal(model, x).layers[0].pool == Pool(2, 1)


@pytest.mark.parametrize("rows", [32767, 32768, 65536])
def test_products_of_any_number_of_rows(rows: int) -> None:
    x, weights = uniform(rows, np.uint8, (rows, 3)), uniform(4, np.int8, (3, 2))
    require_equal(one_operator("QLinearMatMul", x, weights, np.int8(0), 2), x)
