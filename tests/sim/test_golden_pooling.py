import random

import numpy as np
import pytest
from onnx_judge import run_operator

from wingrid.sim.golden.pooling import max_pool
from wingrid.sim.golden.window import output_size


@pytest.mark.parametrize("seed", range(60))
def test_max_pool_equals_onnx_runtime(seed: int) -> None:
    chance = random.Random(seed)
    generator = np.random.default_rng(seed)
    window = (chance.randint(1, 5), chance.randint(1, 5))
    stride = (chance.randint(1, 4), chance.randint(1, 4))
    padding = tuple(chance.randint(0, window[side % 2] - 1) for side in range(4))
    shape = (chance.randint(1, 6), chance.randint(window[0], 14), chance.randint(window[1], 14))
    # Mostly low values, so that padding with anything above -128 would win.
    x = generator.integers(-128, chance.choice((-120, 127)), shape, dtype=np.int8)
    attributes = {"kernel_shape": list(window), "strides": list(stride), "pads": list(padding)}
    for ceil_mode in (False, True):
        expected = run_operator("MaxPool", x[None], {}, "x", ceil_mode=int(ceil_mode), **attributes)[0]
        pooled = max_pool(x, window=window, stride=stride, padding=padding, ceil_mode=ceil_mode)
        assert pooled.dtype == np.int8
        assert np.array_equal(pooled, expected), (window, stride, padding, shape, ceil_mode)


def test_padding_as_large_as_the_window_is_refused() -> None:
    with pytest.raises(ValueError, match=r"padding \(2, 0, 0, 0\) must be smaller than the window \(2, 2\)"):
        max_pool(np.zeros((1, 4, 4), np.int8), window=(2, 2), stride=(2, 2), padding=(2, 0, 0, 0))


def test_window_larger_than_the_image_is_refused() -> None:
    with pytest.raises(ValueError, match="a kernel of 5 with dilation 1 does not fit into 4 elements"):
        max_pool(np.zeros((1, 4, 4), np.int8), window=(5, 1), stride=(1, 1))


def test_ceil_mode_counts_windows_that_overhang_but_none_that_start_in_the_end_padding() -> None:
    assert output_size(5, 2, stride=2) == 2
    assert output_size(5, 2, stride=2, ceil_mode=True) == 3
    assert output_size(6, 2, stride=2, ceil_mode=True) == 3
    assert output_size(2, 2, stride=3, padding=(0, 1), ceil_mode=True) == 1
