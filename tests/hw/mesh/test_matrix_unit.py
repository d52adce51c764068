"""The matrix unit's handshakes, cycle by cycle, and its sums against a matrix product."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pytest
from amaranth.lib import data
from amaranth.sim import Simulator, SimulatorContext
from signed_numbers import extremes, wrapped

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.mesh.matrix_unit import PAYLOAD_LATENCY, MatrixUnit
from wingrid.hw.mesh.mesh import Mesh

Tile = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]
"""Weights [rows, cols] and vectors [count, rows]."""

TAG = data.StructLayout({"number": 12, "odd": 1})


@dataclass
class Trace:
    """What was seen, by cycle."""

    latency: int
    ready: list[bool] = field(default_factory=list)
    loaded: list[bool] = field(default_factory=list)
    weight_cycles: list[int] = field(default_factory=list)
    vector_cycles: list[int] = field(default_factory=list)
    sum_cycles: list[int] = field(default_factory=list)
    sums: list[list[int]] = field(default_factory=list)
    tags: list[tuple[int, int]] = field(default_factory=list)


def operands(config: AcceleratorConfig, counts: Sequence[int], seed: int = 3) -> list[Tile]:
    """A weight tile and its vectors for each count."""
    rng = np.random.default_rng(seed)
    return [
        (
            extremes(rng, config.weight_bits, (config.rows, config.cols)),
            extremes(rng, config.activation_bits, (count, config.rows)),
        )
        for count in counts
    ]


def run(
    config: AcceleratorConfig,
    tiles: list[Tile],
    offer_weights: Callable[[int], bool] = lambda cycle: True,
    offer_vectors: Callable[[int], bool] = lambda cycle: True,
) -> Trace:
    """Offer tiles and vectors in the cycles that the two functions allow; once offered they stay."""
    dut = MatrixUnit(config, TAG)
    latency = dut.latency_for(config)
    trace = Trace(latency)
    rows = [row.tolist() for weights, _ in tiles for row in weights[::-1]]
    vectors = [(vector.tolist(), i == 0) for _, block in tiles for i, vector in enumerate(block)]

    async def testbench(ctx: SimulatorContext) -> None:
        row = vector = cycle = 0
        weights_offered = vectors_offered = False
        # Of the transfers so many cycles ago, noise if there were none.
        weights_due = deque([[-1] * config.cols] * PAYLOAD_LATENCY)
        lanes_due = deque([[-1] * config.rows] * PAYLOAD_LATENCY)
        while len(trace.sum_cycles) < len(vectors) or cycle < trace.sum_cycles[-1] + 2 * latency:
            weights_offered = row < len(rows) and (weights_offered or offer_weights(cycle))
            vectors_offered = vector < len(vectors) and (vectors_offered or offer_vectors(cycle))
            ctx.set(dut.weights.valid, weights_offered)
            ctx.set(dut.weights.payload, weights_due.popleft())
            ctx.set(dut.vectors.valid, vectors_offered)
            first = vectors[vector][1] if vectors_offered else cycle % 2
            tag = {"number": vector, "odd": vector % 2}
            ctx.set(dut.vectors.payload, {"lanes": lanes_due.popleft(), "first": first, "tag": tag})
            trace.ready.append(bool(ctx.get(dut.vectors.ready)))
            trace.loaded.append(bool(ctx.get(dut.loaded_next)))
            weights_due.append([-1] * config.cols)
            lanes_due.append([-1] * config.rows)
            if weights_offered and ctx.get(dut.weights.ready):
                trace.weight_cycles.append(cycle)
                weights_due[-1] = rows[row]
                row, weights_offered = row + 1, False
            if vectors_offered and ctx.get(dut.vectors.ready):
                trace.vector_cycles.append(cycle)
                lanes_due[-1] = vectors[vector][0]
                vector, vectors_offered = vector + 1, False
            sums = ctx.get(dut.sums)
            if sums.valid:
                trace.sum_cycles.append(cycle)
                trace.sums.append(list(sums.lanes))
                trace.tags.append((sums.tag.number, sums.tag.odd))
            await ctx.tick()
            cycle += 1
            assert cycle < 20 * (len(rows) + len(vectors)) + 10 * latency, "no progress"

    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_testbench(testbench)
    simulator.run()

    expected = np.concatenate([block @ weights for weights, block in tiles])
    np.testing.assert_array_equal(trace.sums, wrapped(expected, config.accumulator_bits))
    assert latency == PAYLOAD_LATENCY + 1 + Mesh.latency_for(config)
    assert trace.tags == [(i, i % 2) for i in range(len(vectors))]
    assert trace.sum_cycles == [cycle + latency for cycle in trace.vector_cycles]
    assert len(trace.weight_cycles) == len(rows)
    return trace


@pytest.mark.parametrize(("rows", "cols", "winograd"), [(4, 3, 4), (2, 2, 0), (3, 6, 2)])
@pytest.mark.parametrize(("times", "more"), [(1, 0), (1, 1), (3, 0)], ids=["P=rows", "P=rows+1", "P=3*rows"])
def test_back_to_back_tiles_of_at_least_rows_vectors_have_no_bubble(
    rows: int, cols: int, winograd: int, times: int, more: int
) -> None:
    config = AcceleratorConfig(rows=rows, cols=cols, winograd=winograd)
    counts = [times * rows + more] * 7
    trace = run(config, operands(config, counts))
    # The first tile takes rows cycles to load; from then on every cycle takes a vector.
    assert trace.vector_cycles == list(range(rows, rows + sum(counts)))
    assert all(trace.ready[rows : rows + sum(counts)])
    first = rows + trace.latency
    assert trace.sum_cycles == list(range(first, first + sum(counts)))


@pytest.mark.parametrize(("rows", "count"), [(4, 1), (4, 3), (5, 2)])
def test_shorter_tiles_wait_exactly_for_the_rows_that_are_missing(rows: int, count: int) -> None:
    config = AcceleratorConfig(winograd=0, rows=rows, cols=2)
    trace = run(config, operands(config, [count] * 6))
    assert trace.vector_cycles == [rows + tile * rows + i for tile in range(6) for i in range(count)]


def test_tiles_of_mixed_length_wait_only_for_what_was_not_loaded_in_time() -> None:
    config = AcceleratorConfig(winograd=0, rows=4, cols=2)
    counts = [9, 1, 2, 4, 5, 3, 1, 1, 6]
    trace = run(config, operands(config, counts))
    start, expected = 4, []
    for count in counts:
        expected += range(start, start + count)
        start += max(count, 4)
    assert trace.vector_cycles == expected


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("rows", "cols", "winograd"), [(3, 4, 4), (4, 2, 0)])
def test_gaps_in_both_streams_are_harmless(rows: int, cols: int, winograd: int, seed: int) -> None:
    config = AcceleratorConfig(rows=rows, cols=cols, winograd=winograd)
    chance = random.Random(seed)
    counts = [chance.choice([1, 2, rows - 1, rows, rows + 1, 2 * rows]) for _ in range(12)]
    weights_pace, vectors_pace = chance.choice([(0.3, 0.9), (0.9, 0.3), (0.5, 0.5)])
    run(
        config,
        operands(config, counts, seed),
        lambda cycle: chance.random() < weights_pace,
        lambda cycle: chance.random() < vectors_pace,
    )


def test_a_whole_tile_that_waits_is_told_of_a_cycle_before() -> None:
    config = AcceleratorConfig(winograd=0, rows=3, cols=2)
    trace = run(config, operands(config, [4]), offer_vectors=lambda cycle: cycle >= 8)
    assert trace.vector_cycles == [8, 9, 10, 11]
    assert [cycle for cycle, loaded in enumerate(trace.loaded, 1) if loaded] == [3, 4, 5, 6, 7, 8]


def test_the_next_tile_enters_after_its_predecessor_is_taken_and_its_first_row_waits_for_that() -> None:
    config = AcceleratorConfig(winograd=0, rows=3, cols=2)
    trace = run(config, operands(config, [5, 3]), offer_vectors=lambda cycle: cycle >= 9)
    assert trace.weight_cycles == [0, 1, 2, 3, 10, 11]
