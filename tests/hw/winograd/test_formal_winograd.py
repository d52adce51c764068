"""Proofs that the Winograd datapath computes the convolution, for all operands at their full width.

The claims are about the matrices that the gateware is made for and the factors of ``exact_division``, with
an SMT solver over the integers as judge. Together, for one tile and any number of channels:

1. The transforms of int8 patches and kernels fit their registers: V and U are exact.
2. A^T (U * V) A is the scale times the direct convolution, as an identity of polynomials in all pixels and taps.
   It holds for each channel, so it does for sums of channels.
3. Registers that wrap, here and in accumulators, change sums by multiples of two to their width only.
4. Along one axis A^T leaves multiples of that axis' scale, whose zero bits are dropped right there.
5. Whatever fits the answer's width comes back from the division of its wrapped multiple.

That the components evaluate these sums, and when, is what their simulations check.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import z3
from amaranth.hdl import Signal
from integer_semantics import fits, holds, integer

from wingrid.hw.winograd.exact_division import times
from wingrid.hw.winograd_matrices import KERNEL, WinogradTransform, element_bits, winograd

TILES = pytest.mark.parametrize("transform", [winograd(2), winograd(4)], ids=["F(2x2,3x3)", "F(4x4,3x3)"])
Grid = list[list[z3.ArithRef]]
Matrix = Sequence[Sequence[int]]


def grid(name: str, size: int) -> Grid:
    return [[z3.Int(f"{name}_{a}_{b}") for b in range(size)] for a in range(size)]


def int8(*operands: Grid) -> z3.BoolRef:
    return z3.And([fits(element, 8) for operand in operands for row in operand for element in row])


def combine(row: Sequence[int], values: Sequence[z3.ArithRef]) -> z3.ArithRef:
    """A row of a matrix times a vector."""
    return z3.Sum([coefficient * value for coefficient, value in zip(row, values, strict=True)])


def halfway(matrix: Matrix, x: Grid) -> Grid:
    """x T^t, as the first half of a transform computes it."""
    return [[combine(row, line) for row in matrix] for line in x]


def transformed(matrix: Matrix, x: Grid) -> Grid:
    """T x T^t."""
    middle = halfway(matrix, x)
    return [[combine(row, [line[q] for line in middle]) for q in range(len(matrix))] for row in matrix]


def all_fit(elements: Grid, bits: int) -> z3.BoolRef:
    return z3.And([fits(element, bits) for row in elements for element in row])


def middle_bits(matrix: Matrix) -> int:
    """What patch feeder and weight transform give the results of a transform's first half."""
    return 8 + max(sum(map(abs, row)) for row in matrix).bit_length()


def difference(transform: WinogradTransform, y: int, x: int, output_matrix: Matrix | None = None) -> z3.ArithRef:
    """The scaled output (y, x) less what it must be, multiplied out."""
    d, g = grid("d", transform.patch), grid("g", KERNEL)
    v, u = transformed(transform.input_matrix, d), transformed(transform.kernel_matrix, g)
    products = [[a * b for a, b in zip(*rows, strict=True)] for rows in zip(u, v, strict=True)]
    computed = transformed(output_matrix or transform.output_matrix, products)[y][x]
    direct = sum(d[y + ky][x + kx] * g[ky][kx] for ky in range(KERNEL) for kx in range(KERNEL))
    return z3.simplify(computed - transform.scale * direct, som=True, som_blowup=1 << 20)


@TILES
def test_transformed_patches_and_kernels_fit_their_registers(transform: WinogradTransform) -> None:
    stages = [
        (transform.input_matrix, grid("d", transform.patch), transform.activation_bits),
        (transform.kernel_matrix, grid("g", KERNEL), transform.weight_bits),
    ]
    for matrix, operand, bits in stages:
        assert holds(all_fit(halfway(matrix, operand), middle_bits(matrix)), int8(operand))
        assert holds(all_fit(transformed(matrix, operand), bits), int8(operand))
        assert not holds(all_fit(transformed(matrix, operand), bits - 1), int8(operand)), "one bit fewer would do"


@TILES
def test_transforms_and_products_are_the_scaled_convolution(transform: WinogradTransform) -> None:
    for y in range(transform.tile):
        for x in range(transform.tile):
            assert holds(difference(transform, y, x) == 0)


@TILES
def test_one_wrong_coefficient_is_found_out(transform: WinogradTransform) -> None:
    wrong = [list(row) for row in transform.output_matrix]
    wrong[-1][1] += 1
    last = transform.tile - 1
    assert holds(difference(transform, 0, 0, wrong) == 0)
    assert not holds(difference(transform, last, last, wrong) == 0)


@TILES
def test_wrapping_registers_leave_sums_right_modulo_their_width(transform: WinogradTransform) -> None:
    modulus = 1 << element_bits(4)[2]
    for row in transform.output_matrix:
        exact = [z3.Int(f"exact_{i}") for i in range(transform.patch)]
        turns = [z3.Int(f"turns_{i}") for i in range(transform.patch)]
        kept = [value + modulus * turn for value, turn in zip(exact, turns, strict=True)]
        assert holds((combine(row, kept) - combine(row, exact)) % modulus == 0)
        assert not holds((combine(row, kept) - combine(row, exact)) % (modulus << 4) == 0)


@TILES
def test_one_axis_leaves_multiples_of_its_scale(transform: WinogradTransform) -> None:
    d, g = [z3.Int(f"d_{b}") for b in range(transform.patch)], [z3.Int(f"g_{b}") for b in range(KERNEL)]
    products = [
        combine(pixels, d) * combine(taps, g)
        for pixels, taps in zip(transform.input_matrix, transform.kernel_matrix, strict=True)
    ]
    for output, row in enumerate(transform.output_matrix):
        direct = sum(d[output + tap] * g[tap] for tap in range(KERNEL))
        assert holds(z3.simplify(combine(row, products) - transform.axis_scale * direct, som=True) == 0)
    # What the halves drop between them is the even part of the scale.
    assert transform.scale == transform.odd << transform.shift
    assert transform.axis_scale % (1 << transform.shift // 2) == 0


@TILES
@pytest.mark.parametrize("bits", sorted({element_bits(2)[2], element_bits(4)[2], winograd(2).accumulator_bits}))
def test_division_brings_back_every_answer(transform: WinogradTransform, bits: int) -> None:
    width = transform.answer_bits(bits)
    modulus = 1 << width
    x, value, product = Signal(width, name="x"), z3.Int("value"), 1
    for sign, places in transform.inverse_factors(bits):
        factor = 1 + sign * (1 << places)
        computed = integer(times(x, sign, places), {"x": value})
        assert holds((computed - factor * value) % modulus == 0, value >= 0, value < modulus)
        product *= factor
    # All factors together undo the odd part, so an answer comes back if it fits, and only then.
    answer = z3.Int("answer")
    quotient = (answer * (transform.odd * product % modulus) + modulus // 2) % modulus - modulus // 2
    assert holds(quotient == answer, fits(answer, width))
    assert not holds(quotient == answer, fits(answer, width + 1))
