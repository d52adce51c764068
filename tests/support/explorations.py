"""Questions of small searches, and small networks for them."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from typing import Any

from wingrid.host.exploration.exact import Exact, Job, all_timed
from wingrid.host.exploration.measures import limits_in, measures_named
from wingrid.host.exploration.question import Question
from wingrid.host.exploration.space import Space
from wingrid.host.fitting.fit import Wanted
from wingrid.host.fitting.workload import Workload
from wingrid.host.networks.network import Connect, Convolve, MaxPool, Network
from wingrid.host.silicon.target import find_target
from wingrid.hw.config import AcceleratorConfig

DEEP = Network(
    "deep",
    "a test",
    3,
    16,
    16,
    (Convolve("one", 16, 3, padding=1), Convolve("two", 24, 3, padding=1), MaxPool("half"), Connect("last", 20)),
)
WIDE = Network(
    "wide", "a test", 8, 24, 24, (Convolve("one", 8, 5), Convolve("two", 40, 1, stride=2), Connect("last", 5))
)

FREE = frozenset(field.name for field in dataclasses.fields(AcceleratorConfig))

SMALL = {
    "rows": [4, 6],
    "cols": [4, 6],
    "winograd": [0, 4],
    "input_buffer": [1024, 4096],
    "weight_buffer": [288, 2304],
    "accumulators": [128, 450],
    "latency": [10, 40],
}
"""64 designs, some of which are illegal."""


def question(
    *networks: str,
    target: str = "ecp5-45k-6",
    objectives: str = "images-per-second,area",
    limits: str | None = None,
    space: Mapping[str, Any] = SMALL,
    combination: str = "worst",
    mhz: float | None = 50,
) -> Question:
    """What the command would ask."""
    wanted = Wanted(find_target(target), mhz=mhz, free=FREE)
    return Question(
        [Workload(name) for name in networks],
        wanted,
        Space.of(wanted, space),
        measures_named(objectives),
        limits_in(limits),
        combination,
    )


def slowly(jobs: Sequence[Job]) -> list[Exact]:
    """So that a worker has something in its hands when it is lost."""
    time.sleep(0.05)
    return all_timed(jobs)


def fails(job: str) -> None:
    """What no worker can do."""
    raise ZeroDivisionError(job)
