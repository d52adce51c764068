"""The front is that of exhaustion, whatever is asked for; what was found is kept, and what cannot be is said."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from explorations import SMALL, question

from wingrid import AcceleratorConfig, estimate
from wingrid.host.crews.crew import Alone
from wingrid.host.errors import UserError
from wingrid.host.execution.layer_times import time_layers
from wingrid.host.execution.setup import Setup
from wingrid.host.exploration.exact import Exact, Job, all_timed, timed
from wingrid.host.exploration.question import Question
from wingrid.host.exploration.search import ONE_BY_ONE, Found, explored
from wingrid.host.exploration.store import MEMORY, Store
from wingrid.host.fitting.area_model import PredictedArea, predicted_area
from wingrid.host.fitting.fit import ROOM
from wingrid.host.fitting.space import EXPLORED, LADDERS
from wingrid.host.fitting.workload import Workload
from wingrid.host.onnx_models.model_estimate import imported_for_estimate
from wingrid.host.silicon.target import find_target
from wingrid.sim.memory import MemoryTiming

CHAINS = ("deep", "wide")


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    """Of all searches here, so that each design is timed once."""
    with Store(MEMORY) as kept:
        yield kept


def search(asked: Question, store: Store) -> Found:
    with Alone(all_timed) as crew:
        return explored(asked, crew, store)


@dataclasses.dataclass(frozen=True)
class Design:
    """One of the space that the chip has room for, as reports tell of it."""

    config: AcceleratorConfig
    timing: MemoryTiming
    total: dict
    area: PredictedArea

    def costs(self, objectives: str) -> tuple[float, ...]:
        figures = {
            "images-per-second": self.total["cycles"] / 50e6,
            "traffic": self.total["dram_bytes"],
            "area": sum(self.area.share(find_target("ecp5-45k-6")).values()) / 3,
            "dsp": self.area.multipliers,
        }
        return tuple(round(figures[name], 12) for name in objectives.split(","))


@pytest.fixture(scope="module")
def everything() -> list[Design]:
    """The whole space, in its order."""
    asked = question("deep")
    found = []
    for region in asked.space.regions(asked.wanted):
        for index in range(len(region.designs)):
            config = region.designs.config(index)
            area = predicted_area(config, asked.wanted.target.family)
            if all(part <= ROOM[name] for name, part in asked.wanted.share(area).items()):
                total = estimate("deep", config=config, memory=region.timing).as_dict()["total"]
                found.append(Design(config, region.timing, total, area))
    return found


def nondominated(costs: list[tuple]) -> set[tuple]:
    table = np.array(costs)
    return {
        own
        for own, row in zip(costs, table, strict=True)
        if not ((table <= row).all(axis=1) & (table < row).any(axis=1)).any()
    }


@pytest.mark.parametrize("objectives", ["images-per-second,area", "traffic,dsp", "images-per-second"])
def test_the_front_is_that_of_exhaustion(objectives: str, store: Store, everything: list[Design]) -> None:
    found = search(question("deep", objectives=objectives), store)
    first: dict[tuple, Design] = {}
    for design in everything:
        first.setdefault(design.costs(objectives), design)
    front = {tuple(round(float(cost), 12) for cost in point.costs): point for point in found.front}
    assert set(front) == nondominated(list(first))
    for costs, point in front.items():
        assert (point.config, point.region.timing) == (first[costs].config, first[costs].timing)
    tally = found.tally
    assert tally.points == tally.no_room + tally.beyond_limits + tally.bounded_away + tally.exactly_timed
    assert tally.points - tally.no_room == len(everything)
    assert 0 < tally.exactly_timed < len(everything)
    assert tally.bounded_away > 0


def test_a_model_is_timed_as_the_image_of_a_build_is() -> None:
    config, timing = AcceleratorConfig(rows=6, cols=6, weight_buffer=1000), MemoryTiming(10, 8)
    graph = imported_for_estimate("digits", config)
    layers = [(step.layer, functools.partial(getattr, step, "operands")) for step in graph.accelerated]
    results = time_layers(layers, Setup("timing", config, timing))
    cycles = sum(one.measurement.cycles for one in results if one.measurement)
    assert timed(Job(Workload("digits"), config, timing)).cycles == cycles


@pytest.mark.parametrize("combination", ["worst", "mean"])
def test_several_networks_are_one_search(combination: str, store: Store) -> None:
    space = {**SMALL, "cols": "rows", "latency": [40], "weight_buffer": [2304], "accumulators": [450]}
    asked = question(*CHAINS, objectives="cycles,area", space=space, combination=combination)
    found = search(asked, store)
    for point in found.front:
        cycles = [estimate(name, config=point.config, memory=point.region.timing).cycles for name in CHAINS]
        assert point.costs[0] == {"worst": max(cycles), "mean": sum(cycles) / 2}[combination]  # type: ignore[type-var]


def test_limits_leave_designs_out(store: Store) -> None:
    whole = search(question("deep"), store)
    rates = sorted(float(1 / point.costs[0]) for point in whole.front)
    limit = rates[len(rates) // 2]
    some = search(question("deep", limits=f"images-per-second={limit!r},dsp=40"), store)
    assert {point.place for point in some.front} == {
        point.place
        for point in whole.front
        if 1 / point.costs[0] >= limit * (1 - 1e-12) and point.figures.area.multipliers <= 40
    }
    assert some.tally.beyond_limits > 0


def test_a_batch_is_a_choice(store: Store) -> None:
    space = {**SMALL, "rows": [4], "cols": "rows", "input_buffer": [4096], "latency": [40], "batch": [1, 3]}
    found = search(question("wide", objectives="traffic", space=space), store)
    assert [point.region.images for point in found.front] == [3]
    point = found.front[0]
    exact = estimate("wide", config=point.config, memory=point.region.timing, batch=3).as_dict()["total"]
    assert point.costs[0] == exact["dram_bytes"] / 3


def test_a_search_that_broke_off_goes_on_and_a_repeated_one_times_nothing() -> None:
    with Store(MEMORY) as kept:
        count = 0

        def breaks(jobs: Sequence[Job]) -> list[Exact]:
            nonlocal count
            count += 1
            if count > 5:
                raise KeyboardInterrupt
            return all_timed(jobs)

        with pytest.raises(KeyboardInterrupt), Alone(breaks) as crew:
            explored(question("deep"), crew, kept)
        assert len(kept) == 5
        first = search(question("deep"), kept)
        assert first.tally.kept == 5
        second = search(question("deep"), kept)
        assert second.tally.kept == second.tally.exactly_timed == first.tally.exactly_timed
        assert [point.place for point in second.front] == [point.place for point in first.front]


def test_tasks_of_several_designs_find_the_same_front(store: Store) -> None:
    """As for a hundred workers: what one task found rules out all at once."""
    sizes = []

    def counted(jobs: Sequence[Job]) -> list[Exact]:
        sizes.append(len(jobs))
        return all_timed(jobs)

    class Hundred(Alone[Sequence[Job], list[Exact]]):
        capacity = 2 * ONE_BY_ONE + 20

    for asked in (question("deep"), question(*CHAINS, objectives="cycles,area", space={**SMALL, "rows": [4]})):
        sizes.clear()
        with Store(MEMORY) as kept, Hundred(counted) as crew:
            found = explored(asked, crew, kept)
        networks = len(asked.workloads)
        assert sizes[0] == networks
        assert max(sizes) == 3 * networks
        assert sum(sizes) == networks * found.tally.exactly_timed
        alone = search(asked, store)
        assert [(point.place, point.exact) for point in found.front] == [
            (point.place, point.exact) for point in alone.front
        ]


def test_what_an_explored_buffer_has_stands_in_the_ladders() -> None:
    for name, sizes in EXPLORED.items():
        assert set(sizes) <= set(LADDERS[name])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"limits": "dsp=3"}, "no design of the space that ecp5-45k-6 has room for keeps the limits"),
        ({"space": {"rows": [32]}}, "ecp5-45k-6 has no room for any of the"),
        ({"space": {"rows": [4], "bus_bytes": [0], "winograd": [3]}}, "the space has no design that can work"),
        ({"space": {"lanes": [4]}}, "the space has no lanes; there are rows, cols"),
        ({"space": {"rows": [1.5]}}, r"rows = \[1.5\] must be a whole number of at least 1, or a list of them"),
        ({"space": {"memory": ["ideal"], "latency": [3]}}, "leave latency out"),
        ({"objectives": "speed"}, "unknown objective 'speed'; there are images-per-second, cycles"),
        ({"limits": "lut"}, "limit 'lut' must have the form name=number"),
        ({"target": "xc7z020", "mhz": None}, "images-per-second needs a clock, and Wingrid has no tool"),
        ({"target": "gw2a-18"}, "of the family gw2a no areas were synthesised"),
    ],
)
def test_what_cannot_be_is_said(changes: dict, message: str, store: Store) -> None:
    with pytest.raises(UserError, match=message):
        search(question("deep", **changes), store)


def test_networks_that_there_are_not_are_refused(store: Store) -> None:
    with pytest.raises(UserError, match="unknown network 'lenet'"):
        search(question("lenet"), store)
    with pytest.raises(UserError, match="network deep is named twice"):
        search(question("deep", "deep"), store)


def test_memories_by_name_are_choices(store: Store) -> None:
    space = {**SMALL, "rows": [4], "cols": [4]}
    del space["latency"]
    found = search(question("deep", space={**space, "memory": ["litex-axi", "ideal"]}), store)
    assert all(point.region.timing.latency == 1 for point in found.front)
    assert dataclasses.asdict(found.front[0].region.timing)["bridge"] is None
