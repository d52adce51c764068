"""Tables of bytes in hardware against numpy, as they are filled, looked up and passed by."""

from __future__ import annotations

import numpy as np
import pytest
from amaranth.sim import SimulatorContext
from simulation import simulate

from wingrid.hw.config import TABLE_ENTRIES, AcceleratorConfig
from wingrid.hw.store.table_lookup import TableLookup
from wingrid.sim.golden.lookup import looked_up


@pytest.mark.parametrize("tables", [2, 8])
@pytest.mark.parametrize("seed", [1, 2])
def test_equals_numpy_through_changes_of_table_and_contents(tables: int, seed: int) -> None:
    random = np.random.default_rng([tables, seed])
    config = AcceleratorConfig(rows=2, cols=3, winograd=0, tables=tables)
    dut = TableLookup(config)
    contents = random.integers(-128, 128, (tables, config.cols, TABLE_ENTRIES), np.int8)
    expected: list[tuple[int, ...]] = []
    got: list[tuple[int, ...]] = []
    sent: list[int] = []
    came: list[int] = []
    cycle = 0

    async def tick(ctx: SimulatorContext) -> None:
        nonlocal cycle
        if ctx.get(dut.output.valid):
            got.append(tuple(ctx.get(dut.output.lanes[lane]) for lane in range(config.cols)))
            came.append(cycle)
        await ctx.tick()
        cycle += 1

    async def fill(ctx: SimulatorContext, table: int) -> None:
        """One beat a cycle, and noise in the lanes that no column has."""
        for entry in range(TABLE_ENTRIES):
            beat = random.integers(0, 256, config.bus_bytes, np.uint8)
            beat[: config.cols] = contents[table, :, entry].view(np.uint8)
            ctx.set(dut.write_enable, 1)
            ctx.set(dut.write_address, table * TABLE_ENTRIES + entry)
            ctx.set(dut.write_data, int.from_bytes(beat.tobytes(), "little"))
            await tick(ctx)
        ctx.set(dut.write_enable, 0)

    async def bench(ctx: SimulatorContext) -> None:
        for table in range(tables):
            await fill(ctx, table)
        for _ in range(6):
            number = int(random.integers(0, tables + 1))
            ctx.set(dut.table, number)
            await tick(ctx)
            every = np.stack([random.permutation(np.arange(-128, 128)) for _ in range(config.cols)]).astype(np.int8)
            results = looked_up(every, contents[number - 1]) if number else every
            for vector, result in zip(every.T.tolist(), results.T.tolist(), strict=True):
                while random.random() < 0.2:
                    await tick(ctx)
                ctx.set(dut.input.valid, 1)
                for lane, value in enumerate(vector):
                    ctx.set(dut.input.lanes[lane], value)
                expected.append(tuple(result))
                sent.append(cycle)
                await tick(ctx)
                ctx.set(dut.input.valid, 0)
            for _ in range(dut.latency):
                await tick(ctx)
            if number:
                # What has been looked up may be overwritten.
                contents[number - 1] = random.integers(-128, 128, contents[0].shape, np.int8)
                await fill(ctx, number - 1)

    simulate(dut, bench)
    assert got == expected
    assert [arrival - start for start, arrival in zip(sent, came, strict=True)] == [dut.latency] * len(sent)
