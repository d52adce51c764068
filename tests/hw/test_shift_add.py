"""Linear combinations from adders and shifts against plain integers."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from amaranth.back import rtlil
from amaranth.hdl import Module, Signal, signed
from amaranth.sim import Simulator, SimulatorContext
from signed_numbers import extremes, limits

from wingrid.hw.shift_add import combination
from wingrid.hw.winograd_matrices import POINTS, winograd

MATRIX_ROWS = [
    row
    for tile in POINTS
    for matrix in (winograd(tile).input_matrix, winograd(tile).kernel_matrix, winograd(tile).output_matrix)
    for row in matrix
]


def check(rows: list[tuple[int, ...]], bits: int, samples: np.ndarray) -> None:
    """Every row's combination with every sample, at once."""
    m = Module()
    values = [Signal(signed(bits), name=f"value_{i}") for i in range(samples.shape[1])]
    results = []
    for index, row in enumerate(rows):
        exact = combination(row, values[: len(row)])
        results.append(Signal(exact.shape(), name=f"result_{index}"))
        m.d.comb += results[-1].eq(exact)

    async def testbench(ctx: SimulatorContext) -> None:
        for sample in samples:
            for value, number in zip(values, sample, strict=True):
                ctx.set(value, int(number))
            await ctx.delay(1e-9)
            for row, result in zip(rows, results, strict=True):
                assert ctx.get(result) == sum(c * int(x) for c, x in zip(row, sample, strict=False)), row

    simulator = Simulator(m)
    simulator.add_testbench(testbench)
    simulator.run()


def test_every_matrix_row_is_exact_on_extremes_and_random_numbers() -> None:
    corners = np.array([[low if sign else high for sign in signs] for low, high in [limits(9)]
                        for signs in itertools.product((0, 1), repeat=6)])  # fmt: skip
    check(MATRIX_ROWS, 9, np.concatenate([corners, extremes(np.random.default_rng(1), 9, (60, 6))]))


def test_other_coefficients_are_exact_and_never_overflow() -> None:
    random = np.random.default_rng(2)
    rows = [tuple(int(c) for c in row) for row in random.integers(-600, 601, (24, 3))]
    rows += [(0, 0, 0), (-1,), (1,), (0, 7, 0), (-600, -600, -600)]
    check(rows, 5, np.concatenate([np.full((1, 3), -16), np.full((1, 3), 15), extremes(random, 5, (60, 3))]))


def test_combination_of_nothing_is_zero() -> None:
    check([()], 4, np.zeros((1, 1), np.int64))


def test_needs_one_coefficient_for_each_value() -> None:
    with pytest.raises(ValueError, match="zip"):
        combination([1, 2], [Signal(4)])


@pytest.mark.parametrize("row", MATRIX_ROWS, ids=str)
def test_adders_are_all_it_takes(row: tuple[int, ...]) -> None:
    m = Module()
    values = [Signal(signed(8), name=f"value_{i}") for i in range(len(row))]
    result = Signal(signed(16))
    m.d.comb += result.eq(combination(row, values))
    netlist = rtlil.convert(m, ports=[*values, result])
    assert "$mul" not in netlist
    terms = sum(bin(abs(c) ^ 3 * abs(c)).count("1") for c in row)
    # A lone term needs none, a lone negative one is subtracted from zero.
    assert netlist.count("cell $add ") + netlist.count("cell $sub ") <= max(terms, 1)
