"""A float model in the form that ONNX Runtime's quantiser handles: what it trips over is written another way.

It quantises a constant once, for the one place where it stands: with the input's scale for a bias, along the axis of
output channels for weights. It takes biases for rows with one value for each output channel, drops a factor before
them, does not look into graphs inside of nodes, and gives what goes into a ReLU the range of what comes out, though it
may be an output of the model too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from wingrid.host.onnx_models.nodes import attributes_of, from_outside, inner_graphs, taken_by
from wingrid.host.onnx_models.plain_names import rename

WITH_WEIGHTS = (
    "Conv",
    "ConvTranspose",
    "Gemm",
    "MatMul",
    "InstanceNormalization",
    "LayerNormalization",
    "BatchNormalization",
)
"""Operators whose constants the quantiser takes for weights and biases."""


def fit_for_quantiser(model: onnx.ModelProto) -> list[str]:
    """Bring the model, whose constants are initialisers, into that form, in place; computes the same, but for rounding.

    Returns the names of nodes that the quantiser cannot handle at all.
    """
    editor = _Editor(model.graph)
    for node in list(model.graph.node):
        while node.input and not node.input[-1]:
            del node.input[-1]
        if node.op_type == "Gemm":
            _plain_product(node, editor)
    _own_constants(model.graph, editor)
    for node in list(model.graph.node):
        _apart_from_inner_graphs(node, editor)
    _outputs_apart_from_clamps(model.graph, editor)
    _drop_unused(model.graph)
    return [node.name for node in model.graph.node if _defeats_quantiser(node)]


class _Editor:
    """Adds constants, nodes and names to a graph."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.graph = graph
        self.constants = {tensor.name: tensor for tensor in graph.initializer}
        self._taken = {*self.constants, *(value.name for value in graph.input)}
        self._taken |= {name for node in graph.node for name in node.output}

    def array(self, name: str) -> npt.NDArray | None:
        """The constant of that name, if there is one."""
        tensor = self.constants.get(name)
        return None if tensor is None else numpy_helper.to_array(tensor)

    def add_constant(self, values: npt.NDArray, wanted: str) -> str:
        """Returns the new constant's name, which is like the one wanted."""
        name = self.fresh(wanted)
        tensor = self.graph.initializer.add()
        tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(values), name))
        self.constants[name] = tensor
        return name

    def fresh(self, wanted: str) -> str:
        name, suffix = wanted, 1
        while name in self._taken:
            suffix += 1
            name = f"{wanted}_{suffix}"
        self._taken.add(name)
        return name

    def place(self, node: onnx.NodeProto) -> int:
        """Where among the graph's nodes the node stands."""
        return next(index for index, other in enumerate(self.graph.node) if other is node or other == node)


def _plain_product(node: onnx.NodeProto, editor: _Editor) -> None:
    """A Gemm without factors, and with one constant for each output channel as its bias, or none.

    What it adds otherwise is added by a node of its own.
    """
    attributes = attributes_of(node)
    alpha, beta = attributes.get("alpha", 1.0), attributes.get("beta", 1.0)
    weights = editor.array(node.input[1])
    if weights is None or weights.dtype != np.float32:
        return
    if alpha != 1:
        node.input[1] = editor.add_constant(weights * np.float32(alpha), node.input[1])
    channels = weights.shape[0 if attributes.get("transB", 0) else 1]
    if len(node.input) > 2:
        bias = editor.array(node.input[2])
        if bias is not None and bias.size in (1, channels) and bias.shape[-1:] in ((), (1,), (channels,)):
            row = np.broadcast_to(bias.reshape(-1) * np.float32(beta), (channels,))
            node.input[2] = editor.add_constant(row, node.input[2])
        else:
            _add_afterwards(node, beta, editor)
    kept = [attribute for attribute in node.attribute if attribute.name not in ("alpha", "beta")]
    del node.attribute[:]
    node.attribute.extend(kept)


def _add_afterwards(node: onnx.NodeProto, beta: float, editor: _Editor) -> None:
    """Take the third input from the product and add it, ``beta`` times, behind."""
    addend, output = node.input[2], node.output[0]
    product = editor.fresh(f"{output}_product")
    added = [helper.make_node("Add", [product, addend], [output], name=f"{node.name}_sum")]
    if beta != 1:
        factor = editor.add_constant(np.array(beta, np.float32), f"{addend}_factor")
        added[0].input[1] = editor.fresh(f"{addend}_scaled")
        added.insert(0, helper.make_node("Mul", [addend, factor], [added[0].input[1]], name=f"{node.name}_factor"))
    place = editor.place(node)
    del node.input[2]
    node.output[0] = product
    for offset, extra in enumerate(added):
        editor.graph.node.insert(place + 1 + offset, extra)


def _own_constants(graph: onnx.GraphProto, editor: _Editor) -> None:
    """A copy of each constant for each place where it is weights or a bias, if it stands in others too."""
    uses = Counter(name for node in graph.node for name in node.input)
    uses.update(name for node in graph.node for inner in inner_graphs(node) for name in from_outside(inner))
    uses.update(value.name for value in graph.output)
    for node in graph.node:
        if node.op_type not in WITH_WEIGHTS:
            continue
        for index, name in enumerate(node.input):
            values = editor.array(name) if uses[name] > 1 else None
            if values is not None:
                node.input[index] = editor.add_constant(values, name)
                uses[name] -= 1


def _apart_from_inner_graphs(node: onnx.NodeProto, editor: _Editor) -> None:
    """Give the graphs inside a node a name of their own for each tensor that they take from outside."""
    aliases: dict[str, str] = {}
    for name in (name for inner in inner_graphs(node) for name in from_outside(inner)):
        if name not in aliases:
            aliases[name] = editor.fresh(f"{name}_inside")
            alias = helper.make_node("Identity", [name], [aliases[name]], name=f"{aliases[name]}_identity")
            editor.graph.node.insert(editor.place(node), alias)
    for inner in inner_graphs(node):
        rename(inner, aliases)


def _outputs_apart_from_clamps(graph: onnx.GraphProto, editor: _Editor) -> None:
    """Another name, inside, for an output of the model that goes into a clamp too."""
    clamped = {node.input[0] for node in graph.node if node.op_type in ("Relu", "Clip")}
    made = {name for node in graph.node for name in node.output}
    for name in dict.fromkeys(value.name for value in graph.output):
        if name in clamped & made:
            inside = editor.fresh(f"{name}_inside")
            for node in graph.node:
                node.input[:] = [inside if taken == name else taken for taken in node.input]
                node.output[:] = [inside if left == name else left for left in node.output]
            graph.node.append(helper.make_node("Identity", [inside], [name], name=f"{inside}_identity"))


def _drop_unused(graph: onnx.GraphProto) -> None:
    """Take out constants that nothing needs: ONNX Runtime warns about each of them."""
    used = {name for node in graph.node for name in taken_by(node)} | {value.name for value in graph.output}
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)


def _defeats_quantiser(node: onnx.NodeProto) -> bool:
    """Its scales of a transposed convolution are one for each output channel of a group, of a bias one for each."""
    return node.op_type == "ConvTranspose" and len(node.input) > 2 and attributes_of(node).get("group", 1) > 1


def nodes_beyond_numbers(model: onnx.ModelProto, unbounded: Sequence[str]) -> list[str]:
    """Names of the nodes that take or make tensors which hold infinities: these tensors, or such constants."""
    without_range = {*unbounded}
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if np.issubdtype(values.dtype, np.floating) and not np.isfinite(values).all():
            without_range.add(tensor.name)
    return [node.name for node in model.graph.node if without_range.intersection((*node.input, *node.output))]
