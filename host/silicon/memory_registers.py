"""Registers behind ECP5's block memories become those within them.

A memory answers 5.8 ns after its clock, which leaves little for the wire to the register behind it; its own output
register answers after 1.0 ns, and takes no flip-flop.
"""

from __future__ import annotations

from wingrid.host.silicon.flip_flops import ALWAYS, Cells, Nets, take_behind, word_behind

MEMORY = "DP16KD"
OUTPUT_BITS = 18
"""Of a port."""


def take_registers(cells: Cells, nets: Nets) -> None:
    """Let each port of a memory that yosys mapped take the registers behind it, in place.

    They are taken if each bit of the port that is used goes to one flip-flop and to nothing else, and these obey the
    port's clock, are not reset and begin as 0; where they are enabled, so are those within, which have an enable of
    their own. The registers of a port that is reset itself, or has some already, stay where they are; so do those of
    words of 36 bits, which take the outputs of both ports, so that which of the two clocks and enables their registers
    obey is not documented.
    """
    for name, cell in list(cells.items()):
        if cell["type"] == MEMORY and not any(int(cell["parameters"][f"DATA_WIDTH_{side}"], 2) == 36 for side in "AB"):
            for side in "AB":
                _take_port(cells, nets, name, side)


def _take_port(cells: Cells, nets: Nets, name: str, side: str) -> None:
    pins, told = cells[name]["connections"], cells[name]["parameters"]
    enable = f"OCE{side}"
    plain = (
        told.get(f"REGMODE_{side}", "NOREG") == "NOREG"
        and told.get(f"CLK{side}MUX", f"CLK{side}") == f"CLK{side}"
        and pins.get(f"RST{side}", ["0"]) == ["0"]
        and pins.get(enable, [ALWAYS]) == [ALWAYS]
    )
    behind = word_behind(cells, nets, pins, (f"DO{side}{bit}" for bit in range(OUTPUT_BITS)))
    if plain and behind and pins[f"CLK{side}"] == [behind.control.clock]:
        told[f"REGMODE_{side}"] = "OUTREG"
        pins[enable] = [behind.control.enable]
        cells[name]["port_directions"][enable] = "input"
        nets.listeners[behind.control.enable].add((name, enable))
        take_behind(cells, nets, pins, behind)
