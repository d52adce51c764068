"""Order, capacity and timing of the queue under random traffic."""

from __future__ import annotations

from collections import deque

import numpy as np
import pytest
from amaranth.sim import Simulator, SimulatorContext

from wingrid.hw.queue import Queue


@pytest.mark.parametrize("depth", [2, 4, 16])
@pytest.mark.parametrize("leave_often", [0.2, 0.5, 0.9, 1.0])
def test_keeps_order_and_says_what_it_holds(depth: int, leave_often: float) -> None:
    random = np.random.default_rng(depth)
    queue = Queue(8, depth)

    async def bench(ctx: SimulatorContext) -> None:
        held: deque[int] = deque()
        seen_full = False
        for _ in range(400):
            value, enter, leave = int(random.integers(256)), random.random() < 0.7, random.random() < leave_often
            ctx.set(queue.input.payload, value)
            ctx.set(queue.input.valid, enter)
            ctx.set(queue.output.ready, leave)
            assert ctx.get(queue.holds) == 1 << len(held)
            assert ctx.get(queue.input.ready) == (len(held) < depth)
            assert ctx.get(queue.output.valid) == bool(held)
            seen_full |= len(held) == depth
            entering = enter and len(held) < depth
            if held:
                assert ctx.get(queue.output.payload) == held[0]
                if leave:
                    held.popleft()
            if entering:
                held.append(value)
            await ctx.tick()
        assert seen_full or leave_often > 0.7

    simulator = Simulator(queue)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.parametrize("depth", [0, 1, 3])
def test_refuses_depths_that_do_not_wrap(depth: int) -> None:
    with pytest.raises(ValueError, match=f"^queue depth {depth} must be a power of two of at least 2$"):
        Queue(8, depth)
