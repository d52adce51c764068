import itertools
import subprocess
import sys

import numpy as np
import pytest

from wingrid.hw.shift_add import shift_add
from wingrid.hw.winograd_matrices import (
    CHANNELS,
    INT8,
    WinogradTransform,
    element_bits,
    signed_bits,
    span,
    span_2d,
    winograd,
)

TILES = pytest.mark.parametrize("transform", [winograd(2), winograd(4)], ids=["F(2x2,3x3)", "F(4x4,3x3)"])


def matrices(transform: WinogradTransform) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return (
        np.array(transform.input_matrix, np.int64),
        np.array(transform.kernel_matrix, np.int64),
        np.array(transform.output_matrix, np.int64),
    )


def corners(elements: int) -> np.ndarray:
    """Every vector of that many elements, each the smallest or the largest int8."""
    return np.array(list(itertools.product(INT8, repeat=elements)), np.int64)


def test_two_by_two_has_the_matrices_of_lavin_and_gray_in_integers() -> None:
    transform = winograd(2)
    assert transform.input_matrix == ((1, 0, -1, 0), (0, 1, 1, 0), (0, -1, 1, 0), (0, -1, 0, 1))
    assert transform.kernel_matrix == ((1, 0, 0), (1, 1, 1), (1, -1, 1), (0, 0, 1))
    assert transform.output_matrix == ((2, 1, 1, 0), (0, 1, -1, 2))
    assert (transform.scale, transform.shift, transform.odd) == (4, 2, 1)


def test_four_by_four_has_the_matrices_of_lavin_and_gray_in_integers() -> None:
    transform = winograd(4)
    assert transform.input_matrix == (
        (4, 0, -5, 0, 1, 0),
        (0, -4, -4, 1, 1, 0),
        (0, 4, -4, -1, 1, 0),
        (0, -2, -1, 2, 1, 0),
        (0, 2, -1, -2, 1, 0),
        (0, 4, 0, -5, 0, 1),
    )
    assert transform.kernel_matrix == ((3, 0, 0), (1, 1, 1), (1, -1, 1), (1, 2, 4), (1, -2, 4), (0, 0, 3))
    assert transform.output_matrix == (
        (2, -4, -4, 1, 1, 0),
        (0, -4, 4, 2, -2, 0),
        (0, -4, -4, 4, 4, 0),
        (0, -4, 4, 8, -8, 8),
    )
    assert (transform.scale, transform.shift, transform.odd) == (576, 6, 9)


@TILES
def test_one_dimensional_identity_holds_on_a_basis(transform: WinogradTransform) -> None:
    inputs, kernels, outputs = matrices(transform)
    for pixel, tap in itertools.product(range(transform.patch), range(3)):
        computed = outputs @ (kernels[:, tap] * inputs[:, pixel])
        expected = [transform.axis_scale if output + tap == pixel else 0 for output in range(transform.tile)]
        assert computed.tolist() == expected


@TILES
def test_two_dimensional_identity_holds_on_a_basis(transform: WinogradTransform) -> None:
    inputs, kernels, outputs = matrices(transform)
    for y, x in np.ndindex(transform.patch, transform.patch):
        for ky, kx in np.ndindex(3, 3):
            product = np.outer(kernels[:, ky], kernels[:, kx]) * np.outer(inputs[:, y], inputs[:, x])
            expected = np.zeros((transform.tile, transform.tile), int)
            if 0 <= y - ky < transform.tile and 0 <= x - kx < transform.tile:
                expected[y - ky, x - kx] = transform.scale
            assert np.array_equal(outputs @ product @ outputs.T, expected)


@TILES
def test_weight_range_is_that_of_every_corner(transform: WinogradTransform) -> None:
    factor = np.array(transform.kernel_matrix)
    transformed = factor @ corners(9).reshape(-1, 3, 3) @ factor.T
    assert transform.weight_range == (transformed.min(), transformed.max())


def test_activation_range_of_two_by_two_is_that_of_every_corner() -> None:
    factor = np.array(winograd(2).input_matrix)
    transformed = factor @ corners(16).reshape(-1, 4, 4) @ factor.T
    assert winograd(2).activation_range == (transformed.min(), transformed.max())


def test_activation_range_of_four_by_four_is_reached_and_never_left() -> None:
    transform = winograd(4)
    factor = np.array(transform.input_matrix)
    signs = np.array([np.outer(a, b) for a in factor for b in factor])
    patches = np.concatenate([np.where(signs > 0, low, high) for low, high in (INT8, INT8[::-1])])
    generator = np.random.default_rng(1)
    patches = np.concatenate([patches, generator.choice(np.array(INT8), (50_000, 6, 6))])
    transformed = factor @ patches @ factor.T
    assert transform.activation_range == (transformed.min(), transformed.max())
    assert max(-transformed.min(), transformed.max()) <= 12800


@TILES
def test_spans_of_one_axis_are_those_of_every_corner(transform: WinogradTransform) -> None:
    products = corners(transform.patch) @ np.array(transform.input_matrix).T
    for row, values in zip(transform.input_matrix, products.T, strict=True):
        assert span(row, INT8) == (values.min(), values.max())


def test_widths_are_those_of_the_design() -> None:
    widths = [(t.activation_bits, t.weight_bits, t.accumulator_bits) for t in (winograd(2), winograd(4))]
    assert widths == [(10, 12, 30), (15, 14, 34)]
    assert [element_bits(tile) for tile in (0, 2, 4)] == [(8, 8, 32), (10, 12, 32), (15, 14, 34)]


@TILES
def test_accumulator_is_as_narrow_as_its_largest_answer_allows(transform: WinogradTransform) -> None:
    largest = CHANNELS * 9 * 128 * 128
    for answer in (largest, -CHANNELS * 9 * 128 * 127, 0, 1, -1):
        known = (answer * transform.scale) % (1 << transform.accumulator_bits)
        assert transform.divide(known, transform.accumulator_bits) == answer
    narrower = transform.accumulator_bits - 1
    assert transform.divide(largest * transform.scale, narrower) != largest


@TILES
@pytest.mark.parametrize("width", [12, 30, 32, 34, 40, 48])
def test_division_is_exact_at_every_width(transform: WinogradTransform, width: int) -> None:
    modulus = 1 << transform.answer_bits(width)
    assert transform.inverse(width) * transform.odd % modulus == 1
    factor = 1
    for sign, places in transform.inverse_factors(width):
        factor *= 1 + sign * (1 << places)
    assert factor % modulus == transform.inverse(width)
    for answer in (*range(-30, 30), modulus // 2 - 1, -modulus // 2):
        assert transform.divide(answer * transform.scale % (1 << width), width) == answer


def test_shifts_and_adds_make_every_constant() -> None:
    for constant in range(-600, 601):
        terms = shift_add(constant)
        assert sum(sign << places for sign, places in terms) == constant
        # No two neighbouring digits: of all signed-digit forms that one has the fewest.
        assert all(after - before >= 2 for (_, before), (_, after) in itertools.pairwise(terms))


@TILES
def test_every_matrix_element_takes_one_adder_at_most(transform: WinogradTransform) -> None:
    for matrix in (transform.input_matrix, transform.kernel_matrix, transform.output_matrix):
        assert all(len(shift_add(element)) <= 2 for row in matrix for element in row)


def test_signed_widths_hold_their_bounds_and_nothing_more() -> None:
    assert signed_bits((-128, 127)) == 8
    assert signed_bits((-129, 0)) == 9
    assert signed_bits((0, 128)) == 9
    assert signed_bits((0, 0)) == 1
    assert span_2d(((1, -1),), (-128, 127)) == (-510, 510)


@pytest.mark.parametrize("tile", [0, 1, 3, 6])
def test_other_tiles_are_refused(tile: int) -> None:
    with pytest.raises(ValueError, match=f"Winograd tile {tile} must be one of 2, 4"):
        winograd(tile)


def test_a_transform_is_derived_once() -> None:
    assert winograd(4) is winograd(4)


def test_import_brings_neither_amaranth_nor_numpy() -> None:
    program = "import sys, hw.winograd; print(sorted({'amaranth', 'numpy'} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
