"""Winograd and FFT convolution against the sums of the direct ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from random_convolutions import RandomConvolution, cases

from wingrid.hw.winograd_matrices import winograd
from wingrid.sim.golden import fft, workspace
from wingrid.sim.golden.convolution import convolve, convolve_direct
from wingrid.sim.golden.fft import convolve_fft, error_bound
from wingrid.sim.golden.winograd import (
    convolve_winograd,
    require_exact_products,
    require_fitting_answers,
    transform_inputs,
    transform_outputs,
    transform_weights,
    wrap,
)


def arguments(case: RandomConvolution) -> dict[str, Any]:
    return {
        "x_zero_point": case.x_zero_point,
        "stride": case.stride,
        "padding": case.padding,
        "dilation": case.dilation,
        "groups": case.groups,
    }


def three_by_three(seed: int) -> dict[str, Any]:
    """A random convolution that Winograd can do: sizes that tiles do not divide, padding, groups."""
    generator = np.random.default_rng(seed)
    groups = int(generator.choice((1, 1, 2, 5)))
    channels, kernels, height, width = (int(n) for n in generator.integers((1, 1, 3, 3), (12, 9, 19, 19)))
    values = np.array([-128, 127], np.int8) if seed % 3 == 0 else np.arange(-128, 128, dtype=np.int8)
    return {
        "x": generator.choice(values, (groups * channels, height, width)),
        "weights": generator.choice(values, (groups * kernels, channels, 3, 3)),
        "x_zero_point": int(generator.integers(-128, 128)),
        "padding": tuple(int(side) for side in generator.integers(0, 4, 4)),
        "groups": groups,
    }


@pytest.mark.parametrize("size", [1 << 25, 1 << 10], ids=["whole", "in bands"])
@pytest.mark.parametrize("tile", [2, 4])
def test_winograd_gives_the_same_sums(tile: int, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workspace, "WORKSPACE_BYTES", size)
    for seed in range(40):
        layer = three_by_three(seed)
        sums = convolve_winograd(**layer, tile=tile)
        assert sums.dtype == np.int64
        assert np.array_equal(sums, convolve_direct(**layer)), seed


@pytest.mark.parametrize("size", [1 << 25, 1 << 12], ids=["whole", "in parts"])
def test_fft_gives_the_same_sums(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workspace, "WORKSPACE_BYTES", size)
    for case in cases(60, seed=4):
        sums = convolve_fft(case.x, case.weights, **arguments(case))
        assert sums.dtype == np.int64
        assert np.array_equal(sums, convolve(case.x, case.weights, **arguments(case))), str(case)


@pytest.mark.parametrize("tile", [2, 4])
def test_winograd_brings_back_the_largest_sums_of_512_channels(tile: int) -> None:
    weights = np.full((1, 512, 3, 3), -128, np.int8)
    for value in (-128, 127):
        x = np.full((512, 6, 6), value, np.int8)
        sums = convolve_winograd(x, weights, tile=tile)
        assert np.unique(sums).tolist() == [-128 * value * 512 * 9]
    with pytest.raises(ValueError, match=f"sums from -74907648 to 75497472 do not fit into the 27 bits .* tile {tile}"):
        convolve_winograd(x, weights, tile=tile, accumulator_bits=winograd(tile).accumulator_bits - 1)


def test_channels_beyond_512_are_judged_by_their_weights() -> None:
    require_fitting_answers(np.full((2, 2048, 3, 3), 16, np.int8), 4)
    limit = 1 << 27
    channels = limit // (128 * 128 * 9)
    require_fitting_answers(np.full((1, channels, 3, 3), -128, np.int8), 4)
    with pytest.raises(ValueError, match="do not fit into the 28 bits that Winograd tile 4 brings back"):
        require_fitting_answers(np.full((1, channels + 1, 3, 3), -128, np.int8), 4)


@pytest.mark.parametrize("tile", [2, 4])
def test_outputs_depend_on_accumulators_only_modulo_their_width(tile: int) -> None:
    transform = winograd(tile)
    generator = np.random.default_rng(tile)
    patch = generator.integers(-128, 128, (20, transform.patch, transform.patch))
    kernel = generator.integers(-128, 128, (20, 3, 3))
    exact = transform_inputs(patch, tile) * transform_weights(kernel, tile)
    expected = [
        [[np.sum(p[y : y + 3, x : x + 3] * k) for x in range(tile)] for y in range(tile)]
        for p, k in zip(patch, kernel, strict=True)
    ]
    assert transform_outputs(exact, tile).tolist() == expected
    noise = generator.integers(-1000, 1000, exact.shape) << transform.accumulator_bits
    assert transform_outputs(exact + noise, tile).tolist() == expected
    assert transform_outputs(exact + (noise >> 1), tile).tolist() != expected
    for block, answers in zip(exact, expected, strict=True):
        factor = np.array(transform.output_matrix)
        scaled = factor @ block @ factor.T
        assert [[transform.divide(int(v), transform.accumulator_bits) for v in row] for row in scaled] == answers


def test_wrapping_is_twos_complement() -> None:
    assert wrap(np.array([0, 7, 8, 15, 16, -8, -9]), 4).tolist() == [0, 7, -8, -1, 0, -8, 7]
    assert wrap(np.array([-(2**63), 5]), 64).tolist() == [-(2**63), 5]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stride": (1, 2)}, r"Winograd needs a 3x3 kernel at stride and dilation 1, not 3x3 at stride \(1, 2\)"),
        ({"dilation": (2, 1)}, r"not 3x3 at stride \(1, 1\) and dilation \(2, 1\)"),
        ({"weights": np.zeros((2, 4, 3, 5), np.int8)}, "not 3x5 at stride"),
        ({"tile": 3}, "Winograd tile 3 must be one of 2, 4"),
        ({"groups": 3}, "3 groups do not fit 4 input channels"),
        ({"accumulator_bits": 65}, "accumulator_bits 65 must lie between 7 and 64"),
        ({"accumulator_bits": 6}, "accumulator_bits 6 must lie between 7 and 64"),
    ],
)
def test_what_winograd_cannot_do_is_refused(changes: dict[str, Any], message: str) -> None:
    layer = {"x": np.zeros((4, 8, 8), np.int8), "weights": np.zeros((2, 4, 3, 3), np.int8), "tile": 4, **changes}
    with pytest.raises(ValueError, match=message):
        convolve_winograd(**layer)


def test_winograd_refuses_channels_whose_transformed_sums_leave_float64() -> None:
    most = (2**53 - 1) // (12768 * 6272)
    require_exact_products(4, most)
    with pytest.raises(ValueError, match=f"sums of up to {12768 * 6272 * (most + 1)} could leave the integers"):
        require_exact_products(4, most + 1)


def test_fft_error_bound_is_that_worked_out_by_hand() -> None:
    # One pixel of 2 under one tap of -3: three transforms of 8 stages, 10.657 roundings each, and 5 more.
    image, kernel = np.full((1, 1, 1, 1), 2.0), np.full((1, 1, 1, 1, 1), -3, np.int8)
    assert error_bound(image, kernel, (16, 16)) == pytest.approx(6 * (3 * 8 * 10.657 + 5) * 2.0**-53, rel=1e-4)


def test_fft_error_stays_below_its_bound() -> None:
    generator = np.random.default_rng(8)
    image = generator.integers(-255, 256, (1, 16, 64, 64)).astype(np.float64)
    kernels = generator.integers(-128, 128, (1, 1, 16, 64, 64), dtype=np.int8)
    spectrum = np.fft.rfft2(image) * np.conj(np.fft.rfft2(kernels[:, 0].astype(float)))
    errors = np.fft.irfft2(spectrum.sum(axis=1), (64, 64))
    errors = np.abs(errors - np.rint(errors)).max()
    assert 0 < errors < error_bound(image, kernels, (64, 64))


def test_fft_that_could_round_wrongly_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    x, weights = np.full((8, 16, 16), 127, np.int8), np.full((1, 8, 3, 3), 127, np.int8)
    bound = error_bound(x[None].astype(float), weights[None], (16, 16))
    monkeypatch.setattr(fft, "SAFE_ERROR", bound * 1.01)
    assert np.array_equal(convolve_fft(x, weights), convolve(x, weights))
    monkeypatch.setattr(fft, "SAFE_ERROR", bound)
    with pytest.raises(ValueError, match="could take the FFT's sums to a wrong integer"):
        convolve_fft(x, weights)
