"""The output transform cycle by cycle against its numpy twin."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from amaranth.sim import SimulatorContext
from mapped_cells import ECP5, mapped_cells
from signed_numbers import limits, wrapped
from simulation import multipliers, offer, seen, simulate
from winograd_products import winograd_sums

from wingrid.hw.copies import KINDS
from wingrid.hw.winograd.output_transform import OutputTransform
from wingrid.hw.winograd_matrices import POINTS, element_bits, winograd

LANES = 2
BITS = element_bits(4)[2]
Tiles = list[tuple[int, npt.NDArray[np.int64]]]
"""A Winograd tile, and sums [lanes, n, n] for it."""


def output_cycles(tile: int, last_input: int) -> list[int]:
    """When a tile's outputs leave: m in a row, every n cycles."""
    first = last_input + OutputTransform.latency_for(tile)
    cycles = [first + column * winograd(tile).patch + row for column in range(tile) for row in range(tile)]
    assert cycles[-1] == first + OutputTransform.span_for(tile)
    return cycles


def answers(tile: int, sums: npt.NDArray[np.int64], bits: int) -> npt.NDArray[np.int64]:
    """A^T M A / 2**shift, of which the low ``bits - shift`` bits are meant."""
    transform = winograd(tile)
    matrix = np.array(transform.output_matrix, object)
    scaled = matrix @ sums.astype(object) @ matrix.T
    return wrapped(((scaled >> transform.shift) % (1 << 60)).astype(np.int64), transform.answer_bits(bits))


def stream(tiles: Tiles, gap: Callable[[], bool] = lambda: False, largest: int = 4, bits: int = BITS) -> None:
    """Send the tiles; every output's lanes and cycle must be as promised.

    A change of tile waits until none is inside; others follow each other with no gaps but those asked for.
    """
    choices = [tile for tile in POINTS if tile <= largest]
    dut = OutputTransform(choices, lanes=LANES, bits=bits)

    async def testbench(ctx: SimulatorContext) -> None:
        todo = [(tile, vector, index == sums[0].size - 1)
                for tile, sums in tiles for index, vector in enumerate(sums.reshape(LANES, -1).T)]  # fmt: skip
        expected = [
            # y[p][q] leaves with p running fastest.
            (tile, vector) for tile, sums in tiles
            for vector in answers(tile, sums, bits).swapaxes(1, 2).reshape(LANES, -1).T.tolist()
        ]  # fmt: skip
        due: list[int] = []
        cycle, outputs, selected, inside = 0, 0, tiles[0][0], False
        ctx.set(dut.select, choices.index(selected))
        while todo or cycle <= due[-1] + 20:
            if todo and todo[0][0] != selected and not inside and cycle > due[-1]:
                selected = todo[0][0]
                ctx.set(dut.select, choices.index(selected))
            sending = bool(todo) and todo[0][0] == selected and not gap()
            lanes = None
            if sending:
                tile, lanes, ends = todo.pop(0)
                inside = not ends
                due.extend(output_cycles(tile, cycle) if ends else [])
            offer(ctx, dut.input, lanes, bits)
            results = seen(ctx, dut.output, bits - 2)
            assert (results is not None) == (cycle in due[outputs : outputs + 1]), cycle
            if results is not None:
                tile, answer = expected[outputs]
                width = winograd(tile).answer_bits(bits)
                assert wrapped(results, width).tolist() == answer, (cycle, outputs)
                outputs += 1
            await ctx.tick()
            cycle += 1
        assert outputs == len(expected)

    simulate(dut, testbench)


def random_tiles(seed: int, tiles: list[int], bits: int = BITS) -> Tiles:
    random = np.random.default_rng(seed)
    return [(tile, winograd_sums(random, tile, LANES, bits)) for tile in tiles]


def random_gaps(seed: int, probability: float) -> Callable[[], bool]:
    random = np.random.default_rng(seed)
    return lambda: random.random() < probability


@pytest.mark.parametrize("tile", POINTS)
def test_takes_a_vector_in_every_cycle(tile: int) -> None:
    stream(random_tiles(tile, [tile] * 12))


@pytest.mark.parametrize("probability", [0.02, 0.2, 0.7, 0.95])
def test_gaps_change_nothing_but_the_time(probability: float) -> None:
    for tile in POINTS:
        stream(random_tiles(5, [tile] * 6), random_gaps(tile, probability))


def test_changes_tile_as_soon_as_none_is_inside() -> None:
    tiles = [2, 4, 2, 2, 4, 4, 2, 4]
    stream(random_tiles(6, tiles))
    stream(random_tiles(7, tiles), random_gaps(8, 0.5))


def test_serves_a_machine_with_the_smaller_tile_alone() -> None:
    bits = element_bits(2)[2]
    stream(random_tiles(9, [2] * 10, bits), largest=2, bits=bits)
    stream(random_tiles(10, [2] * 10, bits), random_gaps(11, 0.4), largest=2, bits=bits)


@pytest.mark.parametrize("tile", POINTS)
def test_every_answer_comes_back_from_sums_that_wrap(tile: int) -> None:
    # The sums of a kernel that has only its first tap; the answers are the patch's beginning.
    transform = winograd(tile)
    inputs, kernels = np.array(transform.input_matrix, object), np.array(transform.kernel_matrix, object)
    low, high = limits(transform.answer_bits(BITS))
    tiles = []
    for corner, other in itertools.product((low, low + 1, -1, 0, 1, high), repeat=2):
        patches = np.full((LANES, transform.patch, transform.patch), 12345, object)
        patches[:, :tile, :tile] = np.where(np.indices((tile, tile)).sum(axis=0) % 2, corner, other)
        sums = (inputs @ patches @ inputs.T) * np.outer(kernels[:, 0], kernels[:, 0])
        tiles.append((tile, wrapped((sums % (1 << BITS)).astype(np.int64), BITS)))
    stream(tiles)


def test_has_no_multiplier() -> None:
    assert multipliers(OutputTransform(list(POINTS), lanes=LANES, bits=BITS)) == 0


@pytest.mark.slow
def test_tools_do_not_merge_what_both_halves_hear(tmp_path: Path) -> None:
    """Else one register would have wires across the lanes of both."""
    cells = mapped_cells(OutputTransform((2, 4), lanes=len(KINDS), bits=BITS), tmp_path, ECP5)
    kept = Counter(
        found[1] for cell in cells if (found := re.fullmatch(r"(first|second)\.two_\d_TRELLIS_FF_Q", cell["name"]))
    )
    assert kept == {"first": len(KINDS), "second": len(KINDS)}
