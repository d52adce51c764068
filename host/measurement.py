"""What the accelerator counts while it runs a program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hw.registers import Counter


@dataclass(frozen=True)
class Measurement:
    """The counters after a run, the hardware's or the timing model's: cycles, and bytes per class of traffic."""

    cycles: int
    busy: int
    stalls: dict[str, int]
    bytes: dict[str, int]

    @classmethod
    def from_counters(cls, values: Mapping[Counter, int]) -> Measurement:
        """Sort the counters by the prefixes of their names."""

        def named(prefix: str) -> dict[str, int]:
            found = {counter.name: value for counter, value in values.items() if counter.name.startswith(prefix)}
            return {name.removeprefix(prefix).lower(): value for name, value in found.items()}

        return cls(values[Counter.CYCLES], values[Counter.BUSY], named("STALL_"), named("BYTES_"))

    @property
    def dram_bytes(self) -> int:
        """Bytes of all classes together."""
        return sum(self.bytes.values())
