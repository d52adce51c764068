"""The input transform cycle by cycle against its numpy twin."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from amaranth.sim import SimulatorContext
from signed_numbers import extremes, limits
from simulation import multipliers, offer, seen, simulate

from wingrid.hw.winograd.input_transform import InputTransform
from wingrid.hw.winograd_matrices import POINTS, element_bits, winograd
from wingrid.sim.golden.winograd import transform_inputs

LANES = 2
Patches = list[tuple[int, npt.NDArray[np.int64]]]
"""A Winograd tile, and a patch [lanes, n, n] for it."""


def stream(patches: Patches, gap: Callable[[], bool] = lambda: False, largest: int = 4) -> None:
    """Send the patches; every output's lanes and cycle, and that of ``empty``, must be as promised.

    A change of tile waits for ``empty``; other patches follow each other with no gaps but those asked for.
    """
    choices = [tile for tile in POINTS if tile <= largest]
    dut = InputTransform(choices, lanes=LANES)

    async def testbench(ctx: SimulatorContext) -> None:
        todo = [(tile, vector, index == 0, index == patch[0].size - 1)
                for tile, patch in patches for index, vector in enumerate(patch.reshape(LANES, -1).T)]  # fmt: skip
        # v[p][q] leaves with p running fastest.
        expected = [vector for tile, patch in patches for vector in
                    transform_inputs(patch, tile).swapaxes(1, 2).reshape(LANES, -1).T.tolist()]  # fmt: skip
        due: list[int] = []
        cycle, first, outputs, busy_until, selected = 0, 0, 0, -1, patches[0][0]
        inside = False
        ctx.set(dut.select, choices.index(selected))
        while todo or cycle <= busy_until + 20:
            if todo and todo[0][0] != selected and not inside and cycle > busy_until:
                selected = todo[0][0]
                ctx.set(dut.select, choices.index(selected))
            sending = bool(todo) and todo[0][0] == selected and not gap()
            lanes = None
            if sending:
                tile, lanes, starts, ends = todo.pop(0)
                if starts and not inside:
                    inside, first = True, cycle
                if ends:
                    start = cycle + dut.latency_for(tile)
                    due.extend(range(start, start + winograd(tile).patch ** 2))
                    busy_until, inside = due[-1], False
            offer(ctx, dut.input, lanes, 8)
            assert ctx.get(dut.empty) == (cycle > busy_until and not (inside and cycle > first)), cycle
            results = seen(ctx, dut.output, element_bits(largest)[0])
            assert (results is not None) == (cycle in due[outputs : outputs + 1]), cycle
            if results is not None:
                assert results == expected[outputs], (cycle, outputs)
                outputs += 1
            await ctx.tick()
            cycle += 1
        assert outputs == len(expected)

    simulate(dut, testbench)


def random_patches(seed: int, tiles: list[int]) -> Patches:
    random = np.random.default_rng(seed)
    return [(tile, extremes(random, 8, (LANES, winograd(tile).patch, winograd(tile).patch))) for tile in tiles]


def random_gaps(seed: int, probability: float) -> Callable[[], bool]:
    random = np.random.default_rng(seed)
    return lambda: random.random() < probability


@pytest.mark.parametrize("tile", POINTS)
def test_takes_a_vector_and_gives_a_vector_in_every_cycle(tile: int) -> None:
    stream(random_patches(tile, [tile] * 9))


@pytest.mark.parametrize("probability", [0.02, 0.2, 0.7, 0.95])
def test_gaps_change_nothing_but_the_time(probability: float) -> None:
    for tile in POINTS:
        stream(random_patches(3, [tile] * 5), random_gaps(tile, probability))


def test_changes_tile_as_soon_as_it_is_empty() -> None:
    tiles = [2, 4, 2, 2, 4, 4, 2, 4]
    stream(random_patches(6, tiles))
    stream(random_patches(7, tiles), random_gaps(7, 0.5))


def test_serves_a_machine_with_the_smaller_tile_alone() -> None:
    stream(random_patches(8, [2] * 9), largest=2)
    stream(random_patches(9, [2] * 9), random_gaps(9, 0.4), largest=2)


@pytest.mark.parametrize("tile", POINTS)
def test_reaches_both_ends_of_its_range(tile: int) -> None:
    transform = winograd(tile)
    n = transform.patch
    checkers = np.where(np.indices((n, n)).sum(axis=0) % 2, -128, 127)
    patches = [np.full((n, n), -128), np.full((n, n), 127), checkers, ~checkers]
    for a, b in itertools.product(transform.input_matrix, repeat=2):
        signs = np.outer(a, b)
        patches += [np.where(signs > 0, low, high) for low, high in (limits(8), limits(8)[::-1])]
    transformed = transform_inputs(np.array(patches), tile)
    assert (transformed.min(), transformed.max()) == transform.activation_range
    stream([(tile, patch) for patch in np.array(patches).reshape(-1, LANES, n, n)], largest=tile)


def test_has_no_multiplier() -> None:
    assert multipliers(InputTransform(list(POINTS), lanes=LANES)) == 0
