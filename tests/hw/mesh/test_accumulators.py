"""Accumulator banks against a dictionary of integers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import numpy as np
import pytest
from amaranth.sim import Simulator, SimulatorContext
from signed_numbers import limits, wrapped

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.mesh.accumulators import Accumulators, accumulator_tag


def run(dut: Accumulators, testbench: Callable[[SimulatorContext], Awaitable[None]]) -> None:
    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_testbench(testbench)
    simulator.run()


async def add(
    ctx: SimulatorContext,
    dut: Accumulators,
    lanes: list[int],
    bank: int,
    address: int,
    accumulate: int,
    last: int = 0,
) -> None:
    """Present sums for one cycle."""
    tag = {"bank": bank, "address": address, "accumulate": accumulate, "last": last}
    ctx.set(dut.sums, {"valid": 1, "lanes": lanes, "tag": tag})
    await ctx.tick()
    ctx.set(dut.sums, {"valid": 0})


async def drained(ctx: SimulatorContext, dut: Accumulators, bank: int, address: int) -> list[int]:
    """What the drain port reads."""
    ctx.set(dut.read_enable, 1)
    ctx.set(dut.read_bank, bank)
    ctx.set(dut.read_address, address)
    await ctx.tick()
    ctx.set(dut.read_enable, 0)
    await ctx.tick().repeat(dut.read_latency - 1)
    return list(ctx.get(dut.read_lanes))


def test_the_tag_names_bank_address_and_what_to_do() -> None:
    layout = accumulator_tag(AcceleratorConfig(winograd=0, accumulators=64))
    assert {name: field.width for name, field in layout} == {"bank": 1, "address": 6, "accumulate": 1, "last": 1}


async def written(ctx: SimulatorContext, dut: Accumulators) -> None:
    """The last sum is in its accumulator."""
    await ctx.tick().repeat(dut.latency)


@pytest.mark.parametrize("rows", [2, 3, 4, 5])
@pytest.mark.parametrize("winograd", [0, 4])
def test_random_runs_of_sums_leave_in_each_bank_what_was_added(rows: int, winograd: int) -> None:
    config = AcceleratorConfig(rows=rows, cols=3, winograd=winograd, accumulators=128)
    dut = Accumulators(config)
    bits = config.accumulator_bits
    rng = np.random.default_rng(4)
    corners = [*limits(bits), -1, 0, 1]
    model = np.zeros((2, 8, 3), np.int64)

    async def testbench(ctx: SimulatorContext) -> None:
        cycle, last_sum = 0, {}
        for round_ in range(60):
            bank = int(rng.integers(2))
            # A tile of vectors for consecutive accumulators, as near to those before as the matrix unit lets them be.
            base, count = int(rng.integers(5)), int(rng.integers(1, 5))
            accumulate = int(round_ > 3 and rng.random() < 0.8)
            for address in range(base, base + count):
                while cycle - last_sum.get((bank, address), -rows) < rows:
                    await ctx.tick()
                    cycle += 1
                last_sum[bank, address] = cycle
                inside = int(rng.integers(*limits(bits)))
                lanes = rng.choice([*corners, inside], 3)
                model[bank, address] = wrapped(model[bank, address] * accumulate + lanes, bits)
                await add(ctx, dut, lanes.tolist(), bank, address, accumulate)
                cycle += 1
                assert not ctx.get(dut.conflict)
            if rng.random() < 0.3:
                await written(ctx, dut)
                cycle += 100
                # The other bank drains.
                for address in range(8):
                    assert await drained(ctx, dut, 1 - bank, address) == list(model[1 - bank, address])
        await written(ctx, dut)
        for bank in range(2):
            for address in range(8):
                assert await drained(ctx, dut, bank, address) == list(model[bank, address])

    run(dut, testbench)


@pytest.mark.parametrize("distance", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("rows", [2, 3, 4, 5])
def test_sums_for_one_accumulator_as_far_apart_as_there_are_rows_all_count(rows: int, distance: int) -> None:
    config = AcceleratorConfig(winograd=0, rows=rows, cols=2, accumulators=16)
    dut = Accumulators(config)

    async def testbench(ctx: SimulatorContext) -> None:
        conflicts = 0
        for step in range(4):
            await add(ctx, dut, [1 << step, -(1 << step)], 1, 2, accumulate=int(step > 0))
            conflicts += ctx.get(dut.conflict)
            for other in range(1, distance):
                # Others in between, among them the same address of the other bank.
                await add(ctx, dut, [100, -100], 1 - other % 2, 1 + other, accumulate=0)
                conflicts += ctx.get(dut.conflict)
        await written(ctx, dut)
        # Nearer ones are told.
        near = distance < rows and distance <= dut.latency
        assert conflicts == (3 if near else 0)
        if not near:
            assert await drained(ctx, dut, 1, 2) == [15, -15]

    run(dut, testbench)


def test_a_sum_that_begins_anew_may_follow_at_any_distance() -> None:
    config = AcceleratorConfig(winograd=0, rows=4, cols=2, accumulators=4)
    dut = Accumulators(config)

    async def testbench(ctx: SimulatorContext) -> None:
        for step in range(6):
            await add(ctx, dut, [step, -step], 0, 3, accumulate=0)
            assert not ctx.get(dut.conflict)
        await written(ctx, dut)
        assert await drained(ctx, dut, 0, 3) == [5, -5]

    run(dut, testbench)


def test_a_drain_in_the_cycle_after_committed_sees_the_last_sum() -> None:
    config = AcceleratorConfig(winograd=0, rows=2, cols=2, accumulators=4)
    dut = Accumulators(config)

    async def testbench(ctx: SimulatorContext) -> None:
        await add(ctx, dut, [1, 2], 0, 1, accumulate=0)
        assert ctx.get(dut.committed) == 0
        await add(ctx, dut, [-7, 9], 0, 2, accumulate=0, last=1)
        for _ in range(dut.latency - 1):
            assert ctx.get(dut.committed) == 0
            await ctx.tick()
        assert ctx.get(dut.committed) == 1
        await ctx.tick()
        assert ctx.get(dut.committed) == 0
        assert await drained(ctx, dut, 0, 2) == [-7, 9]

    run(dut, testbench)


def test_one_bank_drains_at_full_rate_while_sums_enter_the_other() -> None:
    config = AcceleratorConfig(winograd=0, rows=2, cols=2, accumulators=16)
    dut = Accumulators(config)

    async def testbench(ctx: SimulatorContext) -> None:
        for address in range(16):
            await add(ctx, dut, [address, -address], 0, address, accumulate=0)
        await written(ctx, dut)
        ctx.set(dut.read_enable, 1)
        ctx.set(dut.read_bank, 0)
        seen = []
        for address in range(16):
            ctx.set(dut.read_address, address)
            ctx.set(
                dut.sums,
                {
                    "valid": 1,
                    "lanes": [1000 + address, -1],
                    "tag": {"bank": 1, "address": address, "accumulate": 0, "last": 0},
                },
            )
            assert ctx.get(dut.conflict) == 0
            await ctx.tick()
            seen.append(list(ctx.get(dut.read_lanes)))
        ctx.set(dut.sums, {"valid": 0})
        ctx.set(dut.read_enable, 0)
        for _ in range(dut.read_latency - 1):
            await ctx.tick()
            seen.append(list(ctx.get(dut.read_lanes)))
        assert seen[dut.read_latency - 1 :] == [[address, -address] for address in range(16)]
        await written(ctx, dut)
        assert await drained(ctx, dut, 1, 15) == [1015, -1]

    run(dut, testbench)


@pytest.mark.parametrize("accumulate", [0, 1])
def test_conflict_says_that_a_drain_met_a_sum_in_the_same_bank(accumulate: int) -> None:
    config = AcceleratorConfig(winograd=0, rows=2, cols=2, accumulators=4)
    dut = Accumulators(config)

    async def testbench(ctx: SimulatorContext) -> None:
        await add(ctx, dut, [5, 6], 1, 0, accumulate=0)
        await written(ctx, dut)
        for valid in (0, 1):
            for bank in (0, 1):
                for enable in (0, 1):
                    tag = {"bank": 1, "address": 0, "accumulate": accumulate, "last": 0}
                    ctx.set(dut.sums, {"valid": valid, "lanes": [1, 1], "tag": tag})
                    ctx.set(dut.read_enable, enable)
                    ctx.set(dut.read_bank, bank)
                    assert ctx.get(dut.conflict) == (valid and enable and bank)
        # The sum won: it is unharmed by the drain.
        ctx.set(dut.read_address, 3)
        await ctx.tick()
        ctx.set(dut.sums, {"valid": 0})
        ctx.set(dut.read_enable, 0)
        await written(ctx, dut)
        assert await drained(ctx, dut, 1, 0) == ([6, 7] if accumulate else [1, 1])

    run(dut, testbench)
