"""Relative index of sparse weights: for each, how far it lies behind the one before (Deep Compression, section 2).

Compressed sparse rows, with all weights of a layer as one row. A gap is 1 to ``2 ** bits``, and stored as one less. A
wider one takes fillers: entries without a weight that are ``2 ** bits`` further on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

BITS = 5
"""As in the paper's tables for VGG-16."""


@dataclass(frozen=True)
class RelativeIndex:
    """Where the weights of a layer are that are not zero."""

    size: int
    """Weights of the layer, zeros among them."""
    bits: int
    gaps: npt.NDArray[np.int64]
    """[entries]: 1 to ``2 ** bits``."""
    fillers: npt.NDArray[np.bool_]
    """[entries]: the entry stands for no weight."""

    @property
    def places(self) -> npt.NDArray[np.int64]:
        """Indices of the weights, in order."""
        return (np.cumsum(self.gaps) - 1)[~self.fillers]


def relative_index(mask: npt.NDArray[np.bool_], bits: int = BITS) -> RelativeIndex:
    """The index of a layer's weights, flattened in C order; ``mask`` tells which are not zero."""
    widest = 1 << bits
    distances = np.diff(np.flatnonzero(mask), prepend=-1)
    last = np.cumsum((distances - 1) // widest + 1) - 1
    entries = int(last[-1]) + 1 if last.size else 0
    gaps = np.full(entries, widest)
    fillers = np.ones(entries, np.bool_)
    gaps[last] = (distances - 1) % widest + 1
    fillers[last] = False
    return RelativeIndex(mask.size, bits, gaps, fillers)
