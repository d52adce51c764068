"""Taps that meet padding alone are left out, and the sums stay what they were."""

import numpy as np
import pytest

from wingrid.host.networks.layer import Convolution, LayerError
from wingrid.host.onnx_models.dead_taps import without_dead_taps
from wingrid.sim.golden.convolution import convolve_direct


def sums(shape: Convolution, weights: np.ndarray, x: np.ndarray) -> np.ndarray:
    top, left, bottom, right = shape.padding
    x = x[:, max(0, -top) : shape.height + min(0, bottom), max(0, -left) : shape.width + min(0, right)]
    padding = (max(0, top), max(0, left), max(0, bottom), max(0, right))
    kinds = {"stride": shape.stride, "padding": padding, "dilation": shape.dilation, "groups": shape.groups}
    return convolve_direct(x, weights, x_zero_point=3, **kinds)


def test_a_5x5_over_two_rows_has_three_rows_of_taps() -> None:
    shape = Convolution(8, 2, 96, 8, (5, 5), padding=(2, 2, 2, 2), groups=8)
    met, weights = without_dead_taps(shape, np.zeros((8, 1, 5, 5), np.int8))
    assert (met.kernel, met.padding, weights.shape) == ((3, 5), (1, 2, 1, 2), (8, 1, 3, 5))


def test_where_all_taps_meet_pixels_nothing_changes() -> None:
    shape = Convolution(8, 3, 9, 8, (5, 5), stride=(2, 1), padding=(2, 2, 2, 2))
    weights = np.zeros((8, 8, 5, 5), np.int8)
    met, left = without_dead_taps(shape, weights)
    assert met == shape
    assert left.shape == weights.shape


@pytest.mark.parametrize("seed", range(200))
def test_the_sums_stay_what_they_were(seed: int) -> None:
    random = np.random.default_rng([seed, 12])
    while True:
        try:
            shape = Convolution(
                2, int(random.integers(1, 5)), int(random.integers(1, 5)), 3,
                kernel=tuple(int(size) for size in random.integers(1, 8, 2)),
                stride=tuple(int(step) for step in random.integers(1, 4, 2)),
                padding=tuple(int(side) for side in random.integers(0, 9, 4)),
                dilation=tuple(int(step) for step in random.integers(1, 4, 2)),
            )  # fmt: skip
            break
        except LayerError:
            continue
    weights = random.integers(-128, 128, (3, 2, *shape.kernel), np.int8)
    x = random.integers(-128, 128, (2, shape.height, shape.width), np.int8)
    met, left = without_dead_taps(shape, weights)
    assert np.array_equal(sums(met, np.ascontiguousarray(left), x), sums(shape, weights, x)), (shape, met)
