"""A whole network in one memory: each layer's results are the next one's input, in place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from wingrid.host.compiler.compile_layer import CompiledLayer, plan_exactly
from wingrid.host.compiler.memory_map import Place, activation_bytes, page_after
from wingrid.host.compiler.plan import Plan
from wingrid.host.execution.driver import load_input, load_program, read_output, run_program
from wingrid.host.execution.layer_result import LayerResult
from wingrid.host.execution.layer_run import Job, checked, expected_cycles
from wingrid.host.execution.listener import Listener, Silence
from wingrid.host.execution.network_jobs import by_image, for_layer
from wingrid.host.execution.setup import Setup
from wingrid.host.networks.layer import Operands
from wingrid.hw.config import AcceleratorConfig
from wingrid.sim.rtl import build
from wingrid.sim.rtl.simulator import RtlSimulator
from wingrid.sim.timing import build as timing_build

Outcome = TypeVar("Outcome")


def run_chain(
    jobs: Iterable[Job], setup: Setup, listener: Listener | None = None, *, images: int
) -> Iterator[LayerResult]:
    """Run all layers of a network, in order, on one simulated accelerator with one memory.

    Between layers the host loads weights, parameters and programs, and nothing else where the next layer
    takes its input as the last one left it (see ``follows_in_place``). Each output is compared with golden's, each
    layer's time with the timing model's.
    All layers are compiled before the first one starts. Raises what ``run_layer`` does.
    """
    hears: Listener = listener or Silence()
    timing_build.library(hears.building)
    build.accelerator_library(setup.config, progress=hears.building)
    jobs = list(jobs)
    compiled = compile_chain(jobs, setup)
    hears.expect(sum(map(expected_cycles, compiled)))
    memory_bytes = max(layer.memory_bytes for layer in compiled)

    with RtlSimulator(setup.config, timing=setup.timing, memory_bytes=memory_bytes) as device:

        def run(job: Job, layer: CompiledLayer) -> LayerResult:
            measured = run_program(device, layer, partial(hears.simulated, job.layer.name))
            result = checked(job, layer, measured, setup)
            hears.done(job.layer.name)
            return result

        yield from walk_chain(device.memory, jobs, compiled, images, run)


def compile_chain(jobs: Sequence[Job], setup: Setup) -> list[CompiledLayer]:
    """The layers compiled to work on one memory, two regions of which hold inputs and outputs in turn."""
    config = setup.config
    planned = [plan_exactly(job.layer, partial(_operands, job), config, setup.algorithm) for job in jobs]
    places = chain_places([layer.plan for layer in planned], config)
    return [layer.placed(place).compiled() for layer, place in zip(planned, places, strict=True)]


def chain_tensors(plans: Sequence[Plan], config: AcceleratorConfig) -> list[int]:
    """Bytes of the first plan's input, and of what each plan leaves: as the next one takes it, if that is more."""
    taken = [activation_bytes(plan.blocking.input_shape, config.rows, config) for plan in plans]
    left = [activation_bytes(plan.blocking.output_shape, config.cols, config) for plan in plans]
    return [max(pair) for pair in zip([*taken, 0], [0, *left], strict=True)]


def chain_places(plans: Sequence[Plan], config: AcceleratorConfig) -> list[Place]:
    """Where layers that follow each other find and leave their tensors: in two regions in turn, the rest above."""
    sizes = chain_tensors(plans, config)
    regions = [0, page_after(max(sizes[0::2]))]
    rest = page_after(regions[1] + max(sizes[1::2]))
    return [Place(regions[position % 2], regions[(position + 1) % 2], rest) for position in range(len(plans))]


def _operands(job: Job) -> Operands:
    return job.operands


def walk_chain(
    memory: npt.NDArray[np.uint8],
    jobs: Sequence[Job],
    compiled: Sequence[CompiledLayer],
    images: int,
    run: Callable[[Job, CompiledLayer], Outcome],
) -> Iterator[Outcome]:
    """Bring each layer into memory, ``run`` it there, and hand on what that gives."""
    load_input(memory, compiled[0], jobs[0].x)
    last: CompiledLayer | None = None
    for job, layer in zip(jobs, compiled, strict=True):
        if last and not follows_in_place(last, layer):
            output = by_image(last.layer, last.layer.handed_on(read_output(memory, last)), images)
            load_input(memory, layer, for_layer(layer.layer, output))
        load_program(memory, layer, job.operands)
        yield run(job, layer)
        last = layer


def follows_in_place(layer: CompiledLayer, following: CompiledLayer) -> bool:
    """Whether what a layer leaves lies in memory as the following one takes it.

    Blocks of output channels must be blocks of input channels; the images of a batch, side by side after
    convolutions, must not have to stand below each other for a fully connected layer; and the host must have
    nothing to do in between.
    """
    config, relaid = layer.config, following.unfolding or following.cutting or layer.cutting
    alike = layer.plan.blocking.output_shape == following.plan.blocking.input_shape
    return config.rows == config.cols and alike and layer.layer.normalisation is None and relaid is None
