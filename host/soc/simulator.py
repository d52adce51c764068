"""The Verilated SoC as a Python object: what its memories hold, and what its UART says."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt

from wingrid.sim.rtl.simulator import SimulationError

HARNESS = Path(__file__).resolve().parent / "harness.cpp"

WAIVERS = {
    "UNOPTFLAT": "ready and valid of LiteX's interconnects depend on each other within a cycle, never on themselves",
    "COMBDLY": "LiteX writes combinational processes with nonblocking assignments",
    "PINMISSING": "LiteX leaves the port of events open",
}
"""Verilator warnings that the SoC raises besides the accelerator's, each with the reason why it may."""

END_OF_TRANSMISSION = "\x04"
"""What the firmware says at its end."""

_PIECE = 100_000
"""Cycles between two looks at the world outside."""


class SocSimulator:
    """A SoC in reset, with its memories as they are given; ``seed`` (1 or more) draws what else they hold."""

    def __init__(self, library: Path, rom: bytes, ram: npt.NDArray[np.uint8], seed: int = 1) -> None:
        self._library = _load(library)
        self._handle = self._library.soc_create(seed)
        if not self._handle:
            raise SimulationError("the SoC's simulation cannot be made")
        self.cycles = 0
        """Simulated so far."""
        self._memory("rom")[: len(rom)] = np.frombuffer(rom, np.uint8)
        self._memory("main_ram")[: len(ram)] = ram

    def lines(self, silence: int) -> Iterator[str]:
        """What the UART says, line by line, until the firmware's end.

        Raises ``SimulationError`` if no byte has come for ``silence`` cycles.
        """
        line = ""
        while True:
            letter = self._letter(silence)
            if letter == END_OF_TRANSMISSION:
                return
            line += letter
            if letter == "\n":
                yield line.rstrip("\n")
                line = ""

    def _letter(self, silence: int) -> str:
        """The next one that the UART sends; in pieces, so that who interrupts need not wait."""
        said = ctypes.create_string_buffer(1)
        end = self.cycles + silence
        while self.cycles < end:
            passed = self._library.soc_run(self._handle, min(_PIECE, end - self.cycles), said)
            if passed < 0:
                raise SimulationError("the SoC's simulation failed")
            self.cycles += passed
            if said.raw != b"\0":
                return said.raw.decode("latin-1")
        raise SimulationError(f"the firmware has said nothing for {silence} cycles")

    def _memory(self, name: str) -> npt.NDArray[np.uint8]:
        size = ctypes.c_uint64()
        place = self._library.soc_memory(self._handle, name.encode(), ctypes.byref(size))
        return np.ctypeslib.as_array((ctypes.c_uint8 * size.value).from_address(place))

    def __enter__(self) -> SocSimulator:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._library.soc_destroy(self._handle)


@functools.cache
def _load(path: Path) -> ctypes.CDLL:
    library = ctypes.CDLL(str(path))
    pointer, u64 = ctypes.c_void_p, ctypes.c_uint64
    library.soc_create.restype, library.soc_create.argtypes = pointer, [ctypes.c_int]
    library.soc_destroy.restype, library.soc_destroy.argtypes = None, [pointer]
    library.soc_memory.restype, library.soc_memory.argtypes = pointer, [pointer, ctypes.c_char_p, pointer]
    library.soc_run.restype, library.soc_run.argtypes = ctypes.c_int64, [pointer, u64, pointer]
    return library
