"""What a program makes the array and its buffers do, read off its instructions; time has no part in it."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from amaranth.hdl import Shape

from hw.config import INSTRUCTION_BYTES
from hw.isa import INSTRUCTIONS, Execute, Opcode, Store
from hw.winograd import KERNEL


@dataclass(frozen=True)
class Activity:
    """How often each part of the accelerator is used by a program."""

    vectors: int
    """Vectors through the mesh, one per busy cycle."""
    transformed: int
    """Those of them that come from the Winograd transform."""
    weight_tiles: int
    """Weight tiles through the mesh; each takes a cycle per row."""
    raw_tiles: int
    """Weight tiles read from the weight buffer: nine of a 3x3 kernel become 16 or 36 in the Winograd transform."""
    drained: int
    """Accumulators read by STOREs, ``cols`` of them at a time."""
    stores: int

    @classmethod
    def of(cls, program: bytes) -> Activity:
        """The sums over a program as it lies in memory."""
        executes, stores = _instructions(program, Execute), _instructions(program, Store)
        winograd = executes["tile"] != 0
        tiles = executes["blocks"] * executes["kernel_height"] * executes["kernel_width"]
        vectors = tiles * executes["count"]
        raw = np.where(winograd, executes["blocks"] * KERNEL**2, tiles)
        patches = (stores["tile"] + KERNEL - 1) ** 2
        windows = np.maximum(stores["pool"], 1) ** 2
        drained = stores["count"] * np.where(stores["tile"] != 0, patches, windows)
        return cls(
            vectors=int(vectors.sum()),
            transformed=int(vectors[winograd].sum()),
            weight_tiles=int(tiles.sum()),
            raw_tiles=int(raw.sum()),
            drained=int(drained.sum()),
            stores=len(stores["count"]),
        )


def _instructions(program: bytes, kind: type[Execute] | type[Store]) -> dict[str, npt.NDArray[np.int64]]:
    """The fields of all instructions of a kind, in order."""
    words = np.frombuffer(program, _record(kind.opcode))
    chosen = words[words["opcode"] == kind.opcode]
    return {name: chosen[name].astype(np.int64) for name in words.dtype.names or ()}


@functools.cache
def _record(opcode: Opcode) -> np.dtype[Any]:
    """The instruction's layout for numpy; its fields are whole bytes."""
    kind = next(kind for kind in INSTRUCTIONS if kind.opcode == opcode)
    names, formats, offsets = [], [], []
    for name, field in kind.layout():
        shape = Shape.cast(field.shape)
        names.append(name)
        formats.append(f"<{'i' if shape.signed else 'u'}{shape.width // 8}")
        offsets.append(field.offset // 8)
    return np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": INSTRUCTION_BYTES})
