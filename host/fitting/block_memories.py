"""How many of a family's memory blocks a buffer takes: what yosys chooses, told without it."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from wingrid.host.fitting.designs import Designs
from wingrid.hw.block_memory import SLICE_BITS, WIDE_ENTRIES
from wingrid.hw.config import WHOLE_MEMORIES, AcceleratorConfig

_ECP5 = ((1, 16384, 1), (1, 8192, 2), (1, 4096, 4), (1, 2048, 9), (1, 1024, 18), (1, 512, 36))
_RAMB36 = ((1, 32768, 1), (1, 16384, 2), (1, 8192, 4), (1, 4096, 9), (1, 2048, 18), (1, 1024, 36), (1, 512, 72))
_RAMB18 = ((0.5, 16384, 1), (0.5, 8192, 2), (0.5, 4096, 4), (0.5, 2048, 9), (0.5, 1024, 18), (0.5, 512, 36))

BLOCKS: Mapping[str, tuple[tuple[float, int, int], ...]] = {
    "ecp5": _ECP5,
    "xc7": (*_RAMB36, *_RAMB18),
    "xcup": (*_RAMB36, *_RAMB18),
}
"""Of each family: blocks that an arrangement takes, its depth and its width, one port to write and one to read.

From Lattice's FPGA-TN-02204 (DP16KD, PDPW16KD) and AMD's UG473 (RAMB36E1, RAMB18E1 in simple dual-port mode).
"""


def buffer_blocks(config: AcceleratorConfig | Designs, family: str) -> Any:  # noqa: ANN401 (a number or an array)
    """Blocks of memory that all buffers take on a family of ``BLOCKS``, of each configuration."""
    described: Any = config
    of_buffer = blocks if isinstance(config, Designs) else _blocks_of_one
    return sum(
        of_buffer(depth, width, family, sliced=name not in WHOLE_MEMORIES)
        for name, (depth, width) in described.block_memories.items()
    )


@functools.lru_cache(maxsize=4096)
def _blocks_of_one(depth: int, width: int, family: str, *, sliced: bool) -> float:
    """Of one buffer: a search asks for few different ones, again and again."""
    return float(blocks(depth, width, family, sliced=sliced))


def blocks(depth: npt.ArrayLike, width: npt.ArrayLike, family: str, *, sliced: bool = True) -> npt.NDArray[np.float64]:
    """Blocks of a buffer.

    ``sliced``: a memory of the largest power of two entries and one of the rest (``DeepMemory``), each in slices where
    it is shallow (``BlockMemory``). Else one memory, which yosys divides, or not, as takes fewest.
    """
    depth, width = np.asarray(depth, np.int64), np.asarray(width, np.int64)
    # Exponents of floats are exact for all depths.
    whole = np.int64(1) << (np.frexp(depth.astype(np.float64))[1].astype(np.int64) - 1)
    least = _sliced if sliced else _least
    apart = least(whole, width, family) + np.where(depth > whole, least(depth - whole, width, family), 0)
    return apart if sliced else np.minimum(apart, least(depth, width, family))


def _sliced(depth: npt.NDArray[np.int64], width: npt.NDArray[np.int64], family: str) -> npt.NDArray[np.float64]:
    full, rest = width // SLICE_BITS, width % SLICE_BITS
    slices = full * _least(depth, np.asarray(SLICE_BITS, np.int64), family) + np.where(
        rest, _least(depth, rest, family), 0
    )
    return np.where(depth <= WIDE_ENTRIES, slices, _least(depth, width, family))


def _least(depth: npt.NDArray[np.int64], width: npt.NDArray[np.int64], family: str) -> npt.NDArray[np.float64]:
    counts = [size * (-(-depth // entries) * -(-width // bits)) for size, entries, bits in BLOCKS[family]]
    return functools.reduce(np.minimum, counts).astype(np.float64)
