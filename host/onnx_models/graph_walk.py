"""Walking an imported model: layers go to whoever runs them, everything else to ONNX Runtime node by node."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from wingrid.host.execution.layer_run import Job
from wingrid.host.networks.golden import golden
from wingrid.host.onnx_models.graph import AcceleratedStep, HostStep, ImportedGraph
from wingrid.host.onnx_models.session import compute, open_session, run_nodes

Values = dict[str, npt.NDArray]
Walk = Generator[tuple[AcceleratedStep, npt.NDArray[np.int8]], npt.NDArray[np.int8], Values]


def walk(graph: ImportedGraph, x: npt.NDArray) -> Walk:
    """Yields each layer of the accelerator with its input, and wants its output sent; returns the model's outputs.

    A tensor is kept until the last step that takes it.
    """
    values: Values = {graph.input: x}
    uses = Counter(name for step in graph.steps for name in _inputs(step))
    uses.update(graph.outputs)
    for step in graph.steps:
        if isinstance(step, AcceleratedStep):
            source = values[step.source] if step.source in values else graph.constants[step.source]
            output = yield step, step.layer_input(source)
            values[step.target] = step.model_output(output)
        else:
            needed = {name: values[name] for name in step.node.input if name in values}
            outputs = [name for name in step.node.output if name]
            values.update(run_nodes([step.node], needed, graph.constants, outputs, graph.optimised))
        for name in _inputs(step):
            uses[name] -= 1
            if not uses[name]:
                values.pop(name, None)
    return {name: values[name] if name in values else graph.constants[name] for name in graph.outputs}


def _inputs(step: AcceleratedStep | HostStep) -> list[str]:
    return [step.source] if isinstance(step, AcceleratedStep) else list(step.node.input)


def golden_jobs(graph: ImportedGraph, x: npt.NDArray, selected: Sequence[str]) -> Iterator[Job]:
    """The selected layers, each with its golden input and output, in order; nothing is walked beyond the last."""
    left = set(selected)
    steps = walk(graph, x)
    step, taken = next(steps)
    while left:
        expected = golden(step.layer, step.operands, taken)
        if step.name in left:
            left.remove(step.name)
            yield Job(step.layer, step.operands, taken, expected)
        if left:
            step, taken = steps.send(expected)


def outputs_from(graph: ImportedGraph, x: npt.NDArray, results: Mapping[str, npt.NDArray[np.int8]]) -> Values:
    """The model's outputs where the accelerator has left these results, by the name of the layer."""
    steps = walk(graph, x)
    step, _ = next(steps)
    while True:
        try:
            step, _ = steps.send(results[step.name])
        except StopIteration as end:
            return dict(end.value)


def onnxruntime_outputs(graph: ImportedGraph, x: npt.NDArray) -> Values:
    """What ONNX Runtime computes for the whole model, at its default optimisation level."""
    return compute(open_session(graph.model, int8_kernels=graph.int8_kernels), {graph.input: x})


def golden_outputs(graph: ImportedGraph, x: npt.NDArray) -> Values:
    """The model's outputs with the golden model in the accelerator's place."""
    results = {job.layer.name: _known(job) for job in golden_jobs(graph, x, [step.name for step in graph.accelerated])}
    return outputs_from(graph, x, results)


def _known(job: Job) -> npt.NDArray[np.int8]:
    return golden(job.layer, job.operands, job.x) if job.expected is None else job.expected
