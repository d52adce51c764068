"""ONNX nodes: attributes, padding, graphs inside them, and who takes their outputs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, TypeVar

import onnx
from onnx import helper

T = TypeVar("T")


class Consumers:
    """The nodes that take each tensor of a graph."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self._outputs = {value.name for value in graph.output}
        self._nodes = list(graph.node)
        self._positions: dict[str, list[int]] = defaultdict(list)
        for position, node in enumerate(self._nodes):
            for name in taken_by(node):
                self._positions[name].append(position)

    def only(self, tensor: str) -> onnx.NodeProto | None:
        """The one node that takes the tensor, ``None`` if others do too, or the model's user."""
        positions = self._positions[tensor]
        return self._nodes[positions[0]] if len(positions) == 1 and not self.is_output(tensor) else None

    def positions(self, tensor: str) -> Sequence[int]:
        """Where in the graph the nodes stand that take the tensor, in order."""
        return self._positions[tensor]

    def node(self, position: int) -> onnx.NodeProto:
        """The node that stands there in the graph."""
        return self._nodes[position]

    def is_output(self, tensor: str) -> bool:
        """Whether the tensor is an output of the graph."""
        return tensor in self._outputs


def attributes_of(node: onnx.NodeProto) -> dict[str, Any]:
    """Attributes by name, as Python values."""
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def inner_graphs(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    """The graphs that a node carries, as If, Loop and Scan do."""
    for attribute in node.attribute:
        if attribute.type == onnx.AttributeProto.GRAPH:
            yield attribute.g
        yield from attribute.graphs


def all_graphs(model: onnx.ModelProto) -> Iterator[onnx.GraphProto]:
    """The model's graph, and all graphs inside its nodes, the outer ones first."""
    waiting = [model.graph]
    while waiting:
        graph = waiting.pop()
        yield graph
        waiting += [inner for node in graph.node for inner in inner_graphs(node)]


def all_nodes(model: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    """The nodes of all graphs and of the model's own functions."""
    for graph in all_graphs(model):
        yield from graph.node
    for function in model.functions:
        yield from function.node


def taken_by(node: onnx.NodeProto) -> dict[str, None]:
    """Names of the tensors that a node takes, in order: its inputs, and what the graphs inside it take from outside."""
    names = dict.fromkeys(name for name in node.input if name)
    for graph in inner_graphs(node):
        names |= from_outside(graph)
    return names


def from_outside(graph: onnx.GraphProto) -> dict[str, None]:
    """Names of the tensors that a graph inside a node takes from the one around it, in order."""
    made = {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}
    made |= {name for inner in graph.node for name in inner.output}
    wanted = [name for inner in graph.node for name in taken_by(inner)] + [value.name for value in graph.output]
    return dict.fromkeys(name for name in wanted if name not in made)


def padding_of(
    attributes: dict[str, Any],
    sizes: Sequence[int],
    kernel: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
) -> list[int]:
    """Pixels of padding, starts of all axes and then their ends, by ``pads`` or ``auto_pad``.

    SAME makes ceil(size / stride) outputs; of an odd number of pixels, the additional one goes to the end for
    SAME_UPPER and to the start for SAME_LOWER (ONNX operator specification, Conv).
    """
    how = attributes.get("auto_pad", b"NOTSET").decode()
    axes = len(kernel)
    if how in ("NOTSET", ""):
        return list(attributes.get("pads", [0] * 2 * axes))
    if how == "VALID":
        return [0] * 2 * axes
    starts, ends = [], []
    for size, taps, stride, dilation in zip(sizes, kernel, strides, dilations, strict=True):
        outputs = -(-size // stride)
        total = max(0, (outputs - 1) * stride + (taps - 1) * dilation + 1 - size)
        less = total // 2
        starts.append(total - less if how == "SAME_LOWER" else less)
        ends.append(less if how == "SAME_LOWER" else total - less)
    return starts + ends


def alone_or_together(items: Iterable[T], together: Callable[[T], bool]) -> Iterator[list[T]]:
    """The items in order: neighbours that may be ``together`` in one list, each of the others in its own."""
    for joined, group in groupby(items, together):
        if joined:
            yield list(group)
        else:
            yield from ([item] for item in group)
