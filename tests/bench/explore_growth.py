"""How a search grows: measured with one and two workers here, and simulated for as many as there might be.

    python -m tests.bench.explore_growth

Measures what a job takes (an exact time of a network on a design), what the side that hands jobs out takes for each
(choosing a design, Dask's part, keeping the result), and how much faster two workers are than one. The simulation then
plays one side that hands out jobs, and takes them back, one after the other, against many workers with the measured
times; it is what docs/explore.md plans with.
"""

from __future__ import annotations

import argparse
import heapq
import itertools
import os
import pickle
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from distributed import LocalCluster
from explorations import question

from wingrid.host.compiler.tiler import best_plan
from wingrid.host.crews.cluster import Cluster
from wingrid.host.exploration.exact import Exact, Job, all_timed, timed
from wingrid.host.exploration.question import Question
from wingrid.host.exploration.search import ONE_BY_ONE
from wingrid.host.exploration.store import MEMORY, Store, key_of

PER_WORKER = 2
"""Jobs that a worker has or will have next."""

WORKERS = (1, 2, 10, 100, 300, 1000)
SPACE = {
    "rows": [4, 6],
    "cols": "rows",
    "winograd": [4],
    "weight_buffer": [1152, 4608],
    "accumulators": [450, 900],
    "input_buffer": [4096, 16384],
}


def simulated(workers: int, jobs: int, seconds: Sequence[float], handling: float) -> float:
    """Seconds that all jobs take; ``handling`` is what each takes of the one side that hands them out."""
    times = itertools.cycle(seconds)
    idle = [0.0] * workers
    ends: list[float] = []
    handing = 0.0
    for number in range(jobs):
        if number >= PER_WORKER * workers:
            # The next one is handed out when one comes back.
            handing = max(handing, heapq.heappop(ends))
        handing += handling
        end = max(handing, heapq.heappop(idle)) + next(times)
        heapq.heappush(idle, end)
        heapq.heappush(ends, end)
    return max(idle)


def jobs_of(asked: Question) -> list[Job]:
    return [
        Job(asked.workloads[0], region.designs.config(index), region.timing)
        for region in asked.space.regions(asked.wanted)
        for index in range(len(region.designs))
    ]


def nothing(job: int) -> int:
    return job


def seconds_of_all(jobs: Sequence[Job], workers: int, repeats: int = 3) -> float:
    """The least of several times by the clock, which other programs lengthen."""
    walls = []
    with (
        LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=":0", silence_logs=50) as cluster,
        Cluster(cluster.scheduler_address, anew) as crew,
    ):
        # Each worker's first jobs import.
        for part in (jobs[: 2 * workers], *[jobs] * repeats):
            started = time.perf_counter()
            for job in part:
                crew.submit([job])
            for _ in part:
                crew.next()
            walls.append(time.perf_counter() - started)
    return min(walls[1:])


def anew(jobs: Sequence[Job]) -> list[Exact]:
    """As for designs that were never seen."""
    best_plan.cache_clear()
    return all_timed(jobs)


def seconds_of_dask(count: int = 500) -> float:
    """Processor time that Dask takes of the handing side for a job that does nothing."""
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0", silence_logs=50) as cluster,
        Cluster(cluster.scheduler_address, nothing) as crew,
    ):
        # Scheduler and client are in this process, the worker is not.
        started = time.process_time()
        for job in range(count):
            crew.submit(job)
        for _ in range(count):
            crew.next()
        return (time.process_time() - started) / count


def seconds_of_choosing(designs: int = 100_000, repeats: int = 20) -> float:
    """What it takes to choose the next of so many designs that are left, and to rule out by what was found.

    Of a task, how many designs it has: they are chosen in one look, and few of them rule out more than the others.
    """
    costs = np.random.default_rng(1).random((designs, 2))
    logs = np.log(costs)
    started = time.process_time()
    for _ in range(repeats):
        index = int(np.argpartition(logs @ np.array([0.4, 0.6]), 30)[0])
        costs[~((costs[index] <= costs).all(axis=1) & (costs[index] < costs).any(axis=1))]
    return (time.process_time() - started) / repeats


def seconds_of_a_design(asked: Question, count: int = 200) -> float:
    """What it takes to make jobs of a design, to look it up, and to weigh what came of it."""
    fingerprint = asked.workloads[0].fingerprint()
    region = next(asked.space.regions(asked.wanted))
    found = [Exact(1000, 1000, 1.0)]
    with Store(MEMORY) as store:
        started = time.process_time()
        for number in range(count):
            config = region.designs.config(number % len(region.designs))
            store.get(key_of(Job(asked.workloads[0], config, region.timing), fingerprint))
            asked.costs(asked.figures(config, region, found, asked.area(config)))
        return (time.process_time() - started) / count


def seconds_of_keeping(found: Exact, count: int = 500) -> float:
    with Store(MEMORY) as store:
        started = time.process_time()
        for number in range(count):
            store.put(str(number), found)
        return (time.process_time() - started) / count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", default="alexnet")
    parser.add_argument("--jobs", type=int, default=1_000_000, help="to simulate")
    options = parser.parse_args()
    asked = question(options.network, target="ecp5-85k-6", space=SPACE)
    jobs = jobs_of(asked)
    timed(jobs[0])
    each = []
    for job in jobs:
        best_plan.cache_clear()
        started = time.process_time()
        found = timed(job)
        each.append(time.process_time() - started)
    one, two = (seconds_of_all(jobs, workers) for workers in (1, 2))
    of_task = {"choosing among 100,000": seconds_of_choosing(), "Dask": seconds_of_dask()}
    of_design = {"looking up and weighing": seconds_of_a_design(asked), "keeping": seconds_of_keeping(found)}
    print(f"{options.network}: {len(jobs)} designs, {statistics.fmean(each):.3f} s of processor time in the mean, "
          f"{min(each):.3f} to {max(each):.3f} s; load of this machine {os.getloadavg()[0]:.1f}")  # fmt: skip
    print(f"sent for a job {len(pickle.dumps(jobs[0])):,} bytes, back {len(pickle.dumps(found)):,} bytes, "
          f"kept {len(found.as_text()):,} bytes")  # fmt: skip
    print(f"one worker {one:.1f} s, two workers {two:.1f} s: {one / two:.2f} times as fast")
    for name, seconds in of_task.items():
        print(f"{name}: {seconds * 1e3:.2f} ms of the handing side for a task")
    for name, seconds in of_design.items():
        print(f"{name}: {seconds * 1e3:.2f} ms of the handing side for a design")
    for workers in WORKERS:
        for together in sorted({1, -(-workers // ONE_BY_ONE)}):
            handling = sum(of_task.values()) + together * sum(of_design.values())
            total = simulated(workers, options.jobs // together, [together * seconds for seconds in each], handling)
            busy = options.jobs * statistics.fmean(each) / (workers * total)
            print(f"{workers:5} workers, tasks of {together:2}: {total / 3600:8.2f} h for {options.jobs:,} "
                  f"exact times, {busy:.0%} busy")  # fmt: skip


if __name__ == "__main__":
    main()
