"""Max pooling of result streams against numpy, with gaps, for every window and tile."""

from __future__ import annotations

import numpy as np
import pytest
from amaranth.sim import Simulator, SimulatorContext

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.store.pooler import Pooler

COLS = 3


def pool(tile: int, window: int, results: np.ndarray) -> np.ndarray:
    """[outputs, cols] from [results, cols], whole windows or tiles of them."""
    if window <= 1:
        return results
    if not tile:
        return results.reshape(-1, window * window, COLS).max(axis=1)
    half = tile // 2
    return results.reshape(-1, half, 2, half, 2, COLS).max(axis=(2, 4)).reshape(-1, COLS)


@pytest.mark.parametrize("winograd", [0, 4])
@pytest.mark.parametrize("gaps", [0.0, 0.5])
def test_equals_numpy_through_changes_of_window_and_tile(winograd: int, gaps: float) -> None:
    random = np.random.default_rng(winograd + int(gaps * 10))
    config = AcceleratorConfig(rows=2, cols=COLS, winograd=winograd, accumulators=128)
    dut = Pooler(config)
    modes = [(0, 0), (0, 1), (0, 2), (0, 3), (0, 5)] + [(tile, window) for tile in config.tiles for window in (0, 2)]
    work = []
    for tile, window in [modes[i] for i in random.permutation(len(modes) * 3) % len(modes)]:
        size = (tile * tile if tile else max(window, 1) ** 2) * 4
        results = random.integers(-128, 128, (size, COLS))
        results[: size // 2] = random.choice([-128, 127, -1, 0], (size // 2, COLS))
        work.append((tile, window, results))
    expected = np.concatenate([pool(*item) for item in work])
    outputs: list[list[int]] = []
    last_input, last_output = [-1], [-1]

    async def feed(ctx: SimulatorContext) -> None:
        for tile, window, results in work:
            ctx.set(dut.tile, tile)
            ctx.set(dut.window, window)
            await ctx.tick().repeat(2)
            for result in results:
                while random.random() < gaps:
                    await ctx.tick()
                ctx.set(dut.input.valid, 1)
                for lane in range(COLS):
                    ctx.set(dut.input.lanes[lane], int(result[lane]))
                await ctx.tick()
                ctx.set(dut.input.valid, 0)
            await ctx.tick().repeat(Pooler.latency)
        await ctx.tick().repeat(4)

    async def watch(ctx: SimulatorContext) -> None:
        cycle = 0
        samples = ctx.tick().sample(dut.input.valid, dut.output.valid, dut.output.lanes)
        async for _, _, entering, leaving, lanes in samples:
            if entering:
                last_input[0] = cycle
            if leaving:
                last_output[0] = cycle
                outputs.append([lanes[lane] for lane in range(COLS)])
            cycle += 1

    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_testbench(feed)
    simulator.add_testbench(watch, background=True)
    simulator.run()
    np.testing.assert_array_equal(np.array(outputs), expected)
    assert last_output[0] - last_input[0] == Pooler.latency
