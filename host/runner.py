"""Runs layers on a backend, each from its golden input, side by side, and compares them with golden."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from host.algorithms import algorithm_name, possible_unfoldings, require_algorithm, usable_tiles
from host.compiler import CompiledLayer, compile_layer
from host.errors import UserError
from host.estimate import estimate
from host.layers import Layer, Operands
from host.memory_map import Place
from host.reference import golden
from host.runtime import Measurement, RtlRun, run_on_rtl
from hw.config import AcceleratorConfig
from sim.memory import MemoryTiming
from sim.rtl import build

BACKENDS = ("rtl", "golden")


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
    """A layer's run; ``algorithm``, ``measurement`` and ``seconds`` (of simulation) are what needs hardware."""

    layer: Layer
    output: npt.NDArray[np.int8]
    algorithm: str | None = None
    measurement: Measurement | None = None
    seconds: float = 0.0
    exact: bool | None = None
    mismatch: Mismatch | None = None


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
    result = checked(job, compiled, run)
    listener.done(layer.name)
    return result


def compile_job(job: Job, machine: Machine, place: Place | None = None) -> CompiledLayer:
    """Compile for the cheapest algorithm that is exact with the job's weights. Raises ``LayerError``."""
    layer, operands, config = job.layer, job.operands, machine.config
    tiles = usable_tiles(layer, operands, config, machine.algorithm)
    unfoldings = {
        unfolding: usable_tiles(unfolding.layer(layer), unfolding.operands(operands), config, machine.algorithm)
        for unfolding in possible_unfoldings(layer, config)
    }
    return compile_layer(layer, config, tiles=tiles, unfoldings=unfoldings, place=place)


def expected_cycles(compiled: CompiledLayer) -> float:
    """Cycles that the layer should take, about."""
    estimated = estimate(compiled.plan)
    return estimated.cycles if estimated else 0.0


def checked(job: Job, compiled: CompiledLayer, run: RtlRun) -> LayerResult:
    """The run compared with golden."""
    layer = job.layer
    expected = golden(layer, job.operands, job.x) if job.expected is None else job.expected
    mismatch = compare(layer.name, run.output, expected)
    algorithm = algorithm_name(compiled.plan.blocking.tile)
    return LayerResult(layer, run.output, algorithm, run.measurement, run.seconds, mismatch is None, mismatch)


def run_layers(jobs: Iterable[Job], machine: Machine, listener: Listener | None = None) -> Iterator[LayerResult]:
    """Run layers, up to ``machine.jobs`` at a time; results come in the order of the jobs.

    Jobs are drawn as there is room for them, so that few tensors are in memory at once. The simulator
    is built first if it is not in the cache.
    """
    if machine.backend == "rtl":
        report = (listener or Silence()).building
        build.accelerator_library(machine.config, waves=machine.waves is not None, progress=report)
    pending: deque[Future[LayerResult]] = deque()
    stop = threading.Event()
    with ThreadPoolExecutor(machine.jobs) as pool:
        try:
            for job in jobs:
                pending.append(pool.submit(run_layer, job, machine, listener, stop))
                while len(running := [future for future in pending if not future.done()]) >= machine.jobs:
                    wait(running, return_when=FIRST_COMPLETED)
                while pending and pending[0].done():
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)
