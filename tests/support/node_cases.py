"""The onnx package's node tests of convolutions, products and poolings, as models that an importer can be given."""

from __future__ import annotations

import functools
import importlib
import warnings

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.backend.test.case import node
from onnx.backend.test.case.test_case import TestCase

MODULES = ("conv", "qlinearconv", "qlinearmatmul", "maxpool", "averagepool", "globalaveragepool")


@functools.cache
def node_cases() -> dict[str, TestCase]:
    """All node tests of these operators, by name.

    The package makes its tests as their modules are imported; to ask it for all 1,900 takes half a minute.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for module in MODULES:
            importlib.import_module(f"{node.__name__}.{module}")
    return {
        case.name: case
        for case in node._NodeTestCases
        if case.model is not None and case.data_sets and case.model.graph.node[0].op_type.lower() in MODULES
    }


def with_constants(case: TestCase) -> tuple[onnx.ModelProto, np.ndarray, list[np.ndarray]]:
    """The model with everything but the first input constant, that input, and the outputs that the test expects."""
    values, expected = case.data_sets[0]
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    constants = list(model.graph.input)[1:]
    del model.graph.input[1:]
    for value, data in zip(constants, values[1:], strict=True):
        model.graph.initializer.append(numpy_helper.from_array(np.asarray(data), value.name))
    return model, np.asarray(values[0]), [np.asarray(output) for output in expected]


def behind_a_convolution(case: TestCase) -> tuple[onnx.ModelProto, np.ndarray]:
    """The model of a float pooling with a 1x1 convolution to three channels before it, and an input for it."""
    model, x, _ = with_constants(case)
    channels = x.shape[1]
    weights = np.random.default_rng(1).normal(0, 1, (3, channels, *[1] * (x.ndim - 2))).astype(np.float32)
    convolution = helper.make_node("Conv", ["before", "weights"], [model.graph.node[0].input[0]], name="before")
    pooling = onnx.NodeProto.FromString(model.graph.node[0].SerializeToString())
    del model.graph.node[:]
    model.graph.node.extend([convolution, pooling])
    model.graph.initializer.append(numpy_helper.from_array(weights, "weights"))
    model.graph.input[0].CopyFrom(helper.make_tensor_value_info("before", TensorProto.FLOAT, x.shape))
    for output in model.graph.output:
        output.type.tensor_type.ClearField("shape")
    return model, x
