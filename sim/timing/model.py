"""How long a program takes: the timing model as a Python function."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wingrid.hw.config import INSTRUCTION_BYTES, AcceleratorConfig
from wingrid.hw.encoding import ProgramError, encode_program
from wingrid.hw.isa import Instruction
from wingrid.hw.registers import Counter
from wingrid.sim.memory import MemoryTiming
from wingrid.sim.timing import build
from wingrid.sim.timing.events import EVENT
from wingrid.sim.timing.parameters import parameters

TRANSFER = np.dtype(
    [("first", "<i8"), ("last", "<i8"), ("address", "<u4"), ("beats", "<u4"), ("kind", "<u4"), ("", "<u4")]
)
"""A burst that holds the data bus of memory from cycle ``first`` to ``last``; ``kind`` counts ``TRANSFER_KINDS``."""

TRANSFER_KINDS = ("fetch", "load", "write")


@dataclass(frozen=True)
class TimingResult:
    """The accelerator's counters at the end of a program, and the events and bus transfers on the way."""

    counters: dict[Counter, int]
    """All counters, as the RTL's registers show them."""
    events: NDArray[Any] | None = None
    """Records of ``wingrid.sim.timing.events.EVENT``, if they were asked for: cycle 0 is that of the start."""
    transfers: NDArray[Any] | None = None
    """Records of ``TRANSFER``, if events were asked for."""

    @property
    def cycles(self) -> int:
        return self.counters[Counter.CYCLES]


def simulate(
    config: AcceleratorConfig,
    program: bytes | Sequence[Instruction],
    timing: MemoryTiming | None = None,
    *,
    program_address: int = 0,
    events: bool = False,
) -> TimingResult:
    """Play a program, as it lies in memory at ``program_address`` or as a list of instructions.

    ``timing`` defaults as in ``RtlSimulator``. With ``events`` the result tells when each engine starts and ends each
    instruction, and who has the bus when. Time grows with instructions, bursts and taps, not with cycles.
    Raises ``ProgramError``; does not check what else the hardware calls a fault. Does not hold Python's lock.
    """
    timing = MemoryTiming.for_bus(config.bus_bytes) if timing is None else timing
    code = program if isinstance(program, bytes) else encode_program(list(program))
    length, rest = divmod(len(code), INSTRUCTION_BYTES)
    if rest or not length:
        raise ProgramError(f"a program of {len(code)} bytes is not one or more whole instructions")
    library = _load()
    counters = (ctypes.c_int64 * len(Counter))()
    error = ctypes.create_string_buffer(1000)
    machine = library.wingrid_model_run(
        ctypes.byref(parameters(config, timing)), code, length, program_address, int(events),
        counters, error, len(error),
    )  # fmt: skip
    if not machine:
        raise ProgramError(error.value.decode())
    try:
        values = {counter: counters[counter] for counter in Counter}
        if not events:
            return TimingResult(values)
        recorded = _copy(library.wingrid_model_events, machine, EVENT)
        return TimingResult(
            values,
            recorded[np.lexsort((recorded["instruction"], recorded["event"], recorded["cycle"]))],
            _copy(library.wingrid_model_transfers, machine, TRANSFER),
        )
    finally:
        library.wingrid_model_destroy(machine)


def _copy(function: Any, machine: int, record: np.dtype[Any]) -> NDArray[Any]:  # noqa: ANN401 (a foreign function)
    content = ctypes.c_void_p()
    count = function(machine, ctypes.byref(content))
    if not count:
        return np.empty(0, record)
    return np.frombuffer(ctypes.string_at(content, count * record.itemsize), record)


@functools.cache
def _load() -> ctypes.CDLL:
    library = ctypes.CDLL(str(build.library()))
    pointer, u32, u64 = ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint64
    library.wingrid_model_run.restype = pointer
    library.wingrid_model_run.argtypes = [
        pointer, ctypes.c_char_p, u32, u32, ctypes.c_int, pointer, ctypes.c_char_p, u64,
    ]  # fmt: skip
    library.wingrid_model_destroy.restype, library.wingrid_model_destroy.argtypes = None, [pointer]
    for function in (library.wingrid_model_events, library.wingrid_model_transfers):
        function.restype, function.argtypes = u64, [pointer, pointer]
    return library
