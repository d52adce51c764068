"""Combinations of bytes against fractions, pair by pair."""

from fractions import Fraction

import numpy as np
import pytest

from wingrid.hw.isa import ADDITION_FRACTION_BITS, PRODUCT_FRACTION_BITS, Combining
from wingrid.sim.golden.combination import combined

ONE = 1 << ADDITION_FRACTION_BITS
EVERY = np.arange(-128, 128).astype(np.int8)


@pytest.mark.parametrize(
    ("factor", "addend_factor", "offset", "zeros"),
    [(ONE, 0, 0, (0, 0)), (ONE, ONE, 0, (3, -4)), (ONE // 2, ONE // 2, 0, (0, 0)),
     (ONE // 4, 3 * ONE // 4, ONE // 2, (0, 0)), (-ONE, 7 * ONE // 8, 5, (0, 0)),
     (1234567, -3456789, -87654321, (0, 0)), (4 * ONE - 1, -4 * ONE, (1 << 31) - 1, (-128, 127))],
)  # fmt: skip
def test_sums_of_every_pair_of_bytes_are_rounded_as_fractions_are(
    factor: int, addend_factor: int, offset: int, zeros: tuple[int, int]
) -> None:
    got = combined(Combining.SUM, EVERY[:, None], EVERY[None, :], factor, addend_factor, offset, *zeros)
    for result in range(-128, 128, 3):
        for addend in range(-128, 128, 5):
            total = factor * (result - zeros[0]) + addend_factor * (addend - zeros[1]) + offset
            # Python rounds halves of fractions to even, too.
            assert got[result + 128, addend + 128] == min(max(round(Fraction(total, ONE)), -128), 127)


@pytest.mark.parametrize(
    ("factor", "offset", "zeros"),
    [(1 << 20, 0, (0, 0)), (1 << 22, 0, (3, -128)), (-1234567, 87654321, (-128, 127)),
     ((1 << 24) - 1, -(1 << 31), (127, -128)), (-(1 << 24), 5 * ONE, (-1, 0))],
)  # fmt: skip
def test_products_of_every_pair_of_bytes_are_rounded_as_fractions_are(
    factor: int, offset: int, zeros: tuple[int, int]
) -> None:
    got = combined(Combining.PRODUCT, EVERY[:, None], EVERY[None, :], factor, 0, offset, *zeros)
    for result in range(-128, 128, 3):
        for addend in range(-128, 128, 5):
            product = Fraction(factor * (result - zeros[0]) * (addend - zeros[1]), 1 << PRODUCT_FRACTION_BITS)
            expected = min(max(round(product + Fraction(offset, ONE)), -128), 127)
            assert got[result + 128, addend + 128] == expected


def test_one_and_nothing_leave_results_as_they_are() -> None:
    np.testing.assert_array_equal(combined(Combining.SUM, EVERY, EVERY[::-1], ONE), EVERY)
