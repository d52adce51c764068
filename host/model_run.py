"""A compiled layer on the timing model: how long it takes, and whether the hardware took as long."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy.typing as npt

from host.compiler import CompiledLayer
from hw.registers import Counter
from sim.memory import MemoryTiming
from sim.timing.equality import difference
from sim.timing.model import ProgramError, TimingResult, simulate


def play(compiled: CompiledLayer, program: bytes, timing: MemoryTiming, *, events: bool = False) -> TimingResult:
    """The layer's encoded program, where it lies in memory, on the timing model. Raises ``ProgramError``."""
    return simulate(compiled.config, program, timing, program_address=compiled.memory.program, events=events)


def timing_difference(
    compiled: CompiledLayer,
    program: bytes,
    timing: MemoryTiming,
    counters: Mapping[Counter, int],
    steps: npt.NDArray[Any],
) -> str | None:
    """How the model differs from a run on the RTL: counters with both values, the first instruction that is not alike.

    ``None`` if every counter is equal, and so is the cycle of everything that happened to an instruction.
    """
    try:
        return difference(program, play(compiled, program, timing, events=True), counters, steps)
    except ProgramError as error:
        return f"it cannot tell the time of the program: {error}"
