"""Combination of results with another tensor, in integers: the twin of ``wingrid.hw.store.combination``."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from wingrid.hw.isa import ADDITION_FRACTION_BITS, PRODUCT_FRACTION_BITS, Combining


def combined(
    kind: int,
    y: npt.NDArray[np.int8],
    addend: npt.NDArray[np.int8],
    factor: int,
    addend_factor: int = 0,
    offset: int = 0,
    result_zero: int = 0,
    addend_zero: int = 0,
) -> npt.NDArray[np.int8]:
    """``clamp(round((total + offset) / 2**ADDITION_FRACTION_BITS))``, half to even; y and addend may broadcast."""
    sums = total(kind, y, addend, factor, addend_factor, result_zero, addend_zero) + offset
    half = np.int64(1 << ADDITION_FRACTION_BITS - 1)
    kept, rest = sums >> ADDITION_FRACTION_BITS, sums & (2 * half - 1)
    up = (rest > half) | ((rest == half) & (kept & 1 == 1))
    return np.clip(kept + up, -128, 127).astype(np.int8)


def total(
    kind: int,
    y: npt.NDArray[np.int8],
    addend: npt.NDArray[np.int8],
    factor: int,
    addend_factor: int,
    result_zero: int,
    addend_zero: int,
) -> npt.NDArray[np.int64]:
    """What is rounded, before the offset: the factors with both terms less their zero points.

    It is ``factor * y + addend_factor * addend`` for a SUM, and for a PRODUCT ``factor * y * addend``, divided by as
    much as its fraction is longer, and rounded down.
    """
    first, second = y.astype(np.int64) - result_zero, addend.astype(np.int64) - addend_zero
    if kind == Combining.PRODUCT:
        return factor * (first * second) >> PRODUCT_FRACTION_BITS - ADDITION_FRACTION_BITS
    return factor * first + addend_factor * second
