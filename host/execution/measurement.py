"""What the accelerator counts while it runs a program, and what the program makes its parts do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from wingrid.hw.encoding import instruction_fields
from wingrid.hw.isa import Execute, Store
from wingrid.hw.registers import Counter
from wingrid.hw.winograd_matrices import KERNEL


@dataclass(frozen=True)
class Activity:
    """How often each part of the accelerator is used by a program."""

    vectors: int
    """Vectors through the mesh, one per cycle."""
    transformed: int
    """Vectors that come from the Winograd transform."""
    weight_tiles: int
    """Weight tiles through the mesh; each takes a cycle per row."""
    raw_tiles: int
    """Weight tiles read from the weight buffer: nine of a 3x3 kernel become 16 or 36 in the Winograd transform."""
    drained: int
    """Accumulators read by STOREs, ``cols`` of them at a time."""
    stores: int
    sparse_entries: int = 0
    """Entries of weights for the sparse lanes, one per cycle; with the vectors, all busy cycles."""
    sparse_vectors: int = 0
    """Vectors of sums that the sparse lanes leave in accumulators."""

    @classmethod
    def of(cls, program: bytes) -> Activity:
        """The sums over a program as it lies in memory."""
        names = ("tile", "blocks", "kernel_height", "kernel_width", "count", "sparse", "accumulate")
        executes = instruction_fields(program, Execute, *names)
        stores = instruction_fields(program, Store, "tile", "pool", "count")
        winograd = executes["tile"] != 0
        dense = executes["sparse"] == 0
        tiles = dense * executes["blocks"] * executes["kernel_height"] * executes["kernel_width"]
        vectors = tiles * executes["count"]
        raw = np.where(winograd, executes["blocks"] * KERNEL**2, tiles)
        patches = (stores["tile"] + KERNEL - 1) ** 2
        windows = np.maximum(stores["pool"], 1) ** 2
        drained = stores["count"] * np.where(stores["tile"] != 0, patches, windows)
        return cls(
            vectors=int(vectors.sum()),
            sparse_entries=int(executes["blocks"][~dense].sum()),
            sparse_vectors=int(executes["count"][~dense & (executes["accumulate"] == 0)].sum()),
            transformed=int(vectors[winograd].sum()),
            weight_tiles=int(tiles.sum()),
            raw_tiles=int(raw.sum()),
            drained=int(drained.sum()),
            stores=len(stores["count"]),
        )


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
