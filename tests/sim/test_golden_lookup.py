"""Tables of bytes, value by value."""

import numpy as np

from wingrid.sim.golden.lookup import looked_up


def test_entries_stand_for_the_bits_of_values() -> None:
    table = np.arange(256, dtype=np.uint8).view(np.int8)
    every = np.arange(-128, 128).astype(np.int8).reshape(2, 4, 32)
    np.testing.assert_array_equal(looked_up(every, table), every)
    table = np.zeros(256, np.int8)
    table[0], table[127], table[128], table[255] = 1, 2, 3, 4
    np.testing.assert_array_equal(looked_up(np.array([[0, 127, -128, -1, 5]], np.int8), table), [[1, 2, 3, 4, 0]])


def test_channels_have_their_own() -> None:
    random = np.random.default_rng(1)
    table = random.integers(-128, 128, (3, 256)).astype(np.int8)
    y = random.integers(-128, 128, (3, 5, 7)).astype(np.int8)
    for channel in range(3):
        np.testing.assert_array_equal(
            looked_up(y, table)[channel], looked_up(y[channel : channel + 1], table[channel])[0]
        )
