"""Combination of results with another tensor, in integers: the twin of ``wingrid.hw.store.combination``."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from wingrid.hw.isa import ADDITION_FRACTION_BITS, PRODUCT_FRACTION_BITS, Combining

FRACTION_BITS = {Combining.SUM: ADDITION_FRACTION_BITS, Combining.PRODUCT: PRODUCT_FRACTION_BITS}
"""Bits behind the point of what is rounded."""


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
    """The ``total`` plus the offset, rounded half to even and clamped; y and addend may broadcast.

    The offset has ``ADDITION_FRACTION_BITS`` behind the point, whatever the total has.
    """
    bits = FRACTION_BITS[Combining(kind)]
    sums = total(kind, y, addend, factor, addend_factor, result_zero, addend_zero)
    sums += offset << bits - ADDITION_FRACTION_BITS
    half = np.int64(1 << bits - 1)
    kept, rest = sums >> bits, sums & (2 * half - 1)
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
    """What is rounded, before the offset, with ``FRACTION_BITS`` behind the point.

    It is ``factor * y + addend_factor * addend`` for a SUM, and ``factor * y * addend`` for a PRODUCT, both less their
    zero points.
    """
    first, second = y.astype(np.int64) - result_zero, addend.astype(np.int64) - addend_zero
    if kind == Combining.PRODUCT:
        return factor * (first * second)
    return factor * first + addend_factor * second
