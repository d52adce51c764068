"""Runs one layer on a backend and compares it with golden and with the timing model."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from wingrid.host.compiler.compile_layer import CompiledLayer, compile_exactly
from wingrid.host.compiler.plan_cost import plan_cost
from wingrid.host.execution.driver import RtlRun, run_on_rtl
from wingrid.host.execution.layer_result import LayerResult, compare
from wingrid.host.execution.layer_times import described, play, time_compiled
from wingrid.host.execution.listener import Listener, Silence
from wingrid.host.execution.setup import Setup
from wingrid.host.execution.trace import write_trace
from wingrid.host.execution.waves import waveforms
from wingrid.host.networks.golden import golden
from wingrid.host.networks.layer import Layer, Operands
from wingrid.hw.encoding import ProgramError
from wingrid.hw.registers import Counter
from wingrid.sim.memory import MemoryTiming
from wingrid.sim.timing.equality import difference


def timing_difference(
    compiled: CompiledLayer,
    program: bytes,
    timing: MemoryTiming,
    counters: Mapping[Counter, int],
    events: npt.NDArray[Any],
) -> str | None:
    """How the model differs from a run on the RTL: counters with both values, the first instruction that is not alike.

    ``None`` if every counter is equal, and so is the cycle of everything that happened to an instruction.
    """
    try:
        return difference(program, play(compiled, program, timing, events=True), counters, events)
    except ProgramError as error:
        return f"it cannot tell the time of the program: {error}"


@dataclass(frozen=True)
class Job:
    """A layer with its operands and its input, int8 [images, C, H, W], as the layer's shape wants it."""

    layer: Layer
    operands: Operands
    x: npt.NDArray[np.int8]
    expected: npt.NDArray[np.int8] | None = None
    """The golden output if it is known already."""
    compiled: CompiledLayer | None = None
    """The program if it is compiled already, for the configuration that the job will run on."""
    addend: npt.NDArray[np.int8] | None = None
    """What the layer adds to its results, int8 of ``layer.addend_shape``, if it does."""

    def golden(self) -> npt.NDArray[np.int8]:
        """The golden output."""
        if self.expected is not None:
            return self.expected
        return golden(self.layer, self.operands, self.x, self.addend)


class Stopped(Exception):
    """The run was given up because another one failed or the user asked for it."""


def run_layer(
    job: Job, setup: Setup, listener: Listener | None = None, stop: threading.Event | None = None
) -> LayerResult:
    """Run one layer, until ``stop`` is set. Raises ``LayerError``, ``MachineFault`` or the simulator's errors."""
    listener = listener or Silence()
    layer = job.layer

    def progress(cycles: int) -> None:
        if stop is not None and stop.is_set():
            raise Stopped
        listener.simulated(layer.name, cycles)

    if setup.backend == "golden":
        output = job.golden()
        listener.done(layer.name)
        return LayerResult(layer, output)
    if setup.backend == "timing":
        return time_compiled(compile_job(job, setup), setup, listener)
    compiled = compile_job(job, setup)
    listener.expect(expected_cycles(compiled))
    with waveforms(setup.waves) as waves:
        run = run_on_rtl(compiled, job.operands, job.x, job.addend, timing=setup.timing, waves=waves, progress=progress)
    if setup.trace is not None:
        write_trace(setup.trace, compiled, setup.timing, run.events)
    result = checked(job, compiled, run, setup)
    listener.done(layer.name)
    return result


def compile_job(job: Job, setup: Setup) -> CompiledLayer:
    """Compile for the cheapest algorithm that is exact with the job's weights. Raises ``LayerError``."""
    if job.compiled is not None:
        return job.compiled
    return compile_exactly(job.layer, lambda: job.operands, setup.config, setup.algorithm)


def expected_cycles(compiled: CompiledLayer) -> float:
    """Cycles that the layer should take, about."""
    cost = compiled.streams.cost if compiled.streams else plan_cost(compiled.plan)
    return cost.cycles if cost else 0.0


def checked(job: Job, compiled: CompiledLayer, run: RtlRun, setup: Setup) -> LayerResult:
    """The run compared with golden, and with the timing model under the same memory timing."""
    layer = job.layer
    expected = job.golden()
    mismatch = compare(layer.name, run.output, expected)
    program = compiled.program
    difference = timing_difference(compiled, program, setup.timing, run.counters, run.events)
    return dataclasses.replace(
        described(compiled, program, run.counters, setup),
        output=run.output,
        seconds=run.seconds,
        exact=mismatch is None,
        mismatch=mismatch,
        timing_equal=difference is None,
        timing_difference=difference,
    )
