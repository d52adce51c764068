"""Counting, simultaneous signal and take, overflow and clearing."""

from __future__ import annotations

import numpy as np
from amaranth.sim import Simulator, SimulatorContext

from wingrid.hw.control.semaphores import Semaphores
from wingrid.hw.isa import SEMAPHORE_BITS, Semaphore


def test_counts_each_semaphore_apart() -> None:
    random = np.random.default_rng(1)
    semaphores = Semaphores()

    async def bench(ctx: SimulatorContext) -> None:
        counts, before, soon_before, late_takes = ([0] * len(Semaphore) for _ in range(4))
        for _ in range(300):
            signals = [int(random.random() < 0.5) for _ in counts]
            takes = [int(count > 0 and random.random() < 0.5) for count in counts]
            # Some come late, in the cycle in which the others rest in the register.
            soon = [int(random.random() < 0.5) for _ in counts]
            now = [bit & early for bit, early in zip(signals, soon, strict=True)]
            late = [bit & ~early for bit, early in zip(before, soon_before, strict=True)]
            ctx.set(semaphores.signal, sum(bit << i for i, bit in enumerate(now)))
            ctx.set(semaphores.late_signal, sum(bit << i for i, bit in enumerate(late)))
            soon_takes = [bit & int(random.random() < 0.5) for bit in takes]
            ctx.set(semaphores.take, sum(bit << i for i, bit in enumerate(soon_takes)))
            ctx.set(semaphores.late_take, sum(bit << i for i, bit in enumerate(late_takes)))
            assert ctx.get(semaphores.available) == sum((count > 0) << i for i, count in enumerate(counts))
            assert not ctx.get(semaphores.overflow)
            await ctx.tick()
            # A signal counts from its second cycle on.
            counts = [count + signal - take for count, signal, take in zip(counts, before, takes, strict=True)]
            before, soon_before = signals, soon
            late_takes = [bit & ~early for bit, early in zip(takes, soon_takes, strict=True)]

    _simulate(semaphores, bench)


def test_overflow_rises_with_the_signal_that_is_too_many() -> None:
    semaphores = Semaphores()

    async def bench(ctx: SimulatorContext) -> None:
        full = (1 << SEMAPHORE_BITS) - 1
        ctx.set(semaphores.signal, 1)
        await ctx.tick().repeat(full)
        assert not ctx.get(semaphores.overflow)
        # Full, signalled and taken at once.
        ctx.set(semaphores.take, 1)
        await ctx.tick()
        assert not ctx.get(semaphores.overflow)
        ctx.set(semaphores.take, 0)
        await ctx.tick()
        assert ctx.get(semaphores.overflow)
        ctx.set(semaphores.signal, 0)
        await ctx.tick()
        ctx.set(semaphores.clear, 1)
        await ctx.tick()
        assert ctx.get(semaphores.available) == 0

    _simulate(semaphores, bench)


def _simulate(semaphores: Semaphores, bench: object) -> None:
    simulator = Simulator(semaphores)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()
