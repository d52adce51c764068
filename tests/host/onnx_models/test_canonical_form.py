"""Models as exporters leave them are put in order, and each thing that was done is said."""

from collections.abc import Callable

import numpy as np
import onnx
import pytest
from imported_graphs import differences, imported, read
from onnx import TensorProto, helper, numpy_helper

from wingrid.host.onnx_models.model_file import Model
from wingrid.host.onnx_models.refusal import ModelRefused

X = np.random.default_rng(3).normal(0, 1, (1, 3, 8, 8)).astype(np.float32)


def quantised_model(precision: type = np.float32) -> onnx.ModelProto:
    """A convolution between quantisers, its result doubled and clipped by the host, with scales in a precision."""
    random = np.random.default_rng(4)
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(precision))
    constants = {
        "s": precision(0.02),
        "ws": np.full(4, 0.01, precision),
        "zero": np.uint8(100),
        "wz": np.zeros(4, np.int8),
        "w": random.integers(-127, 128, (4, 3, 3, 3), np.int8),
        "two": precision(2),
    }
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "zero"], ["xq"], name="quantise"),
        helper.make_node("DequantizeLinear", ["xq", "s", "zero"], ["xd"], name="dequantise"),
        helper.make_node("DequantizeLinear", ["w", "ws", "wz"], ["wd"], name="weights", axis=0),
        helper.make_node("Conv", ["xd", "wd"], ["c"], name="conv"),
        helper.make_node("QuantizeLinear", ["c", "s", "zero"], ["cq"], name="requantise"),
        helper.make_node("DequantizeLinear", ["cq", "s", "zero"], ["cd"], name="output"),
        helper.make_node("Mul", ["cd", "two"], ["y"], name="double"),
    ]
    graph = helper.make_graph(
        nodes,
        "untidy",
        [helper.make_tensor_value_info("x", kind, ["N", 3, 8, 8])],
        [helper.make_tensor_value_info("y", kind, ["N", 4, 6, 6])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", 19), helper.make_opsetid("mine", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def constant(model: onnx.ModelProto, name: str) -> TensorProto:
    return next(tensor for tensor in model.graph.initializer if tensor.name == name)


def unsorted(model: onnx.ModelProto) -> None:
    nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(reversed(nodes))


def stale_shapes(model: onnx.ModelProto) -> None:
    model.graph.value_info.append(helper.make_tensor_value_info("c", TensorProto.FLOAT, [7, 7]))
    model.graph.output[0].type.tensor_type.shape.dim[2].dim_value = 99


def batch_of_minus_one(model: onnx.ModelProto) -> None:
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = -1


def defaults(model: onnx.ModelProto) -> None:
    for name in ("w", "ws"):
        tensor = constant(model, name)
        model.graph.input.append(helper.make_tensor_value_info(name, tensor.data_type, tensor.dims))


def constants_among_the_inputs(model: onnx.ModelProto) -> None:
    """As the oldest models have all of them."""
    model.ir_version = 3
    for tensor in model.graph.initializer:
        model.graph.input.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))


def sparse(model: onnx.ModelProto) -> None:
    """A constant of one value, four times as an addend of zeros but one."""
    values = numpy_helper.from_array(np.array([0.5], np.float32), "addend")
    indices = numpy_helper.from_array(np.array([[0, 2, 0, 0]], np.int64), "where")
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [1, 4, 1, 1]))
    model.graph.node[-1].output[0] = "doubled"
    model.graph.node.append(helper.make_node("Add", ["doubled", "addend"], ["y"], name="add"))


def function(model: onnx.ModelProto) -> None:
    body = [helper.make_node("Add", ["a", "a"], ["s"]), helper.make_node("Relu", ["s"], ["b"])]
    model.functions.append(helper.make_function("mine", "Twice", ["a"], ["b"], body, [helper.make_opsetid("", 19)]))
    model.graph.node[-1].output[0] = "doubled"
    model.graph.node.append(helper.make_node("Twice", ["doubled"], ["y"], name="twice", domain="mine"))


def fork(model: onnx.ModelProto) -> None:
    """Two ways that depend on data, one of which takes a tensor from outside."""
    ways = []
    for operator, inputs in (("Relu", ["doubled"]), ("Add", ["doubled", "cd"])):
        left = helper.make_tensor_value_info(f"{operator}_y", TensorProto.FLOAT, None)
        ways.append(helper.make_graph([helper.make_node(operator, inputs, [f"{operator}_y"])], operator, [], [left]))
    model.graph.node[-1].output[0] = "doubled"
    model.graph.node.extend(
        [
            helper.make_node("ReduceSum", ["doubled"], ["sum"], name="sum", keepdims=0),
            helper.make_node("Cast", ["sum"], ["which"], name="which", to=TensorProto.BOOL),
            helper.make_node("If", ["which"], ["y"], name="fork", then_branch=ways[1], else_branch=ways[0]),
        ]
    )


def decided_fork(model: onnx.ModelProto) -> None:
    """Two ways that shapes decide on; the one taken carries a dequantised tensor further."""
    left = helper.make_tensor_value_info("way_y", TensorProto.FLOAT, None)
    ways = []
    for operator in ("Transpose", "Identity"):
        ways.append(helper.make_graph([helper.make_node(operator, ["cd"], ["way_y"])], operator, [], [left]))
    model.graph.initializer.append(numpy_helper.from_array(np.array(4, np.int64), "four"))
    model.graph.initializer.append(numpy_helper.from_array(np.array(1, np.int64), "one"))
    del model.graph.node[-1]
    model.graph.node.extend(
        [
            helper.make_node("Shape", ["cd"], ["sizes"], name="sizes"),
            helper.make_node("Gather", ["sizes", "one"], ["channels"], name="channels"),
            helper.make_node("Equal", ["channels", "four"], ["which"], name="which"),
            helper.make_node("If", ["which"], ["taken"], name="fork", then_branch=ways[0], else_branch=ways[1]),
            helper.make_node("Mul", ["taken", "two"], ["y"], name="double"),
        ]
    )


def random_numbers(model: onnx.ModelProto) -> None:
    model.graph.node[-1].output[0] = "doubled"
    noise = helper.make_node("RandomNormalLike", ["doubled"], ["noise"], name="noise")
    model.graph.node.extend([noise, helper.make_node("Add", ["doubled", "noise"], ["y"], name="add")])


def sequence(model: onnx.ModelProto) -> None:
    """Values that are no tensors go from node to node."""
    model.graph.node[-1].output[0] = "doubled"
    model.graph.node.extend(
        [
            helper.make_node("SplitToSequence", ["doubled"], ["parts"], name="split", axis=1, keepdims=1),
            helper.make_node("QuantizeLinear", ["doubled", "s", "zero"], ["dq"], name="between"),
            helper.make_node("DequantizeLinear", ["dq", "s", "zero"], ["dd"], name="between too"),
            helper.make_node("SequenceInsert", ["parts", "dd"], ["more"], name="insert"),
            helper.make_node("ConcatFromSequence", ["more"], ["y"], name="join", axis=1),
        ]
    )


def data_dependent(model: onnx.ModelProto) -> None:
    model.graph.node[-1].output[0] = "doubled"
    model.graph.node.append(helper.make_node("NonZero", ["doubled"], ["y"], name="where"))
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", TensorProto.INT64, [2, "count"]))


UNTIDY: dict[str, tuple[Callable[[onnx.ModelProto], None], tuple[str, ...]]] = {
    "nothing": (lambda model: None, ()),
    "unsorted": (unsorted, ("The nodes were sorted, each behind those whose outputs it takes.",)),
    "stale shapes": (stale_shapes, ()),
    "batch of -1": (batch_of_minus_one, ("Sizes of -1 were taken as open.",)),
    "defaults": (defaults, ("Inputs with defaults were taken as constants: 2.",)),
    "constants among the inputs": (constants_among_the_inputs, ()),
    "sparse": (sparse, ("Sparse constants were made dense: 1.",)),
    "function": (function, ()),
    "fork": (fork, ()),
    "decided fork": (decided_fork, ()),
    "random numbers": (random_numbers, ("Nodes that draw random numbers were given a seed: 1.",)),
    "sequence": (sequence, ()),
    "data dependent": (data_dependent, ()),
}


@pytest.mark.parametrize("what", UNTIDY)
def test_an_untidy_model_is_read_and_gives_onnxruntimes_bits(what: str) -> None:
    change, said = UNTIDY[what]
    model = quantised_model()
    change(model)
    known = read(model)
    assert known.changes == said
    graph = imported(known, X)
    assert [step.name for step in graph.accelerated] == ["conv"]
    assert differences(graph, X) == []


@pytest.mark.parametrize("precision", [np.float16, np.float64])
def test_quantised_models_of_other_precisions_run_on_the_array(precision: type) -> None:
    known = read(quantised_model(precision))
    assert known.changes == (f"The model was brought from {np.dtype(precision)} to float32.",)
    graph = imported(known, X)
    assert [step.name for step in graph.accelerated] == ["conv"]
    assert differences(graph, X) == []


def test_an_input_in_float32_does_not_hide_the_precision() -> None:
    model = quantised_model(np.float16)
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT
    model.graph.node.insert(0, helper.make_node("Cast", ["x"], ["xh"], name="cast", to=TensorProto.FLOAT16))
    model.graph.node[1].input[0] = "xh"
    graph = imported(read(model), X)
    assert [step.name for step in graph.accelerated] == ["conv"]
    assert differences(graph, X) == []


def test_numbers_beyond_float32_become_its_largest() -> None:
    model = quantised_model(np.float64)
    constant(model, "two").CopyFrom(numpy_helper.from_array(np.array(-1e300), "two"))
    known = read(model)
    assert numpy_helper.to_array(constant(known.proto, "two")) == np.finfo(np.float32).min


def test_float64_beside_layers_in_float32_stays() -> None:
    model = quantised_model()
    model.graph.node[-1].output[0] = "doubled"
    model.graph.node.append(helper.make_node("Cast", ["doubled"], ["y"], name="widen", to=TensorProto.DOUBLE))
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.DOUBLE
    known: Model = read(model)
    assert known.changes == ()
    graph = imported(known, X)
    assert differences(graph, X) == []
    assert str(graph.outputs["y"]) == "float64 [1, 4, 6, 6]"


def test_nodes_in_a_circle_are_refused() -> None:
    model = quantised_model()
    model.graph.node[-1].input[1] = "later"
    model.graph.node.append(helper.make_node("Relu", ["y"], ["later"], name="circle"))
    with pytest.raises(
        ModelRefused, match=r"nodes need each other's outputs in a circle: (double, circle|circle, double)$"
    ):
        read(model)


@pytest.mark.parametrize("where", [[0, 9, 0, 0], [0, 0]])
def test_sparse_constants_that_do_not_fit_are_refused(where: list[int]) -> None:
    model = quantised_model()
    values = numpy_helper.from_array(np.array([0.5], np.float32), "addend")
    indices = numpy_helper.from_array(np.array([where], np.int64), "where")
    model.graph.sparse_initializer.add().CopyFrom(
        onnx.SparseTensorProto(values=values, indices=indices, dims=[1, 4, 1, 1])
    )
    with pytest.raises(ModelRefused, match="the indices of the sparse constant addend do not fit its shape"):
        read(model)


def test_a_sparse_constant_beyond_memory_is_refused() -> None:
    model = quantised_model()
    values = numpy_helper.from_array(np.array([0.5], np.float32), "addend")
    indices = numpy_helper.from_array(np.array([3], np.int64), "where")
    model.graph.sparse_initializer.add().CopyFrom(
        onnx.SparseTensorProto(values=values, indices=indices, dims=[1 << 20, 1 << 20])
    )
    with pytest.raises(ModelRefused, match=r"tensor addend of shape \[1048576, 1048576\] would take more than"):
        read(model)
