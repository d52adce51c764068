"""The Verilated accelerator as a Python object: memory, registers, and running until the interrupt."""

from __future__ import annotations

import ctypes
import enum
import functools
import os
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wingrid.hw.config import AXI_PAGE_BYTES, AcceleratorConfig
from wingrid.hw.events import EVENT_LATENCY
from wingrid.sim.memory import BusTiming, MemoryTiming
from wingrid.sim.rtl import build

_FIRST_CHUNK = 10_000
_ATTENTION = 0.1
"""Seconds of simulation between two looks at the world outside: who interrupts does not want to wait."""

_RESET_CYCLES = 4
_LIMIT, _INTERRUPT, _STALLED, _FAILED = range(4)

HANDSHAKE = np.dtype(
    [("cycle", "<u8"), ("address", "<u8"), ("channel", "<u4"), ("beats", "<u4"), ("last", "<u4")], align=True
)
"""A handshake on the AXI4 master. ``address``, on the bus, and ``beats`` are those of AR and AW, ``last`` that of R and
W."""

ENGINE_EVENT = np.dtype([("cycle", "<i8"), ("event", "<u4")])
"""An engine event: ``event``, a ``wingrid.hw.events.Event``, happened to the engine's next instruction."""

_RECORDED_EVENT = np.dtype([("cycle", "<i8"), ("event", "<u4"), ("", "<u4")])


class Channel(enum.IntEnum):
    """Which channel a recorded handshake happened on."""

    AR = 0
    R = 1
    AW = 2
    W = 3
    B = 4


class SimulationError(RuntimeError):
    """The device broke a rule of its buses, or a register was not answered or answered with an error."""


class SimulationStalled(SimulationError):
    """No interrupt came, and nothing moved on the memory bus for as long as patience lasts."""


class RtlSimulator:
    """The accelerator of one configuration with its external memory; in reset state when made.

    ``memory_bytes`` is the size of the memory, which starts with zeros and at address ``base`` on the bus, a
    multiple of 4096: what the host writes to the register BASE for programs whose offsets are places in
    ``memory``. Bursts outside it are answered with SLVERR. ``timing`` defaults to a latency of 40 cycles and
    16 bytes per cycle (or the bus width if that is less). ``waves`` names an FST file to write (``OSError`` if
    it cannot be).
    ``seed`` (1 or more) chooses the random contents of registers and buffers before they are first
    written. ``patience`` counts cycles without any handshake on the memory bus after which
    ``run_until_interrupt`` gives up. ``verilog`` replaces the accelerator by another module ``wingrid``
    with the same ports. ``progress`` hears of the build, if one is needed.

    Several simulators may be used at once, each from one thread; running does not hold Python's lock.
    """

    def __init__(
        self,
        config: AcceleratorConfig,
        *,
        timing: MemoryTiming | None = None,
        memory_bytes: int,
        base: int = 0,
        waves: Path | None = None,
        seed: int = 1,
        patience: int = 2_000_000,
        verilog: str | None = None,
        progress: build.Progress | None = None,
    ) -> None:
        self.config = config
        self.timing = MemoryTiming.for_bus(config.bus_bytes) if timing is None else timing
        self.timing.check(config.bus_bytes)
        if not 1 <= memory_bytes <= 1 << 32:
            raise ValueError(f"memory_bytes = {memory_bytes} must lie between 1 and 2**32")
        if not 0 <= base <= (1 << config.address_bits) - memory_bytes or base % AXI_PAGE_BYTES:
            raise ValueError(
                f"base = {base:#x} must be a multiple of {AXI_PAGE_BYTES} from which {memory_bytes} bytes lie within "
                f"{config.address_bits} address bits"
            )
        if not 1 <= seed < 1 << 31:
            raise ValueError(f"seed = {seed} must lie between 1 and 2**31 - 1")
        if patience < 1:
            raise ValueError(f"patience = {patience} must be at least 1")
        self.patience = patience
        self.base = base
        if verilog is None:
            path = build.accelerator_library(config, waves=waves is not None, progress=progress)
        else:
            path = build.library(verilog, config.bus_bytes, waves=waves is not None, progress=progress)
        self._library = _load(path)
        self.memory: NDArray[np.uint8] = np.zeros(memory_bytes, np.uint8)
        """The external memory; what is written here the accelerator reads, and the other way round."""
        if waves is not None:
            waves.write_bytes(b"")  # Verilator does not notice when it cannot write
        error = ctypes.create_string_buffer(1000)
        handle = self._library.wingrid_create(
            self.memory.ctypes.data, base, memory_bytes, ctypes.byref(BusTiming.of(self.timing)), seed,
            None if waves is None else os.fsencode(waves), error, len(error),
        )  # fmt: skip
        if not handle:
            raise SimulationError(error.value.decode())
        self._handle: int | None = handle
        self._finalizer = weakref.finalize(self, _destroy, self._library, handle, self.memory)
        self.reset()

    @property
    def cycles(self) -> int:
        """Clock cycles simulated so far, resets and register accesses included."""
        return int(self._library.wingrid_cycle(self._open()))

    @property
    def written(self) -> int:
        """The cycle after the last write to a register has come: rows and refreshes of a DRAM count from it."""
        return int(self._library.wingrid_written(self._open()))

    def reset(self) -> None:
        """Hold reset for four cycles. Bus transactions are forgotten, the memory stays as it is."""
        self._check(self._library.wingrid_reset(self._open(), _RESET_CYCLES))

    def write_register(self, address: int, value: int) -> None:
        """Write 32 bits through AXI4-Lite; returns when the write is acknowledged."""
        self._check(self._library.wingrid_write(self._open(), address, value))

    def read_register(self, address: int) -> int:
        """Read 32 bits, unsigned, through AXI4-Lite."""
        value = ctypes.c_uint32()
        self._check(self._library.wingrid_read(self._open(), address, ctypes.byref(value)))
        return value.value

    def run_until_interrupt(self, progress: Callable[[int], None] | None = None) -> int:
        """Simulate until the interrupt is high; return the number of cycles that took, at least 1.

        ``progress`` is called from time to time with the cycles so far. Raises ``SimulationStalled``
        naming the cycle and the last bus activity, or ``SimulationError``.
        """
        start = self.cycles
        self._library.wingrid_attend(self._open())
        chunk = _FIRST_CHUNK
        while True:
            began = time.perf_counter()
            status = self._check(self._library.wingrid_run(self._open(), chunk, self.patience))
            chunk = max(1_000, min(int(chunk * _ATTENTION / (time.perf_counter() - began)), 2 * chunk))
            if status == _INTERRUPT:
                return self.cycles - start
            if status == _STALLED:
                raise SimulationStalled(
                    f"no interrupt by cycle {self.cycles}, and nothing moved on the memory bus for "
                    f"{self.patience} cycles; last bus activity: {self.last_activity()}"
                )
            if progress is not None:
                progress(self.cycles - start)

    def last_activity(self) -> str:
        """The last handshake on the memory bus, as text."""
        text = ctypes.create_string_buffer(200)
        self._library.wingrid_last_activity(self._open(), text, len(text))
        return text.value.decode()

    def inject_error(self, first: int, last: int, response: int = 2) -> None:
        """Answer accesses to bytes ``first`` to ``last`` of ``memory`` inclusive with an AXI error response (2 or 3).

        Of a read burst those beats fail that touch the range, a write burst fails as a whole and
        changes nothing. Failing beats carry zeros.
        """
        if response not in (2, 3):
            raise ValueError(f"response = {response} must be 2 (SLVERR) or 3 (DECERR)")
        if not 0 <= first <= last < 1 << 32:
            raise ValueError(f"the range {first}..{last} must be ascending places in memory, of 32 bits")
        self._library.wingrid_trap(self._open(), first, last, response)

    def clear_errors(self) -> None:
        """Take back all injected errors."""
        self._library.wingrid_clear_traps(self._open())

    def record_handshakes(self, on: bool = True) -> None:
        """Start recording the memory bus with an empty record, or stop and drop it."""
        self._library.wingrid_record_handshakes(self._open(), int(on))

    def handshakes(self) -> NDArray[Any]:
        """A copy of the handshakes recorded so far, in order, as records of ``HANDSHAKE``.

        Within a cycle the order is AR, AW, W, R, B.
        """
        handshakes = ctypes.c_void_p()
        count = self._library.wingrid_handshakes(self._open(), ctypes.byref(handshakes))
        if not count:
            return np.empty(0, HANDSHAKE)
        return np.frombuffer(ctypes.string_at(handshakes, count * HANDSHAKE.itemsize), HANDSHAKE)

    def record_events(self, on: bool = True) -> None:
        """Start recording engine events with an empty record, or stop and drop it."""
        self._library.wingrid_record_events(self._open(), int(on))

    def events(self) -> NDArray[Any]:
        """A copy of the engine events recorded so far, in order, as records of ``ENGINE_EVENT``.

        Cycle 0 is that in which the last write to a register acts: where a program is started and nothing written
        since, the cycle before the machine runs. Behind register slices it acts a cycle later, as cycle 1.
        """
        events = ctypes.c_void_p()
        count = self._library.wingrid_events(self._open(), ctypes.byref(events))
        result = np.empty(count, ENGINE_EVENT)
        if count:
            recorded = np.frombuffer(ctypes.string_at(events, count * _RECORDED_EVENT.itemsize), _RECORDED_EVENT)
            result["cycle"] = recorded["cycle"] - EVENT_LATENCY - self._library.wingrid_written(self._open())
            result["event"] = recorded["event"]
        return result

    def close(self) -> None:
        """End the simulation and complete the wave file. ``memory`` stays valid.

        Raises ``SimulationError`` if the waves cannot be written.
        """
        handle, self._handle = self._handle, None
        if handle is None:
            return
        try:
            if self._library.wingrid_complete_waves(handle) == _FAILED:
                message = self._library.wingrid_message(handle).decode()
                raise SimulationError(f"the waveforms cannot be completed: {message}")
        finally:
            self._finalizer()

    def __enter__(self) -> RtlSimulator:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _open(self) -> int:
        if self._handle is None:
            raise ValueError("the simulator is closed")
        return self._handle

    def _check(self, status: int) -> int:
        if status == _FAILED:
            message = self._library.wingrid_message(self._open()).decode()
            raise SimulationError(f"{message} (cycle {self.cycles})")
        return status


def _destroy(library: ctypes.CDLL, handle: int, _memory: NDArray[np.uint8]) -> None:
    # The memory is an argument so that it outlives the simulation that writes to it.
    library.wingrid_destroy(handle)


@functools.cache
def _load(path: Path) -> ctypes.CDLL:
    library = ctypes.CDLL(str(path))
    pointer, u32, u64, text = ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint64, ctypes.c_char_p
    signatures: dict[str, tuple[Any, list[Any]]] = {
        "create": (pointer, [pointer, u64, u64, pointer, ctypes.c_int, text, text, u64]),
        "complete_waves": (ctypes.c_int, [pointer]),
        "destroy": (None, [pointer]),
        "reset": (ctypes.c_int, [pointer, u32]),
        "write": (ctypes.c_int, [pointer, u32, u32]),
        "read": (ctypes.c_int, [pointer, u32, pointer]),
        "attend": (None, [pointer]),
        "run": (ctypes.c_int, [pointer, u64, u64]),
        "cycle": (u64, [pointer]),
        "message": (text, [pointer]),
        "last_activity": (None, [pointer, text, u64]),
        "trap": (None, [pointer, u64, u64, u32]),
        "clear_traps": (None, [pointer]),
        "record_handshakes": (None, [pointer, ctypes.c_int]),
        "handshakes": (u64, [pointer, pointer]),
        "record_events": (None, [pointer, ctypes.c_int]),
        "events": (u64, [pointer, pointer]),
        "written": (u64, [pointer]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, f"wingrid_{name}")
        function.restype, function.argtypes = result, arguments
    return library
