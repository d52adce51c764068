"""The bare mesh, cycle by cycle, against a matrix product."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from amaranth.sim import Simulator, SimulatorContext
from signed_numbers import extremes, limits, wrapped

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.mesh.mesh import Mesh

SHAPES = [(2, 2, 0), (3, 5, 4), (5, 3, 2), (4, 4, 0)]


Drive = Callable[[int], tuple[list[int], int, list[int], int]]


def simulate(config: AcceleratorConfig, cycles: int, drive: Drive) -> tuple[npt.NDArray[np.int64], int]:
    """Outputs per cycle, and the latency; drive(cycle) gives vector, swap, weights and load."""
    dut = Mesh(config)
    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    sums = []

    async def testbench(ctx: SimulatorContext) -> None:
        for cycle in range(cycles):
            for port, value in zip((dut.vector, dut.swap, dut.weights, dut.load), drive(cycle), strict=True):
                ctx.set(port, value)
            sums.append(list(ctx.get(dut.sums)))
            await ctx.tick()

    simulator.add_testbench(testbench)
    simulator.run()
    return np.array(sums), dut.latency_for(config)


@pytest.mark.parametrize(("rows", "cols", "winograd"), SHAPES)
def test_a_new_tile_enters_with_the_first_vector_of_the_one_before(rows: int, cols: int, winograd: int) -> None:
    config = AcceleratorConfig(rows=rows, cols=cols, winograd=winograd)
    rng = np.random.default_rng(2)
    tiles = 6
    weights = extremes(rng, config.weight_bits, (tiles, rows, cols))
    vectors = extremes(rng, config.activation_bits, (tiles, rows, rows))
    vectors[0], weights[0] = limits(config.activation_bits)[0], limits(config.weight_bits)[0]

    def drive(cycle: int) -> tuple[list[int], int, list[int], int]:
        # Tile n loads while the vectors of tile n - 1 pass; nothing ever pauses.
        tile, k = divmod(cycle, rows)
        vector = vectors[tile - 1, k].tolist() if 1 <= tile <= tiles else [1] * rows
        row = weights[tile, rows - 1 - k].tolist() if tile < tiles else [-1] * cols
        return vector, int(1 <= tile <= tiles and k == 0), row, (2 << k) - 1 if tile < tiles else 0

    sums, latency = simulate(config, rows * (tiles + 1) + Mesh.latency_for(config), drive)
    expected = wrapped(vectors @ weights, config.accumulator_bits).reshape(-1, cols)
    np.testing.assert_array_equal(sums[rows + latency :][: tiles * rows], expected)


def test_latency_counts_from_the_vector_to_its_sums() -> None:
    config = AcceleratorConfig(winograd=0, rows=3, cols=2)

    def drive(cycle: int) -> tuple[list[int], int, list[int], int]:
        vector = [1, 0, 0] if cycle == 5 else [0, 0, 0]
        return vector, int(cycle == 3), [cycle + 1, -1], (2 << cycle) - 1 if cycle < 3 else 0

    sums, latency = simulate(config, 20, drive)
    assert latency == 6
    assert np.flatnonzero(sums.any(axis=1)).tolist() == [5 + latency]
    assert sums[5 + latency].tolist() == [3, -1]


def test_a_waiting_tile_stays_in_the_shadow_however_many_vectors_pass() -> None:
    config = AcceleratorConfig(winograd=0, rows=2, cols=3)
    tiles = [[[1, 2, 3], [4, 5, 6]], [[-1, -2, -3], [-4, -5, -6]]]
    rows = [tile[k] for tile in tiles for k in (1, 0)]

    def drive(cycle: int) -> tuple[list[int], int, list[int], int]:
        # Tile 0 in cycles 0 and 1, taken in cycle 2, tile 1 in cycles 2 and 3, taken in cycle 20.
        row = rows[cycle] if cycle < 4 else [99, 99, 99]
        return [1, 10], int(cycle in (2, 20)), row, (1, 3)[cycle % 2] if cycle < 4 else 0

    sums, latency = simulate(config, 30, drive)
    assert (sums[2 + latency : 20 + latency] == [41, 52, 63]).all()
    assert (sums[20 + latency :] == [-41, -52, -63]).all()
