"""What the accelerator counts while it runs a program, and what the program makes its parts do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from wingrid.hw.encoding import instruction_fields
from wingrid.hw.isa import CODE_RING, Execute, Store
from wingrid.hw.registers import Counter
from wingrid.hw.winograd_matrices import KERNEL

READ_AHEAD = CODE_RING - 1
"""Entries behind those of an EXECUTE that decoders read before its last row has left: rings are full by then, but for
those of lanes that stand a word or two before the others."""


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
    """Weight tiles read from the weight buffer as they are: nine of a 3x3 kernel become 16 or 36 in the Winograd
    transform."""
    drained: int
    """Accumulators read by STOREs, ``cols`` of them at a time."""
    stores: int
    sparse_entries: int = 0
    """Entries of weights for the sparse lanes, one per cycle; with the vectors, all busy cycles."""
    sparse_vectors: int = 0
    """Vectors of sums that the sparse lanes leave in accumulators."""
    decoded_tiles: int = 0
    """Weight tiles that decoders make of codes, nine of a 3x3 kernel."""
    code_entries: int = 0
    """Entries of codes that decoders read from the weight buffer, with those that they read ahead in vain."""

    @classmethod
    def of(cls, program: bytes, stream: tuple[int, int] = (0, 1)) -> Activity:
        """The sums over a program as it lies in memory.

        ``stream`` has the entries of all codes of a layer, and the 3x3 kernels of weight tiles in them; each group of a
        layer's outputs meets all of those, so all are read equally often.
        """
        names = ("tile", "blocks", "kernel_height", "kernel_width", "count", "sparse", "accumulate", "coded")
        executes = instruction_fields(program, Execute, *names)
        stores = instruction_fields(program, Store, "tile", "pool", "count")
        winograd = executes["tile"] != 0
        dense = executes["sparse"] == 0
        tiles = dense * executes["blocks"] * executes["kernel_height"] * executes["kernel_width"]
        vectors = tiles * executes["count"]
        coded = executes["coded"] != 0
        raw = np.where(winograd, executes["blocks"] * KERNEL**2, tiles)
        entries, kernels = stream
        read = int(executes["blocks"][coded].sum()) * entries // kernels
        patches = (stores["tile"] + KERNEL - 1) ** 2
        windows = np.maximum(stores["pool"], 1) ** 2
        drained = stores["count"] * np.where(stores["tile"] != 0, patches, windows)
        return cls(
            vectors=int(vectors.sum()),
            sparse_entries=int(executes["blocks"][~dense].sum()),
            sparse_vectors=int(executes["count"][~dense & (executes["accumulate"] == 0)].sum()),
            transformed=int(vectors[winograd].sum()),
            weight_tiles=int(tiles.sum()),
            raw_tiles=int(raw[~coded].sum()),
            decoded_tiles=int(raw[coded].sum()),
            code_entries=read + READ_AHEAD * int(coded.sum()),
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
