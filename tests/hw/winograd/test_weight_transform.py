"""The weight transform cycle by cycle against its numpy twin."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pytest
from amaranth.sim import SimulatorContext
from signed_numbers import extremes, limits
from simulation import multipliers, pack, simulate, unpack

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.mesh.matrix_unit import PAYLOAD_LATENCY
from wingrid.hw.winograd.weight_transform import WeightTransform
from wingrid.hw.winograd_matrices import winograd
from wingrid.sim.golden.winograd import transform_weights

CONFIG = AcceleratorConfig(rows=3, cols=2, winograd=4)
LATENCY = WeightTransform.latency
Work = list[tuple[int, npt.NDArray[np.int64]]]
"""A Winograd tile, and a raw weight tile [rows, cols, 3, 3] for it."""


def raw_rows(kernels: npt.NDArray[np.int64]) -> list[npt.NDArray[np.int64]]:
    """As they lie in the weight buffer: tap after tap, kx fastest, last row first."""
    return [kernels[row, :, ky, kx] for ky in range(3) for kx in range(3) for row in reversed(range(len(kernels)))]


def transformed_rows(kernels: npt.NDArray[np.int64], tile: int) -> list[list[int]]:
    """As the mesh takes them: U[i][j] with i fastest, last row first."""
    u = transform_weights(kernels, tile)
    n = winograd(tile).patch
    return [u[row, :, i, j].tolist() for j in range(n) for i in range(n) for row in reversed(range(len(kernels)))]


@dataclass
class Trace:
    """In which cycles what happened; ``received`` are the rows that left."""

    sent: list[int] = field(default_factory=list)
    ready: list[int] = field(default_factory=list)
    valid: list[int] = field(default_factory=list)
    taken: list[int] = field(default_factory=list)
    received: list[list[int]] = field(default_factory=list)


def stream(
    config: AcceleratorConfig,
    work: Work,
    *,
    send: Callable[[], bool] = lambda: True,
    take: Callable[[], bool] = lambda: True,
) -> Trace:
    """Every row must come, in order, wait until it is taken, and ``empty`` must say when none is left inside.

    ``send`` and ``take`` tell in each cycle whether the neighbours want to. A change of tile waits for ``empty``.
    """
    trace = Trace()
    dut = WeightTransform(config)

    async def testbench(ctx: SimulatorContext) -> None:
        todo = [(tile, row) for tile, kernels in work for row in raw_rows(kernels)]
        expected = [row for tile, kernels in work for row in transformed_rows(kernels, tile)]
        ends = list(itertools.accumulate(winograd(tile).patch ** 2 * config.rows for tile, _ in work))
        tile, held_back, cycle, offering = work[0][0], False, 0, False
        # Lanes come so many cycles after their transfer, noise else.
        noise = (1 << 8 * config.cols) - 1
        late, due = deque([noise] * PAYLOAD_LATENCY), deque([False] * PAYLOAD_LATENCY)
        ctx.set(dut.select, config.tiles.index(tile))
        taking_next = take()
        ctx.set(dut.ready_next, taking_next)
        await ctx.tick()
        while len(trace.received) < len(expected) or cycle < trace.taken[-1] + 20:
            raw_tiles, partial = divmod(len(trace.sent), 9 * config.rows)
            out = sum(end <= len(trace.taken) for end in ends)
            empty = raw_tiles == out and not partial
            assert ctx.get(dut.empty) == empty, cycle
            if todo and todo[0][0] != tile and empty:
                tile = todo[0][0]
                ctx.set(dut.select, config.tiles.index(tile))
            # Once offered, a row stays until it is taken.
            offering = bool(todo) and todo[0][0] == tile and (offering or send())
            taking, taking_next = taking_next, take()
            ctx.set(dut.raw.payload.as_value(), late.popleft())
            late.append(noise)
            ctx.set(dut.raw.valid, offering)
            ctx.set(dut.weights.ready, taking)
            ctx.set(dut.ready_next, taking_next)
            if ctx.get(dut.raw.ready):
                trace.ready.append(cycle)
                if offering:
                    trace.sent.append(cycle)
                    late[-1] = pack(todo.pop(0)[1], 8)
                    offering = False
            row = unpack(ctx.get(dut.weights.payload.as_value()), config.weight_bits, config.cols)
            if due.popleft():
                assert row == expected[len(trace.received)], cycle
                trace.received.append(row)
            valid = ctx.get(dut.weights.valid)
            assert valid or not held_back, cycle
            held_back = valid and not taking
            due.append(valid and taking)
            if valid:
                trace.valid.append(cycle)
                if taking:
                    trace.taken.append(cycle)
            await ctx.tick()
            cycle += 1

    simulate(dut, testbench)
    return trace


def random_work(seed: int, tiles: list[int], config: AcceleratorConfig = CONFIG) -> Work:
    random = np.random.default_rng(seed)
    return [(tile, extremes(random, 8, (config.rows, config.cols, 3, 3))) for tile in tiles]


def coin(seed: int, probability: float) -> Callable[[], bool]:
    random = np.random.default_rng(seed)
    return lambda: random.random() < probability


@pytest.mark.parametrize("rows", [2, 3, 4])
@pytest.mark.parametrize("tile", [2, 4])
def test_a_row_leaves_in_every_cycle_while_the_next_tile_comes_in(rows: int, tile: int) -> None:
    config = AcceleratorConfig(rows=rows, cols=2, winograd=tile)
    trace = stream(config, random_work(1, [tile] * 4, config))
    first = 9 * rows - 1 + LATENCY
    assert trace.taken == list(range(first, first + 4 * winograd(tile).patch ** 2 * rows))
    # A half is free again as many cycles before the last of its rows leaves as there are stages.
    span = winograd(tile).patch ** 2 * rows
    assert trace.sent[: 18 * rows] == list(range(18 * rows))
    assert trace.sent[18 * rows] == first + span - WeightTransform.stages
    assert trace.sent[27 * rows] == first + 2 * span - WeightTransform.stages


@pytest.mark.parametrize("tile", [2, 4])
def test_first_row_leaves_latency_cycles_after_the_last_transfer(tile: int) -> None:
    work = random_work(2, [tile] * 3)
    trace = stream(CONFIG, work, send=coin(3, 0.1))
    span = winograd(tile).patch ** 2 * CONFIG.rows
    end = -1
    for number in range(len(work)):
        start = max(trace.sent[9 * CONFIG.rows * (number + 1) - 1] + LATENCY, end + 1)
        end = start + span - 1
        assert trace.taken[number * span : (number + 1) * span] == list(range(start, end + 1))


@pytest.mark.parametrize("probability", [0.7, 0.3])
def test_a_mesh_that_pauses_never_waits(probability: float) -> None:
    for tile in (2, 4):
        trace = stream(CONFIG, random_work(4, [tile] * 4), take=coin(5, probability))
        assert trace.valid == list(range(trace.valid[0], trace.valid[-1] + 1))


def test_the_first_row_does_not_wait_for_the_mesh() -> None:
    waits = iter([False] * 100)
    trace = stream(CONFIG, random_work(9, [4]), take=lambda: next(waits, True))
    assert trace.valid[0] == 9 * CONFIG.rows - 1 + LATENCY
    assert trace.taken[0] == 100


def test_mesh_may_stop_for_long() -> None:
    waits = iter([*[True] * 40, *[False] * 300, *[True] * 20, *[False] * 300])
    trace = stream(CONFIG, random_work(6, [4, 4, 4]), take=lambda: next(waits, True))
    # Two raw tiles wait inside, and no more come in.
    assert len([cycle for cycle in trace.sent if cycle < 300]) == 2 * 9 * CONFIG.rows
    assert not set(trace.ready) & set(range(100, 300))


def test_pauses_on_both_sides_change_no_row() -> None:
    for seed, paces in enumerate([(0.5, 0.5), (0.2, 0.9), (0.9, 0.2)]):
        stream(CONFIG, random_work(seed, [4, 4, 4]), send=coin(seed, paces[0]), take=coin(seed + 9, paces[1]))
        stream(CONFIG, random_work(seed, [2, 2, 2, 2]), send=coin(seed, paces[0]), take=coin(seed + 9, paces[1]))


def test_changes_transform_as_soon_as_it_is_empty() -> None:
    tiles = [2, 4, 4, 2, 2, 4, 2]
    stream(CONFIG, random_work(7, tiles))
    stream(CONFIG, random_work(8, tiles), send=coin(1, 0.6), take=coin(2, 0.6))


@pytest.mark.parametrize("tile", [2, 4])
def test_reaches_both_ends_of_the_range(tile: int) -> None:
    transform = winograd(tile)
    checkers = np.where(np.indices((3, 3)).sum(axis=0) % 2, -128, 127)
    kernels = [np.full((3, 3), -128), np.full((3, 3), 127), checkers, ~checkers, np.zeros((3, 3), int)]
    for a, b in itertools.product(transform.kernel_matrix, repeat=2):
        signs = np.outer(a, b)
        kernels += [np.where(signs > 0, low, high) for low, high in (limits(8), limits(8)[::-1])]
    transformed = transform_weights(np.array(kernels), tile)
    assert (transformed.min(), transformed.max()) == transform.weight_range
    lanes = CONFIG.rows * CONFIG.cols
    kernels += kernels[: -len(kernels) % lanes]
    tiles = np.array(kernels).reshape(-1, CONFIG.rows, CONFIG.cols, 3, 3)
    stream(CONFIG, [(tile, raw) for raw in tiles])


def test_has_no_multiplier() -> None:
    assert multipliers(WeightTransform(CONFIG)) == 0
