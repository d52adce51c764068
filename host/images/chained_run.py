"""A whole ONNX model in one simulated memory, layer after layer from what the ones before have left there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt
import onnx

from wingrid.host.compiler.compile_layer import CompiledLayer, plan_exactly
from wingrid.host.compiler.memory_map import Place, page_after
from wingrid.host.execution.driver import load_program, run_program
from wingrid.host.execution.layer_result import LayerResult
from wingrid.host.execution.layer_run import Job, checked, expected_cycles
from wingrid.host.execution.listener import Listener, Silence
from wingrid.host.execution.setup import Setup
from wingrid.host.images.segmentation import MemoryTensor, Segmentation, segmented
from wingrid.host.images.tensor_memory import tensor_memory
from wingrid.host.images.work import HostWork, worked
from wingrid.host.networks.layer import Operands
from wingrid.host.onnx_models.graph import ImportedGraph, as_type, signed
from wingrid.host.onnx_models.model_run import WholeRun, WholeRunner
from wingrid.host.onnx_models.session import Value, compute, open_session
from wingrid.sim.rtl import build
from wingrid.sim.rtl.simulator import RtlSimulator
from wingrid.sim.timing import build as timing_build


def runner_for(setup: Setup) -> WholeRunner | None:
    """What runs a whole model in one memory, with one job on the RTL; otherwise layers run side by side."""
    return run_chained if setup.backend == "rtl" and setup.jobs == 1 else None


def run_chained(
    graph: ImportedGraph, inputs: Mapping[str, npt.NDArray], setup: Setup, listener: Listener | None = None
) -> WholeRun:
    """Run all layers of a model on one simulated accelerator, and the host's steps between them.

    Tensors lie where their lifetimes leave room; a layer takes what another one left in place, where it lies as it is
    wanted, and the host reads and writes only what it works on or has to lay out anew. Weights, parameters and program
    of each layer are loaded before it. Each output is compared with golden's, each layer's time with the timing
    model's. Raises what ``run_layer`` does.
    """
    hears: Listener = listener or Silence()
    timing_build.library(hears.building)
    build.accelerator_library(setup.config, progress=hears.building)
    work, jobs = worked("model", graph, inputs)
    planned = [plan_exactly(job.layer, partial(_operands, job), setup.config, setup.algorithm) for job in jobs]
    segmentation = segmented(work, planned)
    memory = tensor_memory(segmentation)
    at = {id(tensor): place.start for tensor, place in zip(segmentation.tensors, memory.tensors, strict=True)}
    compiled = [
        layer.placed(Place(at[id(taken)], at[id(left)] + offset, memory.peak, at[id(added)] if added else 0)).compiled()
        for layer, taken, added, left, offset in zip(
            planned, segmentation.taken, segmentation.added, segmentation.left, segmentation.offsets, strict=True
        )
    ]
    hears.expect(sum(map(expected_cycles, compiled)))
    values: dict[str, Value] = dict(inputs)
    memory_bytes = max((layer.memory_bytes for layer in compiled), default=page_after(1))
    with RtlSimulator(setup.config, timing=setup.timing, memory_bytes=memory_bytes) as device:
        layers = list(_walk(device, segmentation, jobs, compiled, at, values, setup, hears))
    outputs = {name: values[name] if name in values else graph.constants[name] for name in graph.outputs}
    return WholeRun(graph, layers, outputs, memory)


def _walk(
    device: RtlSimulator,
    segmentation: Segmentation,
    jobs: Sequence[Job],
    compiled: Sequence[CompiledLayer],
    at: Mapping[int, int],
    values: dict[str, Value],
    setup: Setup,
    hears: Listener,
) -> Iterator[LayerResult]:
    """Each layer as it has run; ``values`` has the host's tensors, and gets what is read from the array."""

    def content(tensor: MemoryTensor) -> npt.NDArray[np.uint8]:
        return device.memory[at[id(tensor)] : at[id(tensor)] + tensor.layout.bytes]

    for step in segmentation.steps:
        if isinstance(step, HostWork):
            assert step.model is not None, "the host's steps of a model are models"
            model = onnx.ModelProto.FromString(step.model)
            values |= compute(open_session(model), {name: values[name] for name in step.inputs})
            continue
        for tensor in step.inputs:
            content(tensor)[:] = tensor.layout.pack(signed(np.ascontiguousarray(values[tensor.value])))
        for number in step.layers:
            job, layer = jobs[number], compiled[number]
            load_program(device.memory, layer, job.operands)
            run = run_program(device, layer, partial(hears.simulated, job.layer.name))
            yield checked(job, layer, run, setup)
            hears.done(job.layer.name)
        for tensor in step.outputs:
            values[tensor.value] = as_type(tensor.layout.unpack(content(tensor)), tensor.type.dtype).reshape(
                tensor.type.shape
            )


def _operands(job: Job) -> Operands:
    return job.operands
