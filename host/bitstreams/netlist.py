"""Synthesis of the whole chip by yosys: the netlist for the router, and the same one as Verilog for the simulation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from wingrid.host.bitstreams.layout import TOP
from wingrid.host.silicon.block_registers import METHOD, rewrite
from wingrid.host.silicon.family import ECP5_MAPPING
from wingrid.host.silicon.two_ways import YOSYS, synthesise, ways
from wingrid.host.silicon.yowasp import identity, run
from wingrid.sim.cache import cached, key
from wingrid.sim.tools import Tools

SYNTHESIS = ways(f"read_verilog {TOP}.v", f"synth_ecp5 -top {TOP}", "write_json netlist.json", ECP5_MAPPING)
AS_VERILOG = "read_json netlist.json; splitnets; write_verilog -noattr netlist.v"
"""Single wires in the Verilog: bits of a carry chain that depend on each other look like a loop within a vector."""


@dataclass(frozen=True)
class Netlist:
    """What came of synthesis."""

    json: bytes = field(repr=False)
    """For nextpnr."""
    verilog: str = field(repr=False)


def synthesised(sources: Mapping[str, bytes], says: Callable[[str], None]) -> Netlist:
    """The netlist of ``board.v`` and the files that it reads its memories from, from the cache or made now.

    Raises ``ToolMissing`` and ``BuildError``.
    """
    name = key(
        *SYNTHESIS,
        METHOD,
        AS_VERILOG,
        identity(YOSYS),
        *(part for file in sorted(sources) for part in (file, sources[file])),
    )

    def build(folder: Path) -> Path:
        says("yosys synthesises the board; this takes minutes")
        for file, content in sources.items():
            (folder / file).write_bytes(content)
        synthesise(SYNTHESIS, folder, Tools(), says)
        rewrite(folder / "netlist.json")
        run(YOSYS, ["-q", "-p", AS_VERILOG], "yosys", folder, Tools())
        # One entry holds both: they belong together.
        both = (folder / "netlist.json").read_bytes() + SEPARATOR + (folder / "netlist.v").read_bytes()
        (folder / "netlist").write_bytes(both)
        return folder / "netlist"

    json, _, verilog = cached(f"bitstreams/{name}/netlist", build).read_bytes().partition(SEPARATOR)
    return Netlist(json, verilog.decode())


SEPARATOR = b"\0"
"""Neither text has one."""
