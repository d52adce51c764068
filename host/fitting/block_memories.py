"""How many of a family's memory blocks a buffer takes: what yosys chooses, told without it."""

from __future__ import annotations

import math
from collections.abc import Mapping

from wingrid.hw.config import AcceleratorConfig

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


def buffer_blocks(config: AcceleratorConfig, family: str) -> float:
    """Blocks of memory that all buffers take on a family of ``BLOCKS``."""
    return sum(blocks(depth, width, family) for depth, width in config.block_memories.values())


def blocks(depth: int, width: int, family: str) -> float:
    """Blocks of a buffer: a memory of the largest power of two entries, and one of the rest (``DeepMemory``)."""
    whole = 1 << depth.bit_length() - 1
    apart = _least(whole, width, family) + (_least(depth - whole, width, family) if depth > whole else 0)
    return min(apart, _least(depth, width, family))


def _least(depth: int, width: int, family: str) -> float:
    return min(size * math.ceil(depth / entries) * math.ceil(width / bits) for size, entries, bits in BLOCKS[family])
