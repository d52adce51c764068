"""What nextpnr is at, from the lines that it logs: placing by iterations, routing by the wires that are left."""

from __future__ import annotations

import re
from collections.abc import Callable

_PLACING = re.compile(r"Info:\s+at iteration #(\d+), type")
_REFINING = re.compile(r"Info:\s+at iteration #(\d+): temp")
_ARCS = re.compile(r"Info: Routing (\d+) arcs")
_LEFT = re.compile(r"Info:\s+\d+ \|[^|]*\|[^|]*\|\s*(\d+)\|")
_OVERUSED = re.compile(r"Info:\s+iter=(\d+) .*overused=(\d+)")
_HEADINGS = {
    "Info: Packing": "packing",
    "Info: Creating initial": "placing",
    "Info: Running simulated annealing": "refining the placement",
    "Info: Routing global": "routing clocks",
}


def stages(says: Callable[[str], None]) -> Callable[[str], None]:
    """What hears the router's lines, and tells ``says`` whenever there is something new."""
    arcs = 0

    def hears(line: str) -> None:
        nonlocal arcs
        for heading, stage in _HEADINGS.items():
            if line.startswith(heading):
                says(stage)
        if found := _PLACING.match(line):
            says(f"placing, iteration {found[1]}")
        elif found := _REFINING.match(line):
            says(f"refining the placement, iteration {found[1]}")
        elif found := _ARCS.match(line):
            arcs = int(found[1])
            says("routing")
        elif (found := _LEFT.match(line)) and arcs:
            says(f"routing, {1 - int(found[1]) / arcs:.0%} of {arcs:,} wires")
        elif found := _OVERUSED.match(line):
            says(f"routing, iteration {found[1]}, {int(found[2]):,} wires taken twice")

    return hears
