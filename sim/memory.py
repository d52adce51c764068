"""The timing of the external memory: one rule, followed by the RTL harness and the timing model."""

from __future__ import annotations

import ctypes
import dataclasses
import functools
import tomllib
from dataclasses import dataclass
from importlib import resources
from typing import Any

from wingrid.hw.config import AXI_PAGE_BYTES

MOST = (1 << 31) - 1
"""Of any number here; the C++ sides take them in 32 bits."""


def _require_between(name: str, value: object, low: int) -> None:
    if type(value) is not int or not low <= value <= MOST:
        raise ValueError(f"{name} = {value!r} must be a whole number from {low} to {MOST}")


@dataclass(frozen=True)
class Dram:
    """Banks, rows and refresh of a memory that is not ideal.

    Times are in the accelerator's cycles; the defaults are about those of DDR3-1600 (JEDEC JESD79-3F: tRP + tRCD
    27.5 ns, tREFI 7.8 us, tRFC of a 4 Gbit device 260 ns) in cycles of 5 ns; a slower accelerator waits for
    fewer. ``row_bytes`` is a power of two and at least an AXI page, so that no burst spans two rows.
    """

    banks: int = 8
    row_bytes: int = 8192
    row_miss: int = 6
    """Cycles to close a row and open another one."""
    refresh_interval: int = 1560
    refresh_cycles: int = 52

    def __post_init__(self) -> None:
        for name, low in (("banks", 1), ("row_miss", 0), ("refresh_interval", 1), ("refresh_cycles", 0)):
            value = getattr(self, name)
            _require_between(f"DRAM {name}", value, low)
        rows = self.row_bytes
        if type(rows) is not int or not AXI_PAGE_BYTES <= rows <= MOST or rows & rows - 1:
            raise ValueError(
                f"DRAM row_bytes = {rows!r} must be a power of two from {AXI_PAGE_BYTES} to {(MOST + 1) // 2}"
            )
        if self.refresh_cycles >= self.refresh_interval:
            raise ValueError(
                f"DRAM refresh_cycles = {self.refresh_cycles} must be less than refresh_interval = "
                f"{self.refresh_interval}"
            )


@dataclass(frozen=True)
class Bridge:
    """A bus bridge in front of memory that passes one burst after the other, beat by beat, and keeps nothing."""

    read_beat: int
    """Cycles from one beat of a read to the next."""
    write_beat: int
    """Cycles from one beat of a write to the next."""

    def __post_init__(self) -> None:
        for name in ("read_beat", "write_beat"):
            _require_between(f"bridge {name}", getattr(self, name), 1)


@dataclass(frozen=True)
class MemoryTiming:
    """A memory whose reads and writes share one data bus.

    ``latency`` is the number of cycles from a read address to its first data, at least 1;
    ``bytes_per_cycle`` is what the data bus carries, at least 1 and at most the width of the AXI bus;
    ``write_latency`` is the number of cycles from a write's last data to those in which it can hold the data bus, at
    least 1.

    The rule. Cycle c is the time between two rising clock edges; the one that ends it has number c too. A
    handshake happens in cycle c if VALID and READY are both high at the edge that ends it. ARREADY,
    AWREADY and WREADY are always high: the accelerator itself limits what is in flight.

    1. A read burst whose address is taken in cycle a becomes *eligible* in cycle a + latency. A write burst of whose
       address and last data beat the later is taken in cycle a becomes eligible in cycle a + write_latency.
    2. Whenever the data bus is free at the start of a cycle, the eligible burst with the earliest eligible
       cycle takes it, in that same cycle; a read goes before a write of the same eligible cycle. Reads
       stay in order among themselves, and so do writes.
    3. A burst of n beats holds the bus for ``bus_cycles(n, bus_bytes)`` = ceil(n * bus_bytes /
       bytes_per_cycle) cycles. Beat i of a read that took the bus in cycle s is offered on R in cycle
       s + bus_cycles(i + 1, bus_bytes) - 1. Each cycle in which a beat is offered and RREADY is low
       is added to the burst: all of its later beats, and the end of its hold, move one cycle back.
    4. The bus is free again in the cycle after the burst's last one. B is offered for a write in that
       cycle, or in the first one in which all earlier responses have been taken.
    5. The bus is the point of order. Read data are what memory holds when the beat is offered; a write
       changes memory at the end of its last bus cycle.
    6. Reset forgets every burst and leaves the contents as they are.

    With ``dram`` two more points hold. Their cycles count from the last write to a register of the accelerator, which
    is how programs start, from the cycle after its address and data are taken: all rows are closed then, and the next
    refresh is a whole interval away.

    7. Row r = place // row_bytes, where the memory's first byte is place 0 wherever it lies on the bus, is in bank
       r % banks. A burst that takes the bus and does not find its row open opens it, and its hold begins with
       ``row_miss`` cycles without data.
    8. In the first ``refresh_cycles`` of each interval but the first no burst takes the bus; one under way goes on. A
       refresh closes all rows.

    With ``bridge`` other points take the place of 1 to 4, ``write_latency`` is the number of cycles from a write's
    address to its first data, and ``bytes_per_cycle`` is only what the bus carries at most. There is no ``dram`` then.

    1. While a burst is under way ARREADY and AWREADY are low. Else the first address that is valid is taken in that
       same cycle; of a read and a write the one of the kind that was not taken last, the read if none was yet.
    2. Beat i of a read whose address is taken in cycle a is offered on R in cycle a + latency + i * read_beat, and the
       next burst can be taken in the cycle after the last one. While RREADY is low it waits.
    3. WREADY is high in cycle a + write_latency + i * write_beat for beat i of a write, and low in others; a beat that
       is not valid then is waited for. B is offered in the cycle after the last beat, and the next burst can be
       taken in the one after the response.
    """

    latency: int = 40
    bytes_per_cycle: int = 16
    dram: Dram | None = None
    write_latency: int = 1
    bridge: Bridge | None = None

    def __post_init__(self) -> None:
        for name in ("latency", "bytes_per_cycle", "write_latency"):
            value = getattr(self, name)
            _require_between(f"memory timing {name}", value, 1)
        if self.bridge and self.dram:
            raise ValueError("memory timing dram and bridge exclude each other")

    @classmethod
    def for_bus(cls, bus_bytes: int, latency: int = 40) -> MemoryTiming:
        """A memory with 16 bytes per cycle, or the width of a narrower bus."""
        return cls(latency, min(16, bus_bytes))

    def check(self, bus_bytes: int) -> None:
        """Raise ``ValueError`` if the bus is narrower than ``bytes_per_cycle``."""
        if self.bytes_per_cycle > bus_bytes:
            raise ValueError(
                f"memory timing bytes_per_cycle = {self.bytes_per_cycle} must lie between 1 and "
                f"the bus width of {bus_bytes} bytes"
            )

    def bus_cycles(self, beats: int, bus_bytes: int) -> int:
        """Cycles for which a burst of ``beats`` beats holds the data bus."""
        return -(-beats * bus_bytes // self.bytes_per_cycle)


def memory_names() -> list[str]:
    """The names that ``named_memory`` knows."""
    return list(_named())


def named_memory(name: str, bus_bytes: int) -> MemoryTiming:
    """One of the memories of ``memories.toml``, on a bus of that width. Raises ``ValueError`` for another name."""
    known = _named()
    if name not in known:
        raise ValueError(f"unknown memory {name!r}; there are {', '.join(known)}")
    told = {field: value for field, value in known[name].items() if field != "about"}
    bridge = Bridge(**told.pop("bridge")) if "bridge" in told else None
    fastest = min(bridge.read_beat, bridge.write_beat) if bridge else 1
    return MemoryTiming(**{"bytes_per_cycle": max(1, bus_bytes // fastest), **told, "bridge": bridge})


@functools.cache
def _named() -> dict[str, dict[str, Any]]:
    return tomllib.loads((resources.files("wingrid.sim") / "memories.toml").read_text())


class DramTiming(ctypes.Structure):
    """The structure ``DramTiming`` of ``sim/dram.hpp``."""

    _fields_ = [
        (name, ctypes.c_uint32) for name in ("banks", "row_bytes", "row_miss", "refresh_interval", "refresh_cycles")
    ]

    @classmethod
    def of(cls, dram: Dram | None) -> DramTiming:
        """The structure for ``dram``; zeros stand for none."""
        return cls(**dataclasses.asdict(dram)) if dram else cls()


class BusTiming(ctypes.Structure):
    """The structure ``MemoryTiming`` of ``sim/rtl/memory.hpp``."""

    _fields_ = [
        *(
            (name, ctypes.c_uint32)
            for name in ("latency", "write_latency", "bytes_per_cycle", "read_beat", "write_beat")
        ),
        ("dram", DramTiming),
    ]

    @classmethod
    def of(cls, timing: MemoryTiming) -> BusTiming:
        """The structure for ``timing``; zeros stand for no bridge and no DRAM."""
        read_beat, write_beat = (timing.bridge.read_beat, timing.bridge.write_beat) if timing.bridge else (0, 0)
        dram = DramTiming.of(timing.dram)
        return cls(timing.latency, timing.write_latency, timing.bytes_per_cycle, read_beat, write_beat, dram)
