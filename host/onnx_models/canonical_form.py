"""A model in the form in which ONNX Runtime is asked about it: whatever exporters leave untidy is put in order.

Nothing here depends on sizes, and nothing changes what is computed, but for float16 and float64, see ``precision``.
"""

from __future__ import annotations

from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from wingrid.host.onnx_models.nodes import all_graphs, all_nodes, attributes_of, taken_by
from wingrid.host.onnx_models.precision import in_single_precision
from wingrid.host.onnx_models.refusal import ModelRefused
from wingrid.host.onnx_models.shapes import require_bounded

RANDOM = ("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli")
"""Operators that draw numbers, other ones in each session unless they have a seed."""

SEED = 1.0


def put_in_order(model: onnx.ModelProto) -> Iterator[str]:
    """Bring the model, a checked one, into that form, in place; yields a sentence for each thing that changed.

    Raises ``ModelRefused`` for a graph that has no order, and for constants beyond all measure.
    """
    for change in (_dense, _sorted, _without_defaults, _with_open_batch, _seeded, _without_stale_shapes):
        if said := change(model):
            yield said
    yield from in_single_precision(model)


def _dense(model: onnx.ModelProto) -> str:
    """Sparse constants as ordinary ones: what reads constants knows no others."""
    count = 0
    for graph in all_graphs(model):
        for sparse in graph.sparse_initializer:
            graph.initializer.append(numpy_helper.from_array(_dense_values(sparse), sparse.values.name))
            count += 1
        del graph.sparse_initializer[:]
    return f"Sparse constants were made dense: {count}." if count else ""


def _dense_values(sparse: onnx.SparseTensorProto) -> npt.NDArray:
    """ONNX IR specification, SparseTensorProto: one index into the flat tensor for each value, or one for each axis."""
    name, shape = sparse.values.name, tuple(sparse.dims)
    values = numpy_helper.to_array(sparse.values)
    require_bounded(name, shape, values.dtype.itemsize)
    dense = np.zeros(shape, values.dtype)
    indices = numpy_helper.to_array(sparse.indices)
    try:
        places = indices if indices.ndim == 1 else np.ravel_multi_index(tuple(indices.T), shape)
        dense.reshape(-1)[places] = values
    except (IndexError, ValueError):
        raise ModelRefused(f"the indices of the sparse constant {name} do not fit its shape {list(shape)}") from None
    return dense


def _sorted(model: onnx.ModelProto) -> str:
    """Nodes behind those whose outputs they take."""
    count = sum(_sort(graph) for graph in all_graphs(model))
    return "The nodes were sorted, each behind those whose outputs it takes." if count else ""


def _sort(graph: onnx.GraphProto) -> bool:
    """Whether the nodes had to be moved."""
    maker = {name: index for index, node in enumerate(graph.node) for name in node.output if name}
    needs = {index: [maker[name] for name in taken_by(node) if name in maker] for index, node in enumerate(graph.node)}
    if all(before < index for index, makers in needs.items() for before in makers):
        return False
    try:
        order = list(TopologicalSorter(needs).static_order())
    except CycleError as error:
        names = ", ".join(graph.node[index].name for index in dict.fromkeys(error.args[1]))
        raise ModelRefused(f"nodes need each other's outputs in a circle: {names}") from None
    nodes = [graph.node[index] for index in order]
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(copies)
    return True


def _without_defaults(model: onnx.ModelProto) -> str:
    """Constants that might be given as inputs, and never are: ONNX Runtime would fold nothing that depends on them."""
    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in constants]
    count = len(model.graph.input) - len(inputs)
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    if count and model.ir_version < _CONSTANTS_ARE_NO_INPUTS:
        model.ir_version = _CONSTANTS_ARE_NO_INPUTS
        return ""  # before that version it was the rule
    return f"Inputs with defaults were taken as constants: {count}." if count else ""


_CONSTANTS_ARE_NO_INPUTS = 4
"""The first IR version in which a constant need not be among the inputs."""


def _with_open_batch(model: onnx.ModelProto) -> str:
    """Sizes below zero are open ones: ONNX Runtime takes them so, and PaddlePaddle writes them."""
    count = 0
    for value in model.graph.input:
        for dimension in value.type.tensor_type.shape.dim:
            if dimension.HasField("dim_value") and dimension.dim_value < 0:
                dimension.ClearField("dim_value")
                count += 1
    return "Sizes of -1 were taken as open." if count else ""


def _seeded(model: onnx.ModelProto) -> str:
    """Random numbers that are the same in every session."""
    count = 0
    for node in all_nodes(model):
        if node.op_type in RANDOM and "seed" not in attributes_of(node):
            node.attribute.append(helper.make_attribute("seed", SEED))
            count += 1
    return f"Nodes that draw random numbers were given a seed: {count}." if count else ""


def _without_stale_shapes(model: onnx.ModelProto) -> str:
    """Shapes are inferred afresh: those in the file may be from before an edit. ONNX Runtime drops them too."""
    for graph in all_graphs(model):
        del graph.value_info[:]
        for value in graph.output:
            if value.type.HasField("tensor_type"):
                value.type.tensor_type.ClearField("shape")
    return ""
