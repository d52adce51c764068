"""A model's graph while its nodes change: who makes and reads each tensor, constants and known sizes."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper, shape_inference

from wingrid.host.onnx_models.nodes import all_graphs, all_nodes
from wingrid.host.onnx_models.tensors import constants_of


class EditedGraph:
    """A copy of a model, ``model``, whose nodes may be changed and replaced.

    ``constants`` has its constants by name, ``shapes`` the sizes of tensors whose rank is known, 0 where a size is not.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        self.model = onnx.ModelProto()
        self.model.CopyFrom(model)
        self.constants = _constants(self.model)
        self.shapes = _shapes(self.model)
        self._index()
        self._read_once = set(self._uses)

    @property
    def nodes(self) -> list[onnx.NodeProto]:
        """The nodes as they are now."""
        return list(self.model.graph.node)

    def producer(self, tensor: str) -> onnx.NodeProto | None:
        """The node that makes a tensor."""
        return self._producers.get(tensor)

    def only_reader(self, tensor: str) -> onnx.NodeProto | None:
        """The node that reads a tensor; ``None`` if it reads it twice, others do too, or the graph gives it out."""
        return self._readers.get(tensor) if self.is_read_once(tensor) else None

    def is_read_once(self, tensor: str) -> bool:
        """Whether one node reads the tensor, once, and nobody else wants it."""
        return self._uses[tensor] == 1

    def replace(self, gone: Iterable[onnx.NodeProto], node: onnx.NodeProto, following: onnx.NodeProto | None) -> None:
        """Remove nodes that ``node``, changed already, has taken over, and put ``following`` behind it."""
        nodes = self.model.graph.node
        for old in gone:
            nodes.remove(old)
        if following is not None:
            nodes.insert(self.nodes.index(node) + 1, following)
        self._index()

    def put_before(self, node: onnx.NodeProto, preceding: onnx.NodeProto) -> None:
        """Put a new node before one that is there."""
        self.model.graph.node.insert(self.nodes.index(node), preceding)
        self._index()

    def add_constant(self, wanted: str, values: npt.NDArray) -> str:
        """A new initialiser; returns its name."""
        name = self.unused(wanted)
        self.model.graph.initializer.append(numpy_helper.from_array(values, name))
        self.constants[name] = values
        return name

    def unused(self, wanted: str) -> str:
        """A name, as wanted or nearly so, that no tensor has."""
        taken = {*self._uses, *self._producers, *self.constants, *(value.name for value in self.model.graph.input)}
        names = itertools.chain([wanted], (f"{wanted}_{number}" for number in itertools.count(2)))
        return next(name for name in names if name not in taken)

    def drop_what_nobody_reads(self) -> None:
        """Remove constants that have lost their readers, and what is said of tensors that are gone."""
        graph = self.model.graph
        while stale := (self._read_once & self.constants.keys()) - self._uses.keys():
            _remove(graph.initializer, stale)
            for node in [node for node in graph.node if stale.intersection(node.output)]:
                graph.node.remove(node)
            self._read_once -= stale
            self._index()
        known = {*self._producers, *(value.name for value in graph.input)}
        _remove(graph.value_info, {value.name for value in graph.value_info} - known)

    def _index(self) -> None:
        nodes = self.model.graph.node
        self._uses = Counter(_read(self.model))
        self._producers = {name: node for node in nodes for name in node.output}
        self._readers = {name: node for node in nodes for name in node.input}


def _remove(entries: Any, names: Collection[str]) -> None:  # noqa: ANN401 (protobuf's lists have no common type)
    for entry in [entry for entry in entries if entry.name in names]:
        entries.remove(entry)


def _constants(model: onnx.ModelProto) -> dict[str, npt.NDArray]:
    """Initialisers, floats of Constant nodes, and what Identity makes of them, by name."""
    constants = constants_of(model)
    for node in model.graph.node:
        if node.op_type == "Constant" and node.domain in ("", "ai.onnx"):
            for attribute in node.attribute:
                value = helper.get_attribute_value(attribute)
                if attribute.name == "value":
                    constants[node.output[0]] = numpy_helper.to_array(value)
                elif attribute.name in ("value_float", "value_floats"):
                    constants[node.output[0]] = np.array(value, np.float32)
        elif node.op_type == "Identity" and node.input[0] in constants:
            constants[node.output[0]] = constants[node.input[0]]
    return constants


def _shapes(model: onnx.ModelProto) -> dict[str, tuple[int, ...]]:
    """Sizes of the tensors whose rank is known, 0 where a size is not."""
    graph = shape_inference.infer_shapes(model).graph
    return {
        value.name: tuple(dimension.dim_value for dimension in value.type.tensor_type.shape.dim)
        for value in (*graph.input, *graph.value_info, *graph.output)
        if value.type.tensor_type.HasField("shape")
    }


def _read(model: onnx.ModelProto) -> Iterator[str]:
    """Each tensor as often as nodes read it or graphs give it out, graphs within nodes too."""
    for node in all_nodes(model):
        yield from node.input
    for graph in all_graphs(model):
        yield from (value.name for value in graph.output)
