"""Registers beside ECP5's multipliers and block memories become those within them, which yosys leaves unused.

    python -m wingrid.host.silicon.block_registers NETLIST.json

changes a netlist of ``synth_ecp5`` and ``write_json`` in place, for a flow of one's own.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from wingrid.host.errors import UserError
from wingrid.host.files import write_whole
from wingrid.host.silicon import memory_registers, multiplier_registers
from wingrid.host.silicon.flip_flops import Nets

METHOD = "".join(
    Path(__file__).with_name(f"{name}.py").read_text()
    for name in ("flip_flops", "memory_registers", "multiplier_registers")
)
"""Decides what becomes of a netlist: part of the key of what is kept."""


def take_registers(module: dict[str, Any]) -> None:
    """Let the multipliers and memories that yosys mapped take the registers beside them, in place.

    ``module`` is one of a netlist as yosys' ``write_json`` describes it. What it does stays the same in every cycle,
    from the first values on. A flip-flop that is reset, begins as 1, or obeys a falling edge or an inverted enable
    stays where it is; see ``multiplier_registers`` and ``memory_registers`` for which of the others go in.
    """
    nets = Nets(module)
    for kind in (memory_registers, multiplier_registers):
        kind.take_registers(module["cells"], nets)


def rewrite(path: Path) -> None:
    """``take_registers`` for all modules of a netlist that yosys' ``write_json`` wrote, in place.

    Raises ``UserError`` if the file is no such netlist.
    """
    try:
        netlist = json.loads(path.read_bytes())
        for module in netlist["modules"].values():
            take_registers(module)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, LookupError, TypeError, AttributeError):
        raise UserError(f"{path} is no netlist as yosys' write_json writes it") from None
    write_whole(path, json.dumps(netlist).encode())


def main() -> None:
    """The command above."""
    if len(sys.argv) != 2:
        sys.exit("usage: python -m wingrid.host.silicon.block_registers NETLIST.json")
    try:
        rewrite(Path(sys.argv[1]))
    except UserError as error:
        print(f"wingrid: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
