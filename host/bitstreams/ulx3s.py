"""The board: ULX3S of Radiona with an LFE5U-85F, as its schematics and constraints tell.

https://github.com/emard/ulx3s, ``doc/constraints/ulx3s_v20.lpf``.
"""

from __future__ import annotations

NAME = "ulx3s"

CHIP = ("--85k", "--package", "CABGA381", "--speed", "6")
"""What nextpnr is told of it."""

BLOCKS = 208
"""Block RAMs of the chip."""

HERTZ = 25_000_000
"""Of the oscillator, which is the clock of everything."""

BAUD = 1_000_000
"""Of the UART, which ends in a USB plug: a divisor of the clock, so that bits are as long as they should be."""

PINS = {"clk": "G2", "serial_tx": "L4", "serial_rx": "M1"}
"""Balls by the port of the design; transmitted by the chip (ftdi_rxd), received by it (ftdi_txd)."""


def constraints() -> str:
    """The file of preferences (.lpf) for nextpnr."""
    lines = ["BLOCK RESETPATHS;", "BLOCK ASYNCPATHS;", f'FREQUENCY PORT "clk" {HERTZ / 1e6:g} MHZ;']
    for port, ball in PINS.items():
        lines += [f'LOCATE COMP "{port}" SITE "{ball}";', f'IOBUF PORT "{port}" IO_TYPE=LVCMOS33;']
    return "\n".join([*lines, ""])
