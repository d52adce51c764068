"""Which data a buffer holds: a ring in which new data overwrite the oldest."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable
from dataclasses import dataclass, field

NOBODY = -1
"""In place of an instruction's index: nothing has used it."""


class Ring:
    """Entries of one buffer, handed out in order.

    Positions count up for ever; a position's entry is its remainder by the buffer's depth, so an
    allocation may wrap around the end. It stays resident until ``depth`` younger entries are handed
    out. The last instruction that reads each run of entries is remembered: a LOAD may overwrite them when
    that instruction is done.
    """

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.head = 0
        self._users: dict[tuple[int, int], int] = {}

    def allocate(self, entries: int) -> Allocation:
        """``entries`` new entries, in place of the oldest ones."""
        if not 1 <= entries <= self.depth:
            raise ValueError(f"{entries} entries do not fit into a buffer of {self.depth}")
        position = self.head
        self.head += entries
        oldest = self.head - self.depth
        evicted = [run for run in self._users if run[0] < oldest]
        user = max((self._users[run] for run in evicted), default=NOBODY)
        for run in evicted:
            if run[1] <= oldest:
                del self._users[run]
        if user != NOBODY:
            # If the new data never come, whoever comes after them must still wait.
            self.use(position, entries, user)
        return Allocation(position, entries, user)

    def use(self, position: int, entries: int, user: int) -> None:
        """Remember that instruction ``user``, later than all before, reads these entries."""
        self._users[position, position + entries] = user

    def resident(self, position: int) -> bool:
        """Whether the data placed at ``position`` are still there."""
        return position >= self.head - self.depth

    def address(self, position: int) -> int:
        return position % self.depth


@dataclass
class Allocation:
    """A contiguous allocation that is loaded from its start on, piece by piece, as instructions need it."""

    position: int
    entries: int
    evicted_user: int
    """The instruction that must be done before anything is loaded here, or ``NOBODY``."""
    _ends: list[int] = field(default_factory=list)
    _loads: list[int] = field(default_factory=list)

    @property
    def end(self) -> int:
        return self.position + self.entries

    @property
    def loaded(self) -> int:
        """How much of it has been loaded, in the units in which ``record`` counts."""
        return self._ends[-1] if self._ends else 0

    def record(self, end: int, load: int) -> None:
        """Instruction ``load`` brings everything up to ``end`` that was not there."""
        self._ends.append(end)
        self._loads.append(load)

    def loader(self, end: int) -> int:
        """The instruction with which everything up to ``end`` is there."""
        return self._loads[bisect_left(self._ends, end)]


class Residency:
    """Regions of a ring by key."""

    def __init__(self, depth: int) -> None:
        self.ring = Ring(depth)
        self._regions: dict[Hashable, Allocation] = {}

    def request(self, key: Hashable, entries: int) -> Allocation:
        """The region that holds ``key``: as it is if still resident, else a new and empty one."""
        region = self._regions.get(key)
        if region is None or not self.ring.resident(region.position):
            region = self._regions[key] = self.ring.allocate(entries)
        return region

    def resident(self, key: Hashable) -> bool:
        """Whether the region that was requested for ``key`` is still there."""
        region = self._regions.get(key)
        return region is not None and self.ring.resident(region.position)
