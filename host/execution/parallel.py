"""Runs layers side by side, each from its golden input."""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from wingrid.host.compiler.blocking import Blocking
from wingrid.host.execution.layer_result import LayerResult
from wingrid.host.execution.layer_run import Job, run_layer
from wingrid.host.execution.listener import Listener, Silence
from wingrid.host.execution.machine import Machine
from wingrid.host.execution.progress import Bar
from wingrid.host.networks.layer import Layer
from wingrid.hw.winograd_matrices import KERNEL, winograd
from wingrid.sim.rtl import build
from wingrid.sim.timing import build as timing_build

Runner = Callable[[Iterable[Job], Machine, Listener | None], Iterator[LayerResult]]


def run_all(
    jobs: Iterable[Job], on: Machine, what: str, runner: Runner | None = None
) -> tuple[list[LayerResult], float]:
    """Run jobs under a progress bar, each from its golden input or as ``runner`` does; results and wall seconds."""
    started = time.perf_counter()
    with Bar(what) as bar:
        results = list((runner or run_layers)(jobs, on, bar))
    return results, time.perf_counter() - started


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
