"""Branch and bound: every design of the space has a lower bound, and only those are timed that it does not rule out.

A design is ruled out when one that was timed is no worse in any objective than what the design could be at best, and
better in one, or stands before it in the space. So the front is that of the whole space: of designs that are alike in
all objectives, the first one. In which order designs are timed, and by whom, makes no difference to it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wingrid.host.crews.crew import Crew
from wingrid.host.errors import UserError
from wingrid.host.exploration.exact import Exact, Job
from wingrid.host.exploration.measures import Figures
from wingrid.host.exploration.question import Question
from wingrid.host.exploration.space import Region
from wingrid.host.exploration.store import Store, key_of
from wingrid.hw.config import AcceleratorConfig

Says = Callable[[str], None]
Timers = Crew[Sequence[Job], list[Exact]]

ONE_BY_ONE = 20
"""Workers up to which a task is one design: the sooner a result is back, the more it rules out. With more of them, the
side that hands out would be what they wait for (docs/explore.md)."""


@dataclass(frozen=True)
class Point:
    """A design that was timed exactly."""

    place: int
    """Its number in the space."""
    config: AcceleratorConfig
    region: Region
    exact: Sequence[Exact]
    """Of each network."""
    figures: Figures
    costs: npt.NDArray[np.float64]
    """By measure of the question."""


@dataclass
class Tally:
    """How much of the space was looked at in which way."""

    points: int = 0
    no_room: int = 0
    """Designs that the chip has no room for."""
    beyond_limits: int = 0
    """Designs of which a bound, or a size, was beyond a limit."""
    bounded_away: int = 0
    exactly_timed: int = 0
    kept: int = 0
    """Of these, how many were known from an earlier search."""
    cannot_run: int = 0
    """Of these, how many cannot run a network."""
    bound_seconds: float = 0.0
    exact_seconds: float = 0.0

    @property
    def designs_per_second(self) -> float:
        """That were bounded, or had no room."""
        return self.points / self.bound_seconds if self.bound_seconds else 0.0


@dataclass(frozen=True)
class Found:
    """What a search has found."""

    question: Question
    front: Sequence[Point]
    """By the first objective, the best first."""
    timed: Sequence[Point]
    """All that were timed and keep the limits, in the order of the space."""
    tally: Tally


class Bounded:
    """Designs that the chip has room for, with their bounds; as numbers in arrays, since there may be millions."""

    def __init__(self, question: Question, tally: Tally, says: Says) -> None:
        started = time.perf_counter()
        self._regions: list[Region] = []
        self._starts: list[int] = []
        bounds, places, kept = [], [], 0
        for region in question.space.regions(question.wanted):
            first = tally.points
            tally.points += len(region.designs)
            says(f"bounding {tally.points:,} designs")
            if not question.known(region):
                tally.no_room += len(region.designs)
                continue
            area = question.area(region.designs)
            roomy = np.flatnonzero(question.roomy(area))
            tally.no_room += len(region.designs) - len(roomy)
            if not len(roomy):
                continue
            designs = region.designs.only(roomy)
            taken = question.least(region, designs)
            costs = question.costs(question.figures(designs, region, taken, area.only(roomy)))
            within = question.within(costs) & np.isfinite(costs).all(axis=1)
            tally.beyond_limits += int(np.count_nonzero(~within))
            self._regions.append(region)
            self._starts.append(first)
            bounds.append(costs[within, : len(question.objectives)])
            places.append(first + roomy[within])
            kept += int(np.count_nonzero(within))
        self.costs = np.concatenate(bounds) if kept else np.empty((0, len(question.objectives)))
        self.places = np.concatenate(places) if kept else np.empty(0, np.int64)
        tally.bound_seconds = time.perf_counter() - started

    def design(self, place: int) -> tuple[Region, AcceleratorConfig]:
        """That of a number."""
        index = int(np.searchsorted(self._starts, place, side="right")) - 1
        region = self._regions[index]
        return region, region.designs.config(place - self._starts[index])


def explored(question: Question, crew: Timers, store: Store, says: Says = lambda _: None) -> Found:
    """The whole front. What was timed stays in the store, whatever ends the search.

    Raises ``UserError`` where nothing can be found.
    """
    question.require()
    tally = Tally()
    bounded = Bounded(question, tally, says)
    started = time.perf_counter()
    timed = _Timing(question, bounded, crew, store, tally, says).run()
    tally.exact_seconds = time.perf_counter() - started
    front = _front(timed, len(question.objectives))
    if not front:
        raise UserError(_nothing(question, tally))
    return Found(question, front, sorted(timed, key=lambda point: point.place), tally)


def _nothing(question: Question, tally: Tally) -> str:
    target = question.wanted.target.name
    if not tally.points:
        return "the space has no design that can work"
    if tally.no_room == tally.points:
        return f"{target} has no room for any of the {tally.points:,} designs of the space"
    if tally.cannot_run:
        return f"no design of the space that {target} has room for can run the network within the limits"
    return f"no design of the space that {target} has room for keeps the limits: {tally.points:,} were bounded"


class _Timing:
    """The designs that are left, the most promising in one direction after another."""

    def __init__(
        self,
        question: Question,
        bounded: Bounded,
        crew: Timers,
        store: Store,
        tally: Tally,
        says: Says,
    ) -> None:
        self._question, self._bounded, self._crew, self._store = question, bounded, crew, store
        self._tally, self._says = tally, says
        self._prints = [
            {
                images: question.at(workload, images).fingerprint()
                for images in question.space.choices.get("batch", (1,))
            }
            for workload in question.workloads
        ]
        self._costs, self._places = bounded.costs, bounded.places
        self._logs = np.log(np.maximum(self._costs, np.finfo(np.float64).tiny))
        # Directions that lie far apart, whatever their number: the golden ratio's multiples, in each objective another.
        self._turns = np.arange(1, self._costs.shape[1] + 1) * (5**0.5 - 1) / 2
        self._picks = 0
        self._tasks = 0
        self._under_way: dict[int, _Open] = {}
        self._owner: dict[int, tuple[int, int]] = {}
        self._points: list[Point] = []

    def run(self) -> list[Point]:
        """All that had to be timed."""
        while len(self._places) or self._under_way:
            # Whoever does the work may start with the first task that nobody has done yet.
            while len(self._places) and (not self._tasks or self._tasks < 2 * self._crew.capacity):
                self._hand_out()
            if self._tasks:
                self._take_back()
        self._tally.bounded_away = len(self._bounded.places) - self._tally.exactly_timed
        return self._points

    def _hand_out(self) -> None:
        """Give the crew a task: the jobs of one design, or of several where so many work that one look has to do."""
        together = -(-self._crew.capacity // ONE_BY_ONE) if self._tasks else 1
        jobs: list[Job] = []
        places = self._pick(min(together, len(self._places)))
        for place in places:
            jobs += self._open(place)
        if jobs:
            self._crew.submit(jobs)
            self._tasks += 1
        self._close(places)

    def _take_back(self) -> None:
        jobs, found = self._crew.next()
        self._tasks -= 1
        places: dict[int, None] = {}
        for job, exact in zip(jobs, found, strict=True):
            place, network = self._owner.pop(id(job))
            self._store.put(self._under_way[place].keys[network], exact)
            self._under_way[place].found[network] = exact
            places[place] = None
        self._close(places)

    def _pick(self, count: int) -> list[int]:
        """Places of the best bounds in a new direction; they are taken off the list."""
        self._picks += 1
        weights = (self._picks * self._turns) % 1 + 1e-3
        along = self._logs @ weights
        chosen = np.argpartition(along, count - 1)[:count] if count > 1 else np.array([np.argmin(along)])
        places = self._places[chosen].tolist()
        left = np.ones(len(self._places), np.bool_)
        left[chosen] = False
        self._keep(left)
        return places

    def _open(self, place: int) -> list[Job]:
        """Jobs of a design of which nothing is known yet."""
        region, config = self._bounded.design(place)
        jobs = [
            Job(self._question.at(workload, region.images), config, region.timing)
            for workload in self._question.workloads
        ]
        keys = [key_of(job, prints[region.images]) for job, prints in zip(jobs, self._prints, strict=True)]
        known = [self._store.get(name) for name in keys]
        self._under_way[place] = _Open(region, config, jobs, keys, known, fresh=None in known)
        unknown = {network: job for network, job in enumerate(jobs) if known[network] is None}
        self._owner.update({id(job): (place, network) for network, job in unknown.items()})
        return list(unknown.values())

    def _close(self, places: Iterable[int]) -> None:
        """Put away those of these designs of which all is known, and rule out by them."""
        closed = [place for place in places if None not in self._under_way[place].found]
        points = []
        for place in closed:
            design = self._under_way.pop(place)
            exact = [one for one in design.found if one is not None]
            self._tally.exactly_timed += 1
            self._tally.kept += not design.fresh
            if any(one.refused for one in exact):
                self._tally.cannot_run += 1
                continue
            area = self._question.area(design.config)
            figures = self._question.figures(design.config, design.region, exact, area)
            costs = self._question.costs(figures)
            if self._question.within(costs):
                points.append(Point(place, design.config, design.region, exact, figures, costs))
        self._points += points
        # Those of one task are alike: few rule out more than the others do.
        for point in _front(points, self._costs.shape[1]):
            self._rule_out(point.costs[: self._costs.shape[1]], point.place)
        if closed:
            self._says(f"{self._tally.exactly_timed:,} designs timed, {len(self._places):,} left")

    def _rule_out(self, costs: npt.NDArray[np.float64], place: int) -> None:
        no_worse = (costs <= self._costs).all(axis=1)
        better = (costs < self._costs).any(axis=1)
        self._keep(~(no_worse & (better | (place < self._places))))

    def _keep(self, chosen: npt.NDArray[np.bool_]) -> None:
        self._costs, self._places, self._logs = self._costs[chosen], self._places[chosen], self._logs[chosen]


@dataclass
class _Open:
    """A design of which not all networks are timed yet."""

    region: Region
    config: AcceleratorConfig
    jobs: list[Job]
    keys: list[str]
    found: list[Exact | None]
    fresh: bool


def _front(timed: Sequence[Point], objectives: int) -> list[Point]:
    """Those that no other is better than, the first of equals; by the first objective."""
    front = []
    for point in timed:
        own = point.costs[:objectives]
        others = (other for other in timed if (other.costs[:objectives] <= own).all() and other is not point)
        if not any((other.costs[:objectives] < own).any() or other.place < point.place for other in others):
            front.append(point)
    return sorted(front, key=lambda point: tuple(point.costs))
