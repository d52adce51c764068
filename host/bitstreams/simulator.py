"""The netlist of the whole chip in simulation: what it says on its serial line."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from pathlib import Path

from wingrid.host.bitstreams.layout import TOP
from wingrid.host.bitstreams.models import with_models
from wingrid.host.bitstreams.ulx3s import BAUD, HERTZ
from wingrid.host.soc.simulator import END_OF_TRANSMISSION
from wingrid.sim.rtl import build
from wingrid.sim.rtl.simulator import SimulationError

HARNESS = Path(__file__).resolve().parent / "harness.cpp"

WAIVERS = {"PINMISSING": "yosys leaves pins open that a cell's parameters make it ignore"}
"""Verilator's warnings that netlist and models raise besides the accelerator's, each with the reason why it may."""

FAST = ("-O1",)
"""A netlist is 20 MB of straight-line C++ that runs once: with -O3 compiling it takes longer than running it."""

_PIECE = 20_000
"""Cycles between two looks at the world outside."""


def said(netlist: str, silence: int, seed: int, says: Callable[[str], None]) -> tuple[list[str], int]:
    """The lines that the chip says until its firmware's end, and the cycles from reset to there.

    ``seed`` draws what has no first value. Raises ``SimulationError`` if no letter has come for ``silence`` cycles, or
    if something else than letters has; ``BuildError`` and ``ToolMissing``.
    """
    path = build.library(with_models(netlist), 4, harness=HARNESS, top=TOP, waivers=WAIVERS, fast=FAST, progress=says)
    lines: list[str] = []
    line = ""
    for letter, cycles in _letters(path, silence, seed, says):
        if letter == END_OF_TRANSMISSION:
            return lines, cycles
        line += letter
        if letter == "\n":
            lines.append(line.rstrip("\n"))
            says(lines[-1])
            line = ""
    raise AssertionError("letters end only by an error")


def _letters(path: Path, silence: int, seed: int, says: Callable[[str], None]) -> Iterator[tuple[str, int]]:
    """Each letter, and the cycles until it was complete."""
    library = ctypes.CDLL(str(path))
    pointer = ctypes.c_void_p
    library.board_create.restype, library.board_create.argtypes = pointer, [ctypes.c_int, ctypes.c_uint]
    library.board_destroy.restype, library.board_destroy.argtypes = None, [pointer]
    library.board_run.restype, library.board_run.argtypes = ctypes.c_int64, [pointer, ctypes.c_uint64, ctypes.c_char_p]
    board = library.board_create(seed, HERTZ // BAUD)
    if not board:
        raise SimulationError("the netlist's simulation cannot be made")
    try:
        letter, cycles, last = ctypes.create_string_buffer(1), 0, 0
        while cycles < last + silence:
            passed = library.board_run(board, _PIECE, letter)
            if passed < 0:
                raise SimulationError("the serial line of the netlist carries no letters")
            cycles += passed
            if letter.raw != b"\0":
                last = cycles
                yield letter.raw.decode("latin-1"), cycles
            else:
                says(f"{cycles:,} cycles of the netlist")
        raise SimulationError(f"the firmware has said nothing for {silence} cycles")
    finally:
        library.board_destroy(board)
