"""The clock that a design is planned for, before it is placed and routed."""

from __future__ import annotations

import math

from wingrid.host.silicon import routed_clocks
from wingrid.host.silicon.routed_clocks import RoutedClock
from wingrid.host.silicon.target import Target, find_target
from wingrid.hw.config import AcceleratorConfig

MARGIN = 0.85
"""Of the clock that a similar accelerator was routed at: placements scatter, and so do sizes in between."""


def planned_mhz(config: AcceleratorConfig, target: Target) -> float | None:
    """A clock that the configuration should reach, in whole MHz; ``None`` where nothing like it was ever routed.

    It is ``MARGIN`` of that of the shipped row (``clocks.toml``) that is most like it in size, among those of the same
    family, of the same or a slower speed grade and preferably of the same Winograd tile. Rows count whether or not
    today's Verilog is what was routed: what is built is routed again, and has to reach what was planned.
    """
    if not target.routes:
        return None
    rows = [row for row in routed_clocks.read(routed_clocks.SHIPPED) if _applies(row, target)]
    if not rows:
        return None

    def unlike(row: RoutedClock) -> tuple[bool, float, float]:
        size = abs(math.log(row.config.multipliers / config.multipliers))
        return row.config.winograd != config.winograd, size, -row.mhz

    return float(math.floor(MARGIN * min(rows, key=unlike).mhz))


def _applies(row: RoutedClock, target: Target) -> bool:
    other = find_target(row.target)
    return other.family == target.family and other.speed <= target.speed
