"""The timing of the external memory: one rule, followed by the RTL harness and the timing model."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MemoryTiming:
    """A memory whose reads and writes share one data bus.

    ``latency`` is the number of cycles from a read address to its first data, at least 1;
    ``bytes_per_cycle`` is what the data bus carries, at least 1 and at most the width of the AXI bus.

    The rule. Cycle c is the time between two rising clock edges; the one that ends it has number c too. A
    handshake happens in cycle c if VALID and READY are both high at the edge that ends it. ARREADY,
    AWREADY and WREADY are always high: the accelerator itself limits what is in flight.

    1. A read burst whose address is taken in cycle a becomes *eligible* in cycle a + latency. A write
       burst becomes eligible in the cycle after the later of its address and its last data beat.
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
    """

    latency: int = 40
    bytes_per_cycle: int = 16

    def __post_init__(self) -> None:
        for name in ("latency", "bytes_per_cycle"):
            value = getattr(self, name)
            if type(value) is not int or not 1 <= value < 1 << 31:
                raise ValueError(f"memory timing {name} = {value!r} must be a whole number of at least 1")

    @classmethod
    def for_bus(cls, bus_bytes: int, latency: int = 40) -> MemoryTiming:
        """16 bytes per cycle, or as much as a narrower bus carries."""
        return cls(latency, min(16, bus_bytes))

    def check(self, bus_bytes: int) -> None:
        """Raise ``ValueError`` if the bus is narrower than ``bytes_per_cycle``."""
        if self.bytes_per_cycle > bus_bytes:
            raise ValueError(
                f"memory timing bytes_per_cycle = {self.bytes_per_cycle} must lie between 1 and "
                f"the bus width of {bus_bytes} bytes"
            )

    def bus_cycles(self, beats: int, bus_bytes: int) -> int:
        """Cycles for which a burst of that many beats holds the data bus."""
        return -(-beats * bus_bytes // self.bytes_per_cycle)
