"""Addition of bytes against fractions, pair by pair."""

from fractions import Fraction

import numpy as np
import pytest

from wingrid.hw.isa import ADDITION_FRACTION_BITS
from wingrid.sim.golden.addition import added

ONE = 1 << ADDITION_FRACTION_BITS
EVERY = np.arange(-128, 128).astype(np.int8)


@pytest.mark.parametrize(
    ("factor", "addend_factor", "offset"),
    [(ONE, 0, 0), (ONE, ONE, 0), (ONE // 2, ONE // 2, 0), (ONE // 4, 3 * ONE // 4, ONE // 2), (-ONE, 7 * ONE // 8, 5),
     (1234567, -3456789, -87654321), (4 * ONE - 1, -4 * ONE, (1 << 31) - 1)],
)  # fmt: skip
def test_every_pair_of_bytes_is_rounded_as_fractions_are(factor: int, addend_factor: int, offset: int) -> None:
    got = added(EVERY[:, None], EVERY[None, :], factor, addend_factor, offset)
    for result in range(-128, 128, 3):
        for addend in range(-128, 128, 5):
            # Python rounds halves of fractions to even, too.
            expected = min(max(round(Fraction(factor * result + addend_factor * addend + offset, ONE)), -128), 127)
            assert got[result + 128, addend + 128] == expected


def test_one_and_nothing_leave_results_as_they_are() -> None:
    np.testing.assert_array_equal(added(EVERY, EVERY[::-1], ONE, 0, 0), EVERY)
