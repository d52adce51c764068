"""What is known of the accelerator on a chip."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wingrid.host.silicon.area import OUTSIDE, Area, share
from wingrid.host.silicon.family import FAMILIES, Family
from wingrid.host.silicon.place_and_route import Routed
from wingrid.host.silicon.target import Target
from wingrid.hw.config import AcceleratorConfig


@dataclass(frozen=True)
class SynthResult:
    """A configuration synthesised for a target, and routed with some seeds if an open tool can."""

    config: AcceleratorConfig
    target: Target
    areas: Mapping[str, Area]
    """By part; the accelerator itself is ``""``, what is not its own ``area.OUTSIDE``."""
    files: Mapping[str, str]
    """Where each part is described."""
    uncounted: Mapping[str, int]
    """Cells of kinds that the family's description does not know, which are in no figure."""
    routes: Sequence[Routed]
    seconds: float

    @property
    def family(self) -> Family:
        return FAMILIES[self.target.family]

    @property
    def total(self) -> Area:
        """The accelerator without the harness."""
        whole = Area()
        for part, area in self.areas.items():
            if part != OUTSIDE:
                whole.add(area)
        return whole

    @property
    def share(self) -> dict[str, float]:
        """What fraction of the target's logic, multipliers and memories the accelerator takes."""
        return share(self.total, self.target, self.family)

    @property
    def fits(self) -> bool:
        """Whether the target has that much."""
        return max(self.share.values()) <= 1

    @property
    def mhz(self) -> float | None:
        """The clock: the median of the seeds; ``None`` if nothing was routed."""
        return statistics.median(route.mhz for route in self.routes) if self.routes else None
