"""Names that nothing in a model can clash with, for tools that make new names of those they find, and the way back."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import onnx

from wingrid.host.onnx_models.nodes import all_graphs, inner_graphs

_PLAIN = "wingrid:{}"
_MADE = re.compile(r"wingrid:(\d+)(.*)", re.DOTALL)
"""A plain name, and what a tool has put behind it."""


def give_plain_names(model: onnx.ModelProto) -> dict[str, str]:
    """Give the tensors of the model's graph plain names, in place; returns them by the names that they had."""
    names = {name: _PLAIN.format(number) for number, name in enumerate(dict.fromkeys(_tensors(model.graph)))}
    rename(model.graph, names)
    return names


def give_names_back(model: onnx.ModelProto, plain: Mapping[str, str]) -> None:
    """Give tensors the names that they had, in place; those made of plain ones get the same ending, and stay unique."""
    had = list(plain)
    inner = (name for graph in all_graphs(model) if graph is not model.graph for name in _tensors(graph))
    rename(model.graph, _way_back([*_tensors(model.graph), *inner], had))
    names = _way_back([node.name for node in model.graph.node], had)
    for node in model.graph.node:
        node.name = names[node.name]


def rename(graph: onnx.GraphProto, names: Mapping[str, str]) -> None:
    """Rename tensors, in the graph and in those inside its nodes."""
    for named in (*graph.input, *graph.output, *graph.value_info, *graph.initializer):
        named.name = names.get(named.name, named.name)
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
        for inner in inner_graphs(node):
            rename(inner, names)


def _tensors(graph: onnx.GraphProto) -> Iterable[str]:
    """All that are made in the graph, or come into it."""
    yield from (named.name for named in (*graph.input, *graph.initializer))
    yield from (name for node in graph.node for name in node.output if name)


def _way_back(found: Iterable[str], had: Sequence[str]) -> dict[str, str]:
    names: dict[str, str] = {}
    made: dict[str, str] = {}
    for name in found:
        match = _MADE.fullmatch(name)
        if match is None:
            names[name] = name
        elif match[2]:
            made[name] = had[int(match[1])] + match[2]
        else:
            names[name] = had[int(match[1])]
    taken = set(names.values())
    for name, wanted in made.items():
        unique, suffix = wanted, 1
        while unique in taken:
            suffix += 1
            unique = f"{wanted}_{suffix}"
        taken.add(unique)
        names[name] = unique
    return names
