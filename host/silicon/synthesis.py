"""Synthesis by yosys: from the accelerator's Verilog to a netlist of a chip's cells, kept by text, target and tool.

What yosys leaves undone that a family's chips could do, ``block_registers`` does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from wingrid.host.silicon.block_registers import METHOD, rewrite
from wingrid.host.silicon.family import FAMILIES
from wingrid.host.silicon.harness import TOP, harness
from wingrid.host.silicon.target import Target
from wingrid.host.silicon.two_ways import YOSYS, synthesise, ways
from wingrid.host.silicon.yowasp import identity
from wingrid.hw import verilog
from wingrid.hw.config import AcceleratorConfig
from wingrid.sim.cache import cached, key
from wingrid.sim.tools import Tools
from wingrid.sim.verilog_text import verilog_text

NETLIST = "netlist.json"

_HEADER = re.compile(r"[\d.]+\. (?:Executing )?(.*?)\.?$")


def source(config: AcceleratorConfig, says: Callable[[str], None] = lambda _: None) -> str:
    """The accelerator's Verilog without the comments that it begins with, which name versions."""
    lines = verilog_text(config, says).splitlines(keepends=True)
    first = next(number for number, line in enumerate(lines) if line.strip() and not line.startswith(("//", "/*")))
    return "".join(lines[first:])


def scripts(target: Target) -> tuple[str, str]:
    """What yosys does for the target, and what it does if that ends without a word."""
    family = FAMILIES[target.family]
    large = f" {family.for_large_memories}" if target.large_memories and family.for_large_memories else ""
    names = f" {family.naming};" if family.naming else ""
    return ways(
        f"read_verilog {verilog.TOP}.v {TOP}.v",
        f"{family.synthesis}{large} -top {TOP}",
        f"{names} write_json {NETLIST}".strip(),
        family.mapping,
    )


def recipe(target: Target) -> str:
    """All that decides what becomes of a text: what yosys does, and what is done to its netlist."""
    return "\n".join(scripts(target)) + (METHOD if FAMILIES[target.family].registers_in_blocks else "")


def netlist_path(text: str, target: Target, tools: Tools, says: Callable[[str], None]) -> Path:
    """The netlist, as JSON, of the accelerator's Verilog in its harness for the target's family.

    ``says`` hears what yosys is at. Raises ``ToolMissing`` and ``BuildError``.
    """
    around = harness(text)

    def hears(line: str) -> None:
        if found := _HEADER.match(line):
            says(f"yosys for {target.family}: {found[1]}")

    def build(folder: Path) -> Path:
        (folder / f"{verilog.TOP}.v").write_text(text)
        (folder / f"{TOP}.v").write_text(around)
        synthesise(scripts(target), folder, tools, says, hears)
        if FAMILIES[target.family].registers_in_blocks:
            says(f"registers into multipliers and memories for {target.family}")
            rewrite(folder / NETLIST)
        return folder / NETLIST

    name = key(text, around, recipe(target), identity(YOSYS))
    return cached(f"silicon/{name}/{NETLIST}", build)


def netlist(path: Path) -> dict[str, Any]:
    """The harness's cells by name, as yosys writes them."""
    return json.loads(path.read_text())["modules"][TOP]["cells"]
