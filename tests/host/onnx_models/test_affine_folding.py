"""Batch normalisation in any spelling becomes part of its layer; ONNX Runtime computes the same in floating point."""

from collections.abc import Sequence

import numpy as np
import onnx
import pytest
from imported_graphs import differences, imported, quantised_on, read
from onnx import TensorProto, helper, numpy_helper

from wingrid.host.onnx_models.affine_folding import Folding, fold_affine
from wingrid.host.onnx_models.session import Level, compute, open_session


class Writer:
    """Nodes of a float network, one behind the other, with constants as initialisers or nodes."""

    def __init__(self, seed: int = 0, *, constant_nodes: bool = False) -> None:
        self.random = np.random.default_rng([seed, 91])
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, np.ndarray] = {}
        self.constant_nodes = constant_nodes
        self.tensor = "x"

    def constant(self, values: object) -> str:
        array = np.asarray(values, np.float32)
        name = f"c{len(self.constants) + len(self.nodes)}"
        if self.constant_nodes and self.random.random() < 0.5:
            self.nodes.append(helper.make_node("Constant", [], [name], name=name, value=numpy_helper.from_array(array)))
        else:
            self.constants[name] = array
        return name

    def add(self, operator: str, *inputs: str, **attributes: object) -> str:
        name = f"{operator.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [name], name=name, **attributes))
        self.tensor = name
        return name

    def affine(self, channels: int, shapes: Sequence[tuple[int, ...]], *, normalises: bool) -> None:
        """One random affine node; its constant has one of these shapes."""
        kinds = ["Add", "Sub", "Mul", "Div", "Neg", "Identity", "from", *["BatchNormalization"] * normalises]
        kind = str(self.random.choice(kinds))
        if kind in ("Neg", "Identity"):
            self.add(kind, self.tensor)
        elif kind == "BatchNormalization":
            parts = [self.constant(self.random.uniform(0.5, 2, channels)) for _ in range(4)]
            self.add(kind, self.tensor, *parts, epsilon=0.01)
        else:
            shape = shapes[self.random.integers(len(shapes))]
            pair = [self.tensor, self.constant(self.random.uniform(0.5, 2, shape) * self.random.choice([-1, 1]))]
            turned = kind == "from" or (kind in ("Add", "Mul") and self.random.random() < 0.5)
            self.add("Sub" if kind == "from" else kind, *(reversed(pair) if turned else pair))

    def model(self, shape: Sequence[int], outputs: Sequence[str] = (), opset: int = 17) -> onnx.ModelProto:
        graph = helper.make_graph(
            self.nodes,
            "affine",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in (*outputs, self.tensor)],
            [numpy_helper.from_array(value, name) for name, value in self.constants.items()],
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def operators(model: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node if node.op_type != "Constant"]


def folded(model: onnx.ModelProto, keep: Sequence[str] = ()) -> tuple[onnx.ModelProto, list[Folding]]:
    """The folded model, which computes what the original does up to the rounding of float32."""
    changed, found = fold_affine(read(model).proto, keep)
    onnx.checker.check_model(onnx.shape_inference.infer_shapes(changed))
    shape = [dimension.dim_value for dimension in model.graph.input[0].type.tensor_type.shape.dim]
    x = {"x": np.random.default_rng(3).normal(0, 1, shape).astype(np.float32)}
    before, after = (compute(open_session(each, Level.ORT_DISABLE_ALL), x) for each in (model, changed))
    assert before.keys() == after.keys()
    for name, expected in before.items():
        assert np.abs(after[name] - expected).max() <= 1e-5 * np.abs(expected).max(), name
    return changed, found


@pytest.mark.parametrize("seed", range(40))
def test_all_that_is_behind_a_convolution_becomes_part_of_it(seed: int) -> None:
    writer = Writer(seed, constant_nodes=True)
    random = writer.random
    groups, transposed = int(random.choice([1, 2, 4])), seed % 4 == 3
    weights = random.normal(0, 1, (4, 8 // groups, 3, 3) if transposed else (8, 4 // groups, 3, 3))
    bias = [writer.constant(random.normal(0, 1, 8))] if random.random() < 0.5 else []
    operator = "ConvTranspose" if transposed else "Conv"
    writer.add(operator, "x", writer.constant(weights), *bias, group=groups, pads=[1, 0, 1, 0], strides=[2, 1])
    for _ in range(int(random.integers(1, 6))):
        writer.affine(8, [(), (1,), (8, 1, 1), (1, 8, 1, 1), (1, 1, 1)], normalises=True)
    writer.add("Relu", writer.tensor)
    changed, found = folded(writer.model([2, 4, 6, 5]))
    assert operators(changed) == [operator, "Relu"]
    assert len(found) == 1
    read = {name for node in changed.graph.node for name in node.input}
    stored = {tensor.name for tensor in changed.graph.initializer}
    assert stored | {name for node in changed.graph.node if node.op_type == "Constant" for name in node.output} <= read


@pytest.mark.parametrize("seed", range(24))
def test_all_that_is_behind_a_product_becomes_part_of_it_but_for_one_addition(seed: int) -> None:
    writer = Writer(seed, constant_nodes=True)
    random = writer.random
    if gemm := seed % 2 == 0:
        turned = int(random.integers(2))
        weights = random.normal(0, 1, (5, 7) if turned else (7, 5))
        bias = [writer.constant(random.normal(0, 1, [(5,), (1, 5), ()][seed % 3]))] if random.random() < 0.7 else []
        writer.add("Gemm", "x", writer.constant(weights), *bias, transB=turned, alpha=0.5, beta=1.5)
    else:
        writer.add("MatMul", "x", writer.constant(random.normal(0, 1, (7, 5))))
    for _ in range(4):
        writer.affine(5, [(), (1,), (5,), (1, 5)], normalises=gemm)
    writer.add("Relu", writer.tensor)
    changed, _ = folded(writer.model([3, 7] if gemm else [2, 3, 7]))
    assert operators(changed) in (["Gemm", "Relu"], ["MatMul", "Add", "Relu"], ["MatMul", "Relu"])


@pytest.mark.parametrize("padding", [0, 1])
def test_before_a_convolution_scales_are_folded_and_shifts_if_there_is_no_padding(padding: int) -> None:
    writer = Writer(1)
    writer.add("Sub", "x", writer.constant(np.arange(3).reshape(3, 1, 1)))
    writer.add("Div", writer.tensor, writer.constant(0.25))
    writer.add("Identity", writer.tensor)
    weights = writer.constant(writer.random.normal(0, 1, (4, 3, 3, 3)))
    writer.add("Conv", writer.tensor, weights, pads=[padding] * 4)
    changed, found = folded(writer.model([1, 3, 6, 6]))
    assert operators(changed) == (["Sub", "Conv"] if padding else ["Conv"])
    assert found == [Folding("conv3", ("div1", "identity2") if padding else ("sub0", "div1", "identity2"))]


def test_before_a_product_too() -> None:
    for operator, shape in (("Gemm", [3, 7]), ("MatMul", [2, 3, 7])):
        writer = Writer(2)
        writer.add("Add", "x", writer.constant(np.arange(7)))
        writer.add("Mul", writer.constant(-0.5), writer.tensor)
        writer.add(operator, writer.tensor, writer.constant(writer.random.normal(0, 1, (7, 5))))
        changed, _ = folded(writer.model(shape))
        assert operators(changed) == (["Gemm"] if operator == "Gemm" else ["MatMul", "Add"])


def test_constants_that_are_not_one_for_each_channel_stop_it() -> None:
    for shape in ((6,), (1, 1, 6), (2, 1, 1, 1), (1, 1, 1, 1, 1)):
        writer = Writer(3)
        writer.add("Conv", "x", writer.constant(writer.random.normal(0, 1, (4, 3, 1, 1))))
        writer.add("Neg", writer.tensor)
        writer.add("Mul", writer.tensor, writer.constant(writer.random.normal(0, 1, shape)))
        changed, _ = folded(writer.model([1, 3, 6, 6]))
        assert operators(changed) == ["Conv", "Mul"], shape


def test_a_constant_that_widens_the_input_is_not_folded() -> None:
    writer = Writer(3)
    writer.add("Add", "x", writer.constant(np.arange(4).reshape(4, 1, 1)))
    writer.add("Conv", writer.tensor, writer.constant(writer.random.normal(0, 1, (4, 4, 1, 1))))
    changed, found = folded(writer.model([1, 1, 6, 6]))
    assert (operators(changed), found) == (["Add", "Conv"], [])


def test_a_quotient_of_a_constant_and_a_division_by_zero_are_not_folded() -> None:
    for divided, divisor in (("conv", "one"), ("one", "conv"), ("conv", "zero")):
        writer = Writer(4)
        names = {"one": writer.constant(1), "zero": writer.constant(0)}
        names["conv"] = writer.add("Conv", "x", writer.constant(writer.random.normal(0, 1, (4, 3, 1, 1))))
        writer.add("Div", names[divided], names[divisor])
        _, found = fold_affine(writer.model([1, 3, 6, 6]))
        assert bool(found) == ((divided, divisor) == ("conv", "one"))


def test_what_others_read_or_the_graph_gives_out_stays() -> None:
    writer = Writer(5)
    conv = writer.add("Conv", "x", writer.constant(writer.random.normal(0, 1, (4, 3, 1, 1))))
    middle = writer.add("Neg", conv)
    writer.add("Mul", middle, writer.constant(3))
    changed, _ = folded(writer.model([1, 3, 6, 6], outputs=[middle]))
    assert operators(changed) == ["Conv", "Mul"]
    writer.add("Mul", writer.tensor, middle)
    changed, _ = folded(writer.model([1, 3, 6, 6]))
    assert operators(changed) == ["Conv", "Mul", "Mul"]
    square = Writer(6)
    square.add("Conv", "x", square.constant(square.random.normal(0, 1, (4, 3, 1, 1))))
    square.add("Add", square.tensor, square.tensor)
    assert operators(folded(square.model([1, 3, 6, 6]))[0]) == ["Conv", "Add"]


def test_nodes_to_keep_are_kept() -> None:
    writer = Writer(7)
    writer.add("Mul", "x", writer.constant(2))
    writer.add("Conv", writer.tensor, writer.constant(writer.random.normal(0, 1, (4, 3, 1, 1))))
    writer.add("Neg", writer.tensor)
    writer.add("Neg", writer.tensor)
    model = writer.model([1, 3, 6, 6])
    assert operators(folded(model, ["mul0", "neg3"])[0]) == ["Mul", "Conv", "Neg"]
    assert folded(model, ["conv1"]) == (model, [])


def test_shared_weights_and_biases_become_each_layers_own() -> None:
    writer = Writer(8)
    weights, bias = writer.constant(writer.random.normal(0, 1, (3, 3, 1, 1))), writer.constant(np.ones(3))
    for factor in (2, 3, None):
        writer.add("Conv", writer.tensor, weights, bias)
        if factor:
            writer.add("Mul", writer.tensor, writer.constant(factor))
        writer.add("Relu", writer.tensor)
    changed, found = folded(writer.model([1, 3, 6, 6]))
    assert operators(changed) == ["Conv", "Relu"] * 3
    assert len(found) == 2
    assert len({node.input[1] for node in changed.graph.node if node.op_type == "Conv"}) == 3


def test_weights_that_would_overflow_are_left() -> None:
    writer = Writer(9)
    writer.add("Conv", "x", writer.constant(np.full((4, 3, 1, 1), 1e30)))
    writer.add("Mul", writer.tensor, writer.constant(1e30))
    changed, found = fold_affine(writer.model([1, 3, 6, 6]))
    assert (operators(changed), found) == (["Conv", "Mul"], [])


def test_a_quantised_model_has_no_trace_of_normalisation() -> None:
    writer = Writer(11)
    for channels in (3, 8):
        writer.add("Conv", writer.tensor, writer.constant(writer.random.normal(0, 0.3, (8, channels, 3, 3))))
        for operator in ("Sub", "Mul", "Add"):
            writer.add(operator, writer.tensor, writer.constant(writer.random.uniform(0.5, 2, (1, 8, 1, 1))))
        writer.add("Relu", writer.tensor)
    x = writer.random.normal(0, 1, (2, 3, 9, 9)).astype(np.float32)
    graph = imported(quantised_on(writer.model([2, 3, 9, 9]), x), x)
    assert differences(graph, x) == []
    assert len(graph.accelerated) == 2
    assert {step.operator for step in graph.host_steps} == {"QuantizeLinear", "DequantizeLinear"}
