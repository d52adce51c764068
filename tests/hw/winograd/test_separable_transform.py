"""The separable transform cycle by cycle: Winograd's input and output transforms, and any other matrix."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pytest
from amaranth.sim import SimulatorContext
from signed_numbers import extremes, limits, wrapped
from simulation import multipliers, offer, seen, simulate

from wingrid.hw.winograd.separable_transform import SeparableTransform
from wingrid.hw.winograd_matrices import POINTS, element_bits, winograd
from wingrid.sim.golden.winograd import transform_inputs, transform_outputs, wrap

LANES = 2
V_BITS, _, M_BITS = element_bits(4)
Tiles = list[tuple[int, npt.NDArray[np.int64]]]
"""Number of the matrix, and a tile [lanes, n, n] for it."""


def input_transform() -> SeparableTransform:
    """As in the patch feeder of an accelerator with both tiles."""
    matrices = [winograd(tile).input_matrix for tile in POINTS]
    return SeparableTransform(matrices, lanes=LANES, input_bits=8, middle_bits=12, output_bits=V_BITS)


def output_transform() -> SeparableTransform:
    """As in the output path of an accelerator with both tiles."""
    matrices = [winograd(tile).output_matrix for tile in POINTS]
    return SeparableTransform(matrices, lanes=LANES, input_bits=M_BITS, middle_bits=M_BITS, output_bits=M_BITS)


def both_sides(matrix: Sequence[Sequence[int]], tile: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return np.array(matrix) @ tile @ np.array(matrix).T


def stream(
    dut: SeparableTransform,
    matrices: Sequence[Sequence[Sequence[int]]],
    bits: tuple[int, int],
    tiles: Tiles,
    gap: Callable[[], bool] = lambda: False,
) -> list[npt.NDArray[np.int64]]:
    """Send the tiles; every output's cycle, and that of ``empty``, must be as promised. Returns [lanes, m, m] each.

    A change of matrix waits for ``empty``; other tiles follow each other with no gaps but those asked for.
    """
    results: list[npt.NDArray[np.int64]] = []
    expected_cycles: list[int] = []

    async def testbench(ctx: SimulatorContext) -> None:
        todo = [(choice, vector, index == 0, index == tile[0].size - 1)
                for choice, tile in tiles for index, vector in enumerate(tile.reshape(LANES, -1).T)]  # fmt: skip
        outputs: list[list[int]] = []
        cycle, first, busy_until, selected = 0, 0, -1, 0
        inside = False
        while todo or cycle <= busy_until + 20:
            if todo and todo[0][0] != selected and not inside and cycle > busy_until:
                selected = todo[0][0]
                ctx.set(dut.select, selected)
            sending = bool(todo) and todo[0][0] == selected and not gap()
            lanes = None
            if sending:
                _, lanes, starts, ends = todo.pop(0)
                m = len(matrices[selected])
                if starts and not inside:
                    inside, first = True, cycle
                if ends:
                    start = cycle + dut.latency_for(m)
                    expected_cycles.extend(range(start, start + m * m))
                    busy_until, inside = expected_cycles[-1], False
            offer(ctx, dut.input, lanes, bits[0])
            assert ctx.get(dut.empty) == (cycle > busy_until and not (inside and cycle > first)), cycle
            lanes_out = seen(ctx, dut.output, bits[1])
            assert (lanes_out is not None) == (cycle in expected_cycles[len(outputs) : len(outputs) + 1]), cycle
            if lanes_out is not None:
                outputs.append(lanes_out)
            await ctx.tick()
            cycle += 1
        for choice, _ in tiles:
            m = len(matrices[choice])
            group, outputs[: m * m] = np.array(outputs[: m * m]), []
            # y[p][q] leaves with p running fastest.
            results.append(group.T.reshape(LANES, m, m).swapaxes(1, 2))
        assert not outputs

    simulate(dut, testbench)
    return results


def check_inputs(tiles: Tiles, gap: Callable[[], bool] = lambda: False) -> None:
    results = stream(input_transform(), [winograd(t).input_matrix for t in POINTS], (8, V_BITS), tiles, gap)
    for (choice, tile), result in zip(tiles, results, strict=True):
        np.testing.assert_array_equal(result, transform_inputs(tile, list(POINTS)[choice]))


def check_outputs(tiles: Tiles, gap: Callable[[], bool] = lambda: False) -> None:
    matrices = [winograd(t).output_matrix for t in POINTS]
    results = stream(output_transform(), matrices, (M_BITS, M_BITS), tiles, gap)
    for (choice, tile), result in zip(tiles, results, strict=True):
        np.testing.assert_array_equal(result, wrapped(both_sides(matrices[choice], tile), M_BITS))


def random_gaps(seed: int, probability: float) -> Callable[[], bool]:
    random = np.random.default_rng(seed)
    return lambda: random.random() < probability


def size(choice: int) -> int:
    return winograd(list(POINTS)[choice]).patch


@pytest.mark.parametrize("choice", [0, 1])
def test_takes_a_vector_and_gives_a_vector_in_every_cycle(choice: int) -> None:
    random = np.random.default_rng(choice)
    n = size(choice)
    check_inputs([(choice, extremes(random, 8, (LANES, n, n))) for _ in range(8)])


@pytest.mark.parametrize("probability", [0.2, 0.7, 0.95])
def test_gaps_change_nothing_but_the_time(probability: float) -> None:
    random = np.random.default_rng(3)
    for choice in (0, 1):
        n = size(choice)
        tiles = [(choice, extremes(random, 8, (LANES, n, n))) for _ in range(4)]
        check_inputs(tiles, random_gaps(4, probability))
        tiles = [(choice, extremes(random, M_BITS, (LANES, n, n))) for _ in range(4)]
        check_outputs(tiles, random_gaps(5, probability))


def test_changes_matrix_as_soon_as_it_is_empty() -> None:
    random = np.random.default_rng(6)
    choices = [0, 1, 0, 0, 1, 1, 0]
    for check, bits in ((check_inputs, 8), (check_outputs, M_BITS)):
        check([(choice, extremes(random, bits, (LANES, size(choice), size(choice)))) for choice in choices])
        check([(choice, extremes(random, bits, (LANES, size(choice), size(choice)))) for choice in choices],
              random_gaps(7, 0.5))  # fmt: skip


@pytest.mark.parametrize("choice", [0, 1])
def test_input_transform_reaches_both_ends_of_its_range(choice: int) -> None:
    transform = winograd(list(POINTS)[choice])
    n = transform.patch
    checkers = np.where(np.indices((n, n)).sum(axis=0) % 2, -128, 127)
    patches = [np.full((n, n), -128), np.full((n, n), 127), checkers, ~checkers]
    for a, b in itertools.product(transform.input_matrix, repeat=2):
        signs = np.outer(a, b)
        patches += [np.where(signs > 0, low, high) for low, high in (limits(8), limits(8)[::-1])]
    transformed = transform_inputs(np.array(patches), transform.tile)
    assert (transformed.min(), transformed.max()) == transform.activation_range
    lanes = np.array(patches).reshape(-1, LANES, n, n)
    check_inputs([(choice, tile) for tile in lanes])


@pytest.mark.parametrize("choice", [0, 1])
def test_output_transform_wraps_around_the_accumulator(choice: int) -> None:
    n, (low, high) = size(choice), limits(M_BITS)
    matrix = np.array(winograd(list(POINTS)[choice]).output_matrix)
    signs = np.outer(matrix[-1], matrix[-1])
    tiles = [np.full((n, n), low), np.full((n, n), high), np.where(signs > 0, low, high),
             np.where(signs > 0, high, low),
             np.where(np.indices((n, n)).sum(axis=0) % 2, low, high), np.full((n, n), -1)]  # fmt: skip
    assert abs(both_sides(matrix, tiles[2])).max() > 2 * high
    check_outputs([(choice, np.array([first, second])) for first, second in itertools.product(tiles, repeat=2)][::2])


def test_input_then_output_transform_see_rows_and_columns_in_their_places() -> None:
    # What leaves the first with p fastest enters the second as it is: together B then A is the whole datapath.
    random = np.random.default_rng(8)
    for choice, tile in enumerate(POINTS):
        transform = winograd(tile)
        patch = random.integers(-128, 128, (LANES, transform.patch, transform.patch))
        kernel = random.integers(-128, 128, (3, 3))
        matrices = [winograd(t).input_matrix for t in POINTS]
        middle = stream(input_transform(), matrices, (8, V_BITS), [(choice, patch)])[0]
        products = wrap(middle * both_sides(transform.kernel_matrix, kernel), M_BITS)
        scaled = stream(
            output_transform(),
            [winograd(t).output_matrix for t in POINTS],
            (M_BITS, M_BITS),
            [(choice, products.swapaxes(1, 2))],
        )[0]
        direct = np.array(
            [[(patch[:, y : y + 3, x : x + 3] * kernel).sum(axis=(1, 2)) for x in range(tile)] for y in range(tile)]
        ).transpose(2, 0, 1)
        np.testing.assert_array_equal(scaled.swapaxes(1, 2), direct * transform.scale)
        np.testing.assert_array_equal(transform_outputs(products, tile, M_BITS), direct)


def test_any_matrix_with_no_more_outputs_than_inputs_will_do() -> None:
    random = np.random.default_rng(9)
    matrices = [[[3, -1], [0, -7]], [[1, 2, 3], [-5, 0, 9]], [[2, -3, 0, 1, 1]] * 3]
    dut = SeparableTransform(matrices, lanes=LANES, input_bits=4, middle_bits=10, output_bits=14)
    tiles = []
    for choice in (0, 1, 2, 2, 0, 1, 1):
        n = len(matrices[choice][0])
        tiles.append((choice, extremes(random, 4, (LANES, n, n))))
    results = stream(dut, matrices, (4, 14), tiles, random_gaps(10, 0.3))
    for (choice, tile), result in zip(tiles, results, strict=True):
        np.testing.assert_array_equal(result, both_sides(matrices[choice], tile))


def test_has_no_multiplier() -> None:
    assert multipliers(input_transform()) == multipliers(output_transform()) == 0
