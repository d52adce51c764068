"""Place and route by nextpnr: the clock that a netlist reaches on a chip, its worst paths, what of the chip is used."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wingrid.host.silicon.area import part_of
from wingrid.host.silicon.family import FAMILIES, REGISTER
from wingrid.host.silicon.harness import INSTANCE
from wingrid.host.silicon.router_progress import stages
from wingrid.host.silicon.target import Target
from wingrid.host.silicon.yowasp import identity, run
from wingrid.sim.cache import cached, key
from wingrid.sim.tools import Tools

GOAL_MHZ = 150
"""What the router is told to aim at. By nextpnr 0.11.1 an 8x8 direct's clock is the same with 115."""


@dataclass(frozen=True)
class Step:
    """A stretch of a path: through a cell, or along a wire."""

    kind: str
    """clk-to-q, logic, routing, or setup."""
    nanoseconds: float
    signal: str
    """The net, see ``own_name``."""
    part: str
    """The part that it lies in, see ``area.part_of``."""


@dataclass(frozen=True)
class EndPoint:
    """A register's or a memory's input, and when the slowest path to it has arrived."""

    nanoseconds: float
    """After the clock edge that started it, with the setup time: the clock's period is that or more."""
    cell: str
    """By its path in the accelerator."""
    part: str


@dataclass(frozen=True)
class Routed:
    """A placed and routed netlist."""

    seed: int
    mhz: float
    path: Sequence[Step]
    """The slowest from one register to another."""
    ends: Sequence[EndPoint]
    """The slowest end point of each part, the slowest of all first."""
    used: dict[str, tuple[int, int]]
    """Cells that are used, and that there are, by the router's names for them."""


def router_of(target: Target) -> str:
    """The program that places and routes a target which ``routes``."""
    router = FAMILIES[target.family].router
    assert router is not None
    return router.program


def router_arguments(target: Target) -> tuple[str, ...]:
    """What the router is told about a target which ``routes``, and how it is to work."""
    router = FAMILIES[target.family].router
    assert router is not None
    ours = ("--freq", str(GOAL_MHZ), "--timing-allow-fail", "--detailed-timing-report")
    return (*target.route, *router.arguments, *ours)


def routed(
    netlist: Path, target: Target, seed: int, parts: Sequence[str], tools: Tools, says: Callable[[str], None]
) -> Routed:
    """Place and route a netlist, from the cache if that was done before; ``says`` hears what the router is at.

    Raises ``ToolMissing`` and ``BuildError``.
    """
    program = router_of(target)
    arguments = [*router_arguments(target), "--seed", str(seed)]

    def build(folder: Path) -> Path:
        (folder / netlist.name).write_bytes(netlist.read_bytes())
        hears = stages(lambda stage: says(f"nextpnr for {target.name}, seed {seed}: {stage}"))
        files = ["--json", netlist.name, "--report", "report.json"]
        run(program, [*arguments, *files], "nextpnr", folder, tools, hears)
        return folder / "report.json"

    name = key(netlist.read_bytes(), " ".join(arguments), identity(program))
    return _read(json.loads(cached(f"silicon/{name}/report.json", build).read_text()), seed, parts)


def _read(report: dict[str, Any], seed: int, parts: Sequence[str]) -> Routed:
    known = sorted(parts, key=len, reverse=True)
    clocks = [entry["achieved"] for entry in report["fmax"].values()]
    # Paths from and to pins are the harness's, and have no register at one end.
    paths = [path for path in report["critical_paths"] if "<async>" not in (path["from"], path["to"])]
    steps = [
        Step(step["type"], step["delay"], own_name(_place(step)), part_of(_place(step), known))
        for path in paths[:1]
        for step in path["path"]
    ]
    used = {name: (entry["used"], entry["available"]) for name, entry in report["utilization"].items() if entry["used"]}
    return Routed(seed, round(min(clocks), 2), steps, _slowest_ends(report["detailed_net_timings"], known), used)


def _slowest_ends(nets: Sequence[dict[str, Any]], known: Sequence[str]) -> list[EndPoint]:
    slowest: dict[str, EndPoint] = {}
    for net in nets:
        for end in net["endpoints"]:
            if "<async>" in (net["event"], end["event"]):
                continue
            part, (_, latest) = part_of(end["cell"], known), end["delay"]
            if part not in slowest or latest > slowest[part].nanoseconds:
                slowest[part] = EndPoint(latest, own_name(end["cell"]), part)
    return sorted(slowest.values(), key=lambda end: (-end.nanoseconds, end.part))


def _place(step: dict[str, Any]) -> str:
    return step.get("net") or step["to"]["cell"]


def own_name(name: str) -> str:
    """The path of a net or a cell below the harness; what has no name has that of the signal it is next to.

    Empty for what the router itself put between two signals.
    """
    if name.startswith("$nextpnr"):
        return ""
    path = _MADE_BY_ROUTER.sub("", name.partition(f"{INSTANCE}.")[2] or name)
    return _BETWEEN.sub("~", _REGISTER_OF.sub("", path))


def _any_of(cells: Iterable[str]) -> str:
    return f"(?:{'|'.join(sorted(set(cells), key=lambda cell: (-len(cell), cell)))})"


_MADE_BY_ROUTER = re.compile(r"\$(?:DPRAM|CCU2|RAMW)\w*$")
_REGISTER_OF = re.compile(
    rf"_{_any_of(c for family in FAMILIES.values() for c, kind in family.cells.items() if kind[0] == REGISTER)}"
    r"_Q(?:_\d+)?$"
)
"""What yosys adds to a signal's name for the register that holds one of its bits."""
_BETWEEN = re.compile(
    rf"_{_any_of(cell for family in FAMILIES.values() for cell in (*family.cells, *family.free))}_.*?(?=\[|$)"
)
"""What it adds for a net or a cell that has no name: the cells from there to the signal, and their pins."""
