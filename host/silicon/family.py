"""Families of chips: how yosys synthesises for them, and what the cells of its netlist are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

LOGIC, CARRY, REGISTER, MULTIPLIER, MEMORY, SMALL_MEMORY = (
    "logic", "carry", "registers", "multipliers", "memories", "small memories"
)  # fmt: skip
KINDS = (LOGIC, CARRY, REGISTER, MULTIPLIER, MEMORY, SMALL_MEMORY)
"""What cells are counted as: look-up tables, carry chains, flip-flops, DSP blocks, block RAM, RAM made of logic."""


@dataclass(frozen=True)
class Family:
    """A family that yosys knows."""

    synthesis: str
    """The command, but for the top module and the output."""
    cells: Mapping[str, tuple[str, float]]
    """The kind of each cell, and how many of that kind it is."""
    logic: Mapping[str, float]
    """Look-up tables that each kind of cell takes: carry chains and small memories are made of them."""
    clock_buffers: tuple[str, ...] = ()
    """Cells that are nobody's."""


FAMILIES = {
    "ecp5": Family(
        "synth_ecp5",
        {
            "LUT4": (LOGIC, 1),
            "CCU2C": (CARRY, 1),
            "TRELLIS_FF": (REGISTER, 1),
            "MULT18X18D": (MULTIPLIER, 1),
            "DP16KD": (MEMORY, 1),
            "TRELLIS_DPR16X4": (SMALL_MEMORY, 1),
        },
        # A CCU2C is two LUT4; four bits of 16 words take two LUT4 for data, two for the second port, and two to write.
        {LOGIC: 1, CARRY: 2, SMALL_MEMORY: 6},
        ("PFUMX", "L6MUX21"),
    ),
    "xc7": Family(
        "synth_xilinx -family xc7 -flatten -noiopad -noclkbuf",
        {
            **{f"LUT{inputs}": (LOGIC, 1) for inputs in range(1, 7)},
            "CARRY4": (CARRY, 1),
            **dict.fromkeys(("FDRE", "FDSE", "FDCE", "FDPE"), (REGISTER, 1)),
            "DSP48E1": (MULTIPLIER, 1),
            "RAMB36E1": (MEMORY, 1),
            "RAMB18E1": (MEMORY, 0.5),
            "RAM32M": (SMALL_MEMORY, 4),
            "RAM64M": (SMALL_MEMORY, 4),
            "RAM32X1D": (SMALL_MEMORY, 2),
            "RAM64X1D": (SMALL_MEMORY, 2),
            "SRL16E": (SMALL_MEMORY, 1),
            "SRLC32E": (SMALL_MEMORY, 1),
        },
        # Carry chains stand beside the look-up tables; small memories are counted in the tables that they are made of.
        {LOGIC: 1, SMALL_MEMORY: 1},
        ("MUXF7", "MUXF8", "INV", "BUFG"),
    ),
}
