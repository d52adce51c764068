"""Proofs that the Winograd datapath computes the convolution, for all operands at their full width.

The claims are about the expressions that the gateware is made of (``shift_add.combination`` on the matrices, the
steps of ``exact_division``), with an SMT solver over the integers as judge. Together, for one tile and
any number of channels:

1. The transforms of int8 patches and kernels fit their registers: V and U are exact.
2. A^T (U * V) A is the scale times the direct convolution, as an identity of polynomials in all pixels and taps.
   It holds for each channel, so it does for sums of channels.
3. Registers that wrap, here and in accumulators, change sums by multiples of two to their width only.
4. Whatever fits the answer's width comes back from the division of its scaled, wrapped self.

That the components evaluate these expressions at the right time is what their simulations check.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import z3
from amaranth.hdl import Signal, signed
from integer_semantics import fits, holds, integer

from wingrid.hw.shift_add import combination
from wingrid.hw.winograd.exact_division import ExactDivision
from wingrid.hw.winograd_matrices import KERNEL, WinogradTransform, element_bits, winograd

TILES = pytest.mark.parametrize("transform", [winograd(2), winograd(4)], ids=["F(2x2,3x3)", "F(4x4,3x3)"])
Grid = list[list[z3.ArithRef]]
Matrix = Sequence[Sequence[int]]


def grid(name: str, size: int) -> Grid:
    return [[z3.Int(f"{name}_{a}_{b}") for b in range(size)] for a in range(size)]


def int8(*operands: Grid) -> z3.BoolRef:
    return z3.And([fits(element, 8) for operand in operands for row in operand for element in row])


def combine(row: Sequence[int], values: Sequence[z3.ArithRef]) -> z3.ArithRef:
    """What the gateware's linear combination gives for these numbers."""
    signals = [Signal(signed(64), name=f"value_{i}") for i in range(len(values))]
    return integer(
        combination(row, signals), {signal.name: value for signal, value in zip(signals, values, strict=True)}
    )


def halfway(matrix: Matrix, x: Grid) -> Grid:
    """x T^t, as the first half of a separable transform computes it."""
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
@pytest.mark.parametrize("bits", sorted({element_bits(2)[2], element_bits(4)[2], winograd(2).accumulator_bits}))
def test_division_brings_back_every_answer(transform: WinogradTransform, bits: int) -> None:
    division = ExactDivision([transform], lanes=1, bits=bits)
    division._MustUse__silence = True  # Its expressions are wanted, not its module.
    x = Signal(signed(bits), name="x")
    answer, modulus = z3.Int("answer"), 1 << bits
    scaled = (answer * transform.scale + modulus // 2) % modulus - modulus // 2
    first = integer(division._step(transform, 0, x), {"x": scaled})
    second = integer(division._step(transform, 1, x), {"x": first})
    fitting = fits(answer, transform.answer_bits(bits))
    # What lies between the two steps is in a register as wide as the input.
    assert holds(fits(first, bits), fitting)
    assert holds(second == answer, fitting)
    assert not holds(second == answer, fits(answer, transform.answer_bits(bits) + 1))
