"""Addition of another tensor to results, in integers: the twin of ``wingrid.hw.store.addition``."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from wingrid.hw.isa import ADDITION_FRACTION_BITS


def added(
    y: npt.NDArray[np.int8], addend: npt.NDArray[np.int8], factor: int, addend_factor: int, offset: int
) -> npt.NDArray[np.int8]:
    """``clamp(round((factor * y + addend_factor * addend + offset) / 2**ADDITION_FRACTION_BITS))``, half to even."""
    total = factor * y.astype(np.int64) + addend_factor * addend.astype(np.int64) + offset
    half = np.int64(1 << ADDITION_FRACTION_BITS - 1)
    kept, rest = total >> ADDITION_FRACTION_BITS, total & (2 * half - 1)
    up = (rest > half) | ((rest == half) & (kept & 1 == 1))
    return np.clip(kept + up, -128, 127).astype(np.int8)
