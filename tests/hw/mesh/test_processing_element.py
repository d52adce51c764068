"""The element against the arithmetic it stands for, corners included."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable

import numpy as np
import pytest
from amaranth.sim import Simulator, SimulatorContext
from signed_numbers import limits, wrapped

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.mesh.processing_element import ProcessingElement


def run(dut: ProcessingElement, testbench: Callable[[SimulatorContext], Awaitable[None]]) -> None:
    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_testbench(testbench)
    simulator.run()


@pytest.mark.parametrize("winograd", [0, 2, 4])
def test_sums_products_of_extreme_and_random_operands_modulo_the_accumulator(winograd: int) -> None:
    config = AcceleratorConfig(winograd=winograd)
    dut = ProcessingElement(config)
    rng = np.random.default_rng(1)

    def corners(bits: int) -> list[int]:
        low, high = limits(bits)
        return [low, -1, 0, 1, high, int(rng.integers(low, high))]

    cases = list(
        itertools.product(
            corners(config.activation_bits), corners(config.weight_bits), corners(config.accumulator_bits)
        )
    )

    async def testbench(ctx: SimulatorContext) -> None:
        for activation, weight, total in cases:
            ctx.set(dut.weight_in, weight)
            ctx.set(dut.load, 1)
            await ctx.tick()
            ctx.set(dut.load, 0)
            ctx.set(dut.weight_in, 0)
            ctx.set(dut.activation_in, activation)
            ctx.set(dut.swap, 1)
            await ctx.tick()
            ctx.set(dut.swap, 0)
            ctx.set(dut.activation_in, 0)
            await ctx.tick().repeat(dut.latency - 2)
            ctx.set(dut.sum_in, total)
            await ctx.tick()
            assert ctx.get(dut.sum_out) == wrapped(total + activation * weight, config.accumulator_bits)

    run(dut, testbench)


def test_the_first_activation_with_swap_meets_the_new_weight_and_the_one_before_the_old() -> None:
    config = AcceleratorConfig()
    dut = ProcessingElement(config)

    async def testbench(ctx: SimulatorContext) -> None:
        for weight in (3, -5):
            ctx.set(dut.weight_in, weight)
            ctx.set(dut.load, 1)
            ctx.set(dut.swap, weight == -5)  # takes the 3 while the -5 arrives
            await ctx.tick()
        ctx.set(dut.load, 0)
        seen = []
        for activation, swap in ((10, 0), (100, 1), (101, 0), (0, 0), (0, 0)):
            ctx.set(dut.activation_in, activation)
            ctx.set(dut.swap, swap)
            await ctx.tick()
            seen.append(ctx.get(dut.sum_out))
        assert seen[dut.latency - 1 :] == [30, -500, -505]

    run(dut, testbench)


def test_hands_on_everything_one_cycle_later_and_keeps_its_shadow_without_load() -> None:
    config = AcceleratorConfig(winograd=4)
    dut = ProcessingElement(config)

    async def testbench(ctx: SimulatorContext) -> None:
        ctx.set(dut.weight_in, -8192)
        ctx.set(dut.load, 1)
        ctx.set(dut.activation_in, -16384)
        ctx.set(dut.swap, 1)
        await ctx.tick()
        outputs = (dut.weight_out, dut.activation_out)
        assert [ctx.get(port) for port in outputs] == [-8192, -16384]
        ctx.set(dut.weight_in, 77)
        ctx.set(dut.load, 0)
        ctx.set(dut.activation_in, 16383)
        ctx.set(dut.swap, 0)
        await ctx.tick()
        assert [ctx.get(port) for port in outputs] == [-8192, 16383]

    run(dut, testbench)
