"""Cells of a netlist by kind, and by the part of the accelerator that they belong to."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from wingrid.host.silicon.family import KINDS, LARGE_MEMORY, MEMORY, MULTIPLIER, Family
from wingrid.host.silicon.harness import INSTANCE
from wingrid.host.silicon.target import Target

NOTE = "$scopeinfo"
"""What yosys notes about instances that it has dissolved: no cell of a chip."""
OUTSIDE = "harness"
"""The part of what is not the accelerator's."""


@dataclass
class Area:
    """Cells by kind, see ``KINDS``."""

    counts: dict[str, float] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))

    def add(self, other: Area) -> None:
        for kind, count in other.counts.items():
            self.counts[kind] += count

    def logic(self, family: Family) -> float:
        """Look-up tables, with those that carry chains and small memories are made of."""
        return sum(self.counts[kind] * tables for kind, tables in family.logic.items())


def area_by_part(cells: Mapping[str, Mapping[str, Any]], family: Family, parts: Iterable[str]) -> dict[str, Area]:
    """The area of each part, the harness's as ``OUTSIDE``.

    ``parts`` are paths of instances, such as ``core.store``; a cell belongs to the longest that its name begins with. A
    look-up table at a border has the name of one of its neighbours, and may count on either side.
    """
    known = sorted(parts, key=len, reverse=True)
    found: dict[str, Area] = defaultdict(Area)
    for name, cell in cells.items():
        kind, count = family.cells.get(cell["type"], (None, 0))
        if kind is not None:
            found[part_of(name, known)].counts[kind] += count
    return dict(found)


def uncounted(cells: Mapping[str, Mapping[str, Any]], family: Family) -> dict[str, int]:
    """How many cells there are of each kind that the family's description does not know."""
    known = {*family.cells, *family.free, NOTE}
    return dict(Counter(cell["type"] for cell in cells.values() if cell["type"] not in known))


def part_of(name: str, known: Iterable[str]) -> str:
    """The first of the known parts, longest first, in which a cell or a net lies; the accelerator itself is ``""``."""
    inside = name.partition(f"{INSTANCE}.")
    if not inside[1]:
        return OUTSIDE
    return next((part for part in known if inside[2].startswith(f"{part}.") or inside[2] == part), "")


def share(area: Area, target: Target, family: Family) -> dict[str, float]:
    """What fraction of the target's logic, multipliers and memories that is; of large ones where there are some."""
    found = {
        "logic": area.logic(family) / target.logic,
        "multipliers": area.counts[MULTIPLIER] / target.multipliers,
        "memories": area.counts[MEMORY] / target.memories,
    }
    if target.large_memories:
        found[LARGE_MEMORY] = area.counts[LARGE_MEMORY] / target.large_memories
    return found
