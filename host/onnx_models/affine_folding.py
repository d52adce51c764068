"""Batch normalisation, in any spelling, folded into the layer beside it, in a float model before it is quantised.

Between a layer and its activation, each scaling and shifting by constants would have to be quantised and requantised
on the host. What a layer and such a chain compute together is another layer: weights and bias change, computed in
float64 and rounded once.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import helper

from wingrid.host.onnx_models.affine_maps import AffineMap, affine_map
from wingrid.host.onnx_models.graph_editing import EditedGraph
from wingrid.host.onnx_models.linear_layers import LinearLayer


@dataclass(frozen=True)
class Folding:
    """A layer, and the nodes before and behind it that it does now."""

    layer: str
    nodes: tuple[str, ...]


@dataclass(frozen=True)
class _Chain:
    """Nodes in a row, in order, between the tensors ``source`` and ``target``, and what they compute."""

    nodes: tuple[onnx.NodeProto, ...]
    source: str
    target: str
    map: AffineMap


def fold_affine(model: onnx.ModelProto, keep: Collection[str] = ()) -> tuple[onnx.ModelProto, list[Folding]]:
    """The float model with affine nodes folded into Conv, ConvTranspose, Gemm and MatMul, and what was folded.

    These are chains of BatchNormalization, Add, Sub, Mul, Div, Neg and Identity with constants for each channel or all
    of them. Behind a layer all are folded; before it one scale for all channels, and shifts if nothing is padded. What
    the graph gives out or others read as well stays, and so do the nodes named in ``keep``. Behind a MatMul an Add is
    left if there is anything to add.
    """
    graph = EditedGraph(model)
    found = []
    for node in graph.nodes:
        layer = LinearLayer.of(node, graph.constants)
        if layer is None or node.name in keep:
            continue
        before, behind = _before(graph, node, layer, keep), _behind(graph, node, layer, keep)
        if (before.nodes or behind.nodes) and _fold(graph, node, layer, before, behind):
            found.append(Folding(node.name, tuple(old.name for old in (*before.nodes, *behind.nodes))))
    graph.drop_what_nobody_reads()
    return graph.model, found


def _behind(graph: EditedGraph, node: onnx.NodeProto, layer: LinearLayer, keep: Collection[str]) -> _Chain:
    """The chain that takes the layer's output."""
    source = tensor = node.output[0]
    channels = layer.output(layer.rank(len(graph.shapes[tensor]) if tensor in graph.shapes else None))
    nodes, total = [], AffineMap.identity(channels.count)
    while (follower := graph.only_reader(tensor)) is not None and follower.name not in keep:
        step = affine_map(follower, tensor, graph.constants, channels)
        if step is None:
            break
        nodes.append(follower)
        total = total.then(step)
        tensor = follower.output[0]
    return _Chain(tuple(nodes), source, tensor, total)


def _before(graph: EditedGraph, node: onnx.NodeProto, layer: LinearLayer, keep: Collection[str]) -> _Chain:
    """The longest chain before the layer's input that the layer can take over."""
    target = tensor = node.input[0]
    nodes: list[onnx.NodeProto] = []
    longest = _Chain((), target, target, AffineMap.identity(layer.channels))
    total = longest.map
    while graph.is_read_once(tensor) and (producer := graph.producer(tensor)) and producer.name not in keep:
        sources = [name for name in producer.input if name not in graph.constants]
        shape = graph.shapes.get(sources[0], ()) if len(sources) == 1 else ()
        channels = layer.input(layer.rank(len(shape)))
        # A constant must not make the tensor any larger, so the tensor's own size has to be known.
        if len(shape) != channels.rank or shape[channels.axis] != channels.count:
            break
        step = affine_map(producer, sources[0], graph.constants, channels)
        if step is None:
            break
        nodes.insert(0, producer)
        total = step.then(total)
        tensor = sources[0]
        if layer.takes(total):
            longest = _Chain(tuple(nodes), tensor, target, total)
    return longest


def _fold(graph: EditedGraph, node: onnx.NodeProto, layer: LinearLayer, before: _Chain, behind: _Chain) -> bool:
    """Give the layer new weights in place of both chains; ``False`` if that wins nothing or overflows."""
    gone = (*before.nodes, *behind.nodes)
    operands = layer.folded(before.map, behind.map)
    if operands is None:
        return False
    weights, bias = operands
    adds = node.op_type == "MatMul" and bias is not None
    if adds and len(gone) == 1 and gone[0].op_type in ("Add", "Sub"):
        return False  # an addition would take the place of an addition
    node.input[0], node.output[0] = before.source, behind.target
    if not np.array_equal(weights, layer.weights):
        node.input[1] = graph.add_constant(f"{node.name}_weights", weights)
    following = None
    if bias is not None:
        name = graph.add_constant(f"{node.name}_bias", bias)
        if adds:
            node.output[0] = graph.unused(f"{node.name}_product")
            following = helper.make_node("Add", [node.output[0], name], [behind.target], name=f"{node.name}_addition")
        else:
            node.input[2:] = [name]
            for attribute in [attribute for attribute in node.attribute if attribute.name == "beta"]:
                node.attribute.remove(attribute)
    graph.replace(gone, node, following)
    return True
