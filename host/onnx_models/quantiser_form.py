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
import onnx
from onnx import helper, numpy_helper

from wingrid.host.onnx_models.graph_editing import EditedGraph
from wingrid.host.onnx_models.nodes import attributes_of, from_outside, inner_graphs
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


def fit_for_quantiser(model: onnx.ModelProto) -> tuple[onnx.ModelProto, list[str]]:
    """The model, whose constants are initialisers, in that form; it computes the same, but for rounding.

    Also the names of nodes that the quantiser cannot handle at all.
    """
    graph = EditedGraph(model)
    for node in graph.nodes:
        while node.input and not node.input[-1]:
            del node.input[-1]
        if node.op_type == "Gemm":
            _plain_product(node, graph)
    _own_constants(graph)
    for node in graph.nodes:
        _apart_from_inner_graphs(node, graph)
    _outputs_apart_from_clamps(graph)
    graph.drop_what_nobody_reads()
    return graph.model, [node.name for node in graph.nodes if _defeats_quantiser(node)]


def _plain_product(node: onnx.NodeProto, graph: EditedGraph) -> None:
    """A Gemm without factors, and with one constant for each output channel as its bias, or none.

    What it adds otherwise is added by a node of its own.
    """
    attributes = attributes_of(node)
    alpha, beta = attributes.get("alpha", 1.0), attributes.get("beta", 1.0)
    weights = graph.constants.get(node.input[1])
    if weights is None or weights.dtype != np.float32:
        return
    if alpha != 1:
        node.input[1] = graph.add_constant(node.input[1], weights * np.float32(alpha))
    channels = weights.shape[0 if attributes.get("transB", 0) else 1]
    if len(node.input) > 2:
        bias = graph.constants.get(node.input[2])
        if bias is not None and bias.size in (1, channels) and bias.shape[-1:] in ((), (1,), (channels,)):
            row = np.broadcast_to(bias.reshape(-1) * np.float32(beta), (channels,))
            node.input[2] = graph.add_constant(node.input[2], row)
        else:
            _add_afterwards(node, beta, graph)
    kept = [attribute for attribute in node.attribute if attribute.name not in ("alpha", "beta")]
    del node.attribute[:]
    node.attribute.extend(kept)


def _add_afterwards(node: onnx.NodeProto, beta: float, graph: EditedGraph) -> None:
    """Take the third input from the product and add it, ``beta`` times, behind."""
    addend, output = node.input[2], node.output[0]
    product = graph.unused(f"{output}_product")
    scaled = addend if beta == 1 else graph.unused(f"{addend}_scaled")
    del node.input[2]
    node.output[0] = product
    graph.replace((), node, helper.make_node("Add", [product, scaled], [output], name=f"{node.name}_sum"))
    if beta != 1:
        factor = graph.add_constant(f"{addend}_factor", np.array(beta, np.float32))
        graph.replace((), node, helper.make_node("Mul", [addend, factor], [scaled], name=f"{node.name}_factor"))


def _own_constants(graph: EditedGraph) -> None:
    """A copy of each constant for each place where it is weights or a bias, if it stands in others too."""
    uses = Counter(name for node in graph.nodes for name in node.input)
    uses.update(name for node in graph.nodes for inner in inner_graphs(node) for name in from_outside(inner))
    uses.update(value.name for value in graph.model.graph.output)
    for node in graph.nodes:
        if node.op_type not in WITH_WEIGHTS:
            continue
        for index, name in enumerate(node.input):
            if uses[name] > 1 and name in graph.constants:
                node.input[index] = graph.add_constant(name, graph.constants[name])
                uses[name] -= 1


def _apart_from_inner_graphs(node: onnx.NodeProto, graph: EditedGraph) -> None:
    """Give the graphs inside a node a name of their own for each tensor that they take from outside."""
    aliases: dict[str, str] = {}
    for name in (name for inner in inner_graphs(node) for name in from_outside(inner)):
        if name not in aliases:
            aliases[name] = graph.unused(f"{name}_inside")
            graph.put_before(node, helper.make_node("Identity", [name], [aliases[name]], name=aliases[name]))
    for inner in inner_graphs(node):
        rename(inner, aliases)


def _outputs_apart_from_clamps(graph: EditedGraph) -> None:
    """Another name, inside, for an output of the model that goes into a clamp too."""
    clamped = {node.input[0] for node in graph.nodes if node.op_type in ("Relu", "Clip")}
    for name in dict.fromkeys(value.name for value in graph.model.graph.output):
        maker = graph.producer(name)
        if name in clamped and maker is not None:
            inside = graph.unused(f"{name}_inside")
            for node in graph.nodes:
                node.input[:] = [inside if taken == name else taken for taken in node.input]
                node.output[:] = [inside if left == name else left for left in node.output]
            graph.replace((), maker, helper.make_node("Identity", [inside], [name], name=inside))


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
