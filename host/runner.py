"""Runs layers on a backend, each from its golden input, side by side, and compares them with golden."""

from __future__ import annotations

import dataclasses
import functools
import heapq
import threading
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from host.activity import Activity
from host.algorithms import algorithm_name, possible_unfoldings, require_algorithm, usable_tiles
from host.blocking import Blocking
from host.compiler import CompiledLayer, compile_layer
from host.errors import UserError
from host.estimate import estimate
from host.layers import Layer, Operands, OperandSource, Pair
from host.measurement import Measurement
from host.memory_map import Place
from host.model_run import play, timing_difference
from host.reference import golden
from host.runtime import RtlRun, run_on_rtl
from host.trace import write_trace
from host.unfolding import Unfolding
from hw.config import AcceleratorConfig
from hw.registers import Counter
from hw.winograd import KERNEL, winograd
from sim.memory import MemoryTiming
from sim.rtl import build
from sim.timing import build as timing_build

BACKENDS = ("rtl", "golden", "timing")


@dataclass(frozen=True)
class Machine:
    """What layers run on."""

    backend: str
    config: AcceleratorConfig
    timing: MemoryTiming
    clock_mhz: float
    jobs: int = 1
    waves: Path | None = None
    algorithm: str | None = None
    """The only one to use where a layer allows it; ``None`` for the cheapest."""
    trace: Path | None = None
    """Where to put a trace of what the engines did."""

    def __post_init__(self) -> None:
        if self.algorithm is not None:
            require_algorithm(self.algorithm, self.config)
        if self.backend not in BACKENDS:
            raise UserError(f"unknown backend {self.backend!r}; there are {', '.join(BACKENDS)}")


@dataclass(frozen=True)
class Job:
    """A layer with its operands and its input, int8 [images, C, H, W], as the layer's shape wants it."""

    layer: Layer
    operands: Operands
    x: npt.NDArray[np.int8]
    expected: npt.NDArray[np.int8] | None = None
    """The golden output if it is known already."""


@dataclass(frozen=True)
class Mismatch:
    """Where an output differs from golden."""

    layer: str
    count: int
    total: int
    first: tuple[int, ...]
    got: int
    expected: int

    def __str__(self) -> str:
        return (
            f"layer {self.layer}: {self.count} of {self.total} elements differ from golden, the first at "
            f"{list(self.first)} (image, channel, row, column): {self.got} in place of {self.expected}"
        )


@dataclass(frozen=True)
class LayerResult:
    """A layer's run; what a backend cannot know is ``None``.

    Golden has no ``algorithm``, ``measurement`` and ``activity``, the timing model no ``output``; the other fields
    are the RTL's. ``seconds`` are those of its simulation.
    """

    layer: Layer
    output: npt.NDArray[np.int8] | None = None
    algorithm: str | None = None
    measurement: Measurement | None = None
    seconds: float = 0.0
    exact: bool | None = None
    mismatch: Mismatch | None = None
    unfolded: Pair | None = None
    """Vertical and horizontal taps that the host laid out as channels of the input, if it did."""
    activity: Activity | None = None
    timing_equal: bool | None = None
    timing_difference: str | None = None
    """How counters and events of the timing model differ, if they do."""

    @property
    def values(self) -> npt.NDArray[np.int8]:
        """The output, of a backend that computes it."""
        assert self.output is not None, "commands that need values refuse the timing model"
        return self.output

    def failures(self) -> Iterator[str]:
        """A sentence for each check that failed."""
        if self.mismatch:
            yield str(self.mismatch)
        if self.timing_difference:
            yield f"layer {self.layer.name}: the timing model differs from the RTL: {self.timing_difference}"


class Listener(Protocol):
    """Hears how work gets on."""

    def building(self, text: str) -> None:
        """The simulator is being built."""

    def expect(self, cycles: float) -> None:
        """So many more cycles of simulation are to come, about."""

    def simulated(self, layer: str, cycles: int) -> None:
        """The layer's simulation has come this far."""

    def done(self, layer: str) -> None:
        """The layer is finished."""


class Silence:
    """A listener that does not listen."""

    def building(self, text: str) -> None:
        pass

    def expect(self, cycles: float) -> None:
        pass

    def simulated(self, layer: str, cycles: int) -> None:
        pass

    def done(self, layer: str) -> None:
        pass


def compare(layer: str, output: npt.NDArray[np.int8], expected: npt.NDArray[np.int8]) -> Mismatch | None:
    """The difference between two tensors of one shape, if any."""
    different = output != expected
    count = int(different.sum())
    if not count:
        return None
    first = tuple(int(index) for index in np.unravel_index(int(np.argmax(different)), different.shape))
    return Mismatch(layer, count, different.size, first, int(output[first]), int(expected[first]))


class Stopped(Exception):
    """The run was given up because another one failed or the user asked for it."""


def run_layer(
    job: Job, machine: Machine, listener: Listener | None = None, stop: threading.Event | None = None
) -> LayerResult:
    """Run one layer, until ``stop`` is set. Raises ``LayerError``, ``MachineFault`` or the simulator's errors."""
    listener = listener or Silence()
    layer = job.layer

    def progress(cycles: int) -> None:
        if stop is not None and stop.is_set():
            raise Stopped
        listener.simulated(layer.name, cycles)

    if machine.backend == "golden":
        output = golden(layer, job.operands, job.x) if job.expected is None else job.expected
        listener.done(layer.name)
        return LayerResult(layer, output)
    if machine.backend == "timing":
        return time_layer(layer, lambda: job.operands, machine, listener)
    compiled = compile_job(job, machine)
    listener.expect(expected_cycles(compiled))
    run = run_on_rtl(
        compiled,
        job.operands,
        job.x,
        timing=machine.timing,
        waves=machine.waves,
        progress=progress,
    )
    if machine.trace is not None:
        write_trace(machine.trace, compiled, machine.timing, run.steps)
    result = checked(job, compiled, run, machine.timing)
    listener.done(layer.name)
    return result


def time_layer(
    layer: Layer, operands: OperandSource, machine: Machine, listener: Listener | None = None
) -> LayerResult:
    """What the layer takes by the timing model; its operands are only looked at if its algorithm depends on them.

    Raises ``LayerError``.
    """
    compiled = compile_exactly(layer, operands, machine.config, machine.algorithm)
    program = compiled.encoded()
    counters = play(compiled, program, machine.timing).counters
    if listener is not None:
        listener.done(layer.name)
    return _described(compiled, program, counters)


def compile_job(job: Job, machine: Machine, place: Place | None = None) -> CompiledLayer:
    """Compile for the cheapest algorithm that is exact with the job's weights. Raises ``LayerError``."""
    return compile_exactly(job.layer, lambda: job.operands, machine.config, machine.algorithm, place)


def compile_exactly(
    layer: Layer,
    operands: OperandSource,
    config: AcceleratorConfig,
    algorithm: str | None = None,
    place: Place | None = None,
) -> CompiledLayer:
    """Compile for the cheapest algorithm, or the one asked for, that is exact with these weights."""
    operands = functools.cache(operands)
    tiles = usable_tiles(layer, operands, config, algorithm)
    unfoldings = {
        unfolding: usable_tiles(
            unfolding.layer(layer), functools.partial(_unfolded, unfolding, operands), config, algorithm
        )
        for unfolding in possible_unfoldings(layer, config)
    }
    return compile_layer(layer, config, tiles=tiles, unfoldings=unfoldings, place=place)


def _unfolded(unfolding: Unfolding, operands: OperandSource) -> Operands:
    return unfolding.operands(operands())


def expected_cycles(compiled: CompiledLayer) -> float:
    """Cycles that the layer should take, about."""
    estimated = estimate(compiled.plan)
    return estimated.cycles if estimated else 0.0


def checked(job: Job, compiled: CompiledLayer, run: RtlRun, timing: MemoryTiming) -> LayerResult:
    """The run compared with golden, and with the timing model under the same memory timing."""
    layer = job.layer
    expected = golden(layer, job.operands, job.x) if job.expected is None else job.expected
    mismatch = compare(layer.name, run.output, expected)
    program = compiled.encoded()
    difference = timing_difference(compiled, program, timing, run.counters, run.steps)
    return dataclasses.replace(
        _described(compiled, program, run.counters),
        output=run.output,
        seconds=run.seconds,
        exact=mismatch is None,
        mismatch=mismatch,
        timing_equal=difference is None,
        timing_difference=difference,
    )


def _described(compiled: CompiledLayer, program: bytes, counters: Mapping[Counter, int]) -> LayerResult:
    """What both hardware and timing model know of a layer."""
    return LayerResult(
        compiled.layer,
        algorithm=algorithm_name(compiled.plan.blocking.tile),
        measurement=Measurement.from_counters(counters),
        unfolded=compiled.unfolding.taps if compiled.unfolding else None,
        activity=Activity.of(program),
    )


def run_layers(jobs: Iterable[Job], machine: Machine, listener: Listener | None = None) -> Iterator[LayerResult]:
    """Run layers, up to ``machine.jobs`` at a time; results come in the order of the jobs.

    Jobs are drawn, which is where golden works, while the first of them run already. Of those that wait, the longest
    is started first, so that no core ends up with a long layer alone. The simulator is built first if it is not
    in the cache.
    """
    report = (listener or Silence()).building
    if machine.backend != "golden":
        timing_build.library(report)
    if machine.backend == "rtl":
        build.accelerator_library(machine.config, waves=machine.waves is not None, progress=report)
    waiting: list[tuple[float, int, Job]] = []
    results: list[Future[LayerResult]] = []
    lock, stop = threading.Lock(), threading.Event()

    def run_longest() -> None:
        with lock:
            _, index, job = heapq.heappop(waiting)
        try:
            results[index].set_result(run_layer(job, machine, listener, stop))
        except BaseException as error:
            results[index].set_exception(error)

    with ThreadPoolExecutor(machine.jobs) as pool:
        try:
            for index, job in enumerate(jobs):
                results.append(Future())
                with lock:
                    heapq.heappush(waiting, (-least_cycles(job.layer, machine), index, job))
                pool.submit(run_longest)
            for result in results:
                yield result.result()
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)


def least_cycles(layer: Layer, machine: Machine) -> float:
    """Cycles that no algorithm gets below: for the multiplications that are left, or for what has to cross the bus."""
    tile = max(machine.config.tiles, default=0) if Blocking.suits_winograd(layer.shape, layer.pool) else 0
    saved = KERNEL**2 * tile**2 / winograd(tile).patch ** 2 if tile else 1
    moved = layer.shape.input_bytes + layer.shape.weight_bytes + layer.output_bytes
    return max(
        layer.shape.macs / saved / machine.config.multipliers,
        moved / machine.timing.bytes_per_cycle,
    )
