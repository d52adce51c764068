"""Runs layers side by side, each from its golden input."""

from __future__ import annotations

import dataclasses
import functools
import heapq
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from wingrid.host.compiler.blocking import Blocking
from wingrid.host.crews.cluster import crew_of
from wingrid.host.execution.layer_result import LayerResult
from wingrid.host.execution.layer_run import Job, run_layer
from wingrid.host.execution.listener import Listener, Silence
from wingrid.host.execution.setup import Setup
from wingrid.host.networks.layer import Layer
from wingrid.hw.winograd_matrices import KERNEL, winograd
from wingrid.sim.rtl import build
from wingrid.sim.timing import build as timing_build


def run_layers(jobs: Iterable[Job], setup: Setup, listener: Listener | None = None) -> Iterator[LayerResult]:
    """Run layers, up to ``setup.jobs`` at a time; results come in the order of the jobs.

    Jobs are drawn, which is where golden works, while the first of them run already. Of those that wait, the longest
    is started first, so that no core ends up with a long layer alone. The simulator is built first if it is not
    in the cache.
    """
    if setup.scheduler is not None:
        yield from _run_by_crew(jobs, setup, setup.scheduler, listener or Silence())
        return
    report = (listener or Silence()).building
    if setup.backend != "golden":
        timing_build.library(report)
    if setup.backend == "rtl":
        build.accelerator_library(setup.config, waves=setup.waves is not None, progress=report)
    waiting: list[tuple[float, int, Job]] = []
    results: list[Future[LayerResult]] = []
    lock, stop = threading.Lock(), threading.Event()

    def run_longest() -> None:
        with lock:
            _, index, job = heapq.heappop(waiting)
        try:
            results[index].set_result(run_layer(job, setup, listener, stop))
        except BaseException as error:
            results[index].set_exception(error)

    with ThreadPoolExecutor(setup.jobs) as pool:
        try:
            for index, job in enumerate(jobs):
                results.append(Future())
                with lock:
                    heapq.heappush(waiting, (-least_cycles(job.layer, setup), index, job))
                pool.submit(run_longest)
            for result in results:
                yield result.result()
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)


def _run_by_crew(jobs: Iterable[Job], setup: Setup, scheduler: str, listener: Listener) -> Iterator[LayerResult]:
    """The same by the workers of a scheduler, each of which builds the simulator that it does not have."""
    there = dataclasses.replace(setup, scheduler=None, jobs=1)
    results: dict[int, LayerResult] = {}
    submitted = 0

    def take() -> None:
        (index, job), result = crew.next()
        results[index] = result
        listener.done(job.layer.name)

    with crew_of(scheduler, functools.partial(_run_there, there)) as crew:
        for index, job in enumerate(jobs):
            crew.submit((index, job))
            submitted += 1
            # Operands of layers that nobody can run yet stay where they are.
            while submitted - len(results) >= 2 * crew.capacity:
                take()
        while len(results) < submitted:
            take()
    yield from (results[index] for index in range(submitted))


def _run_there(setup: Setup, numbered: tuple[int, Job]) -> LayerResult:
    return run_layer(numbered[1], setup)


def least_cycles(layer: Layer, setup: Setup) -> float:
    """Cycles that no algorithm gets below: for the multiplications that are left, or for what has to cross the bus."""
    tile = max(setup.config.tiles, default=0) if Blocking.suits_winograd(layer.shape, layer.pool) else 0
    saved = KERNEL**2 * tile**2 / winograd(tile).patch ** 2 if tile else 1
    moved = layer.shape.input_bytes + layer.shape.weight_bytes + layer.output_bytes
    return max(
        layer.shape.macs / saved / setup.config.multipliers,
        moved / setup.timing.bytes_per_cycle,
    )
