"""Walking an imported model: layers go to whoever runs them, everything else to ONNX Runtime."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import onnx

from wingrid.host.execution.layer_run import Job
from wingrid.host.networks.golden import golden
from wingrid.host.onnx_models.graph import AcceleratedStep, HostStep, ImportedGraph, Step, inputs_of, outputs_of
from wingrid.host.onnx_models.nodes import alone_or_together
from wingrid.host.onnx_models.session import Value, compute, model_of, open_session, type_of
from wingrid.host.onnx_models.tensors import is_floating

Values = dict[str, Value]
Walk = Generator[tuple[AcceleratedStep, npt.NDArray[np.int8]], npt.NDArray[np.int8], Values]
Segment = tuple[onnx.ModelProto, Values]
"""Nodes that the host does at once, as a model by themselves, and what that took."""


def walk(
    graph: ImportedGraph, inputs: Mapping[str, npt.NDArray], segments: list[Segment | AcceleratedStep] | None = None
) -> Walk:
    """Yields each layer of the accelerator with its input, and wants its output sent; returns the model's outputs.

    A tensor is kept until the last step that takes it. ``segments`` gets what was done, in order.
    """
    values: Values = dict(inputs)
    uses = Counter(name for step in graph.steps for name in inputs_of(step))
    uses.update(list(graph.outputs))
    for group in alone_or_together(graph.steps, _is_floating):
        first = group[0]
        if isinstance(first, AcceleratedStep):
            if segments is not None:
                segments.append(first)
            source = values[first.source] if first.source in values else graph.constants[first.source]
            output = yield first, first.layer_input(source)
            if first.part is None:
                values[first.target] = first.model_output(output)
            else:
                kind = first.target_type
                whole = values.setdefault(first.target, np.zeros(kind.shape, kind.dtype))
                first.left_in(whole)[:] = first.model_output(output)
        else:
            nodes = [step.node for step in group if isinstance(step, HostStep)]
            needed = {name: values[name] for step in group for name in inputs_of(step) if name in values}
            inside = Counter(name for step in group for name in inputs_of(step))
            left = [name for step in group for name in outputs_of(step) if uses[name] > inside[name]]
            # An operator whose outputs nobody takes has nothing to compute, but ONNX Runtime wants an output.
            kinds = {name: type_of(name, value) for name, value in needed.items()}
            model = model_of(nodes, kinds, graph.constants, left or outputs_of(first), graph.optimised)
            if segments is not None:
                segments.append((model, needed))
            values.update(compute(open_session(model), needed))
        for step in group:
            for name in inputs_of(step):
                uses[name] -= 1
                if not uses[name]:
                    values.pop(name, None)
    return {name: values[name] if name in values else graph.constants[name] for name in graph.outputs}


def _is_floating(step: Step) -> bool:
    return isinstance(step, HostStep) and is_floating(step.node)


def golden_jobs(graph: ImportedGraph, inputs: Mapping[str, npt.NDArray], selected: Sequence[str]) -> Iterator[Job]:
    """The selected layers, each with its golden input and output, in order; nothing is walked beyond the last."""
    left = set(selected)
    steps = walk(graph, inputs)
    expected: npt.NDArray[np.int8] | None = None
    while left:
        step, taken = next(steps) if expected is None else steps.send(expected)
        expected = golden(step.layer, step.operands, taken)
        if step.name in left:
            left.remove(step.name)
            yield Job(step.layer, step.operands, taken, expected)


def outputs_from(
    graph: ImportedGraph, inputs: Mapping[str, npt.NDArray], results: Mapping[str, npt.NDArray[np.int8]]
) -> Values:
    """The model's outputs where the accelerator has left these results, by the name of the layer."""
    steps = walk(graph, inputs)
    try:
        step, _ = next(steps)
        while True:
            step, _ = steps.send(results[step.name])
    except StopIteration as end:
        return dict(end.value)


def onnxruntime_outputs(graph: ImportedGraph, inputs: Mapping[str, npt.NDArray]) -> Values:
    """What ONNX Runtime computes for the whole model, at its default optimisation level."""
    return compute(open_session(graph.model, int8_kernels=graph.int8_kernels), inputs)


def golden_outputs(graph: ImportedGraph, inputs: Mapping[str, npt.NDArray]) -> Values:
    """The model's outputs with the golden model in the accelerator's place."""
    selected = [step.name for step in graph.accelerated]
    results = {job.layer.name: _known(job) for job in golden_jobs(graph, inputs, selected)}
    return outputs_from(graph, inputs, results)


def _known(job: Job) -> npt.NDArray[np.int8]:
    return golden(job.layer, job.operands, job.x) if job.expected is None else job.expected
