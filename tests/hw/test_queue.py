"""Order, capacity and timing of the queue under random traffic."""

from __future__ import annotations

from collections import Counter, deque
from pathlib import Path

import numpy as np
import pytest
from amaranth.sim import Simulator, SimulatorContext
from mapped_cells import ECP5, XC7, mapped_cells

from wingrid.hw.queue import SLICE_BITS, Queue


@pytest.mark.parametrize("depth", [2, 4, 16])
@pytest.mark.parametrize("leave_often", [0.2, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("width", [1, 8, SLICE_BITS, SLICE_BITS + 1, 5 * SLICE_BITS])
def test_keeps_order_and_says_what_it_holds(depth: int, leave_often: float, width: int) -> None:
    random = np.random.default_rng(depth)
    queue = Queue(width, depth)

    async def bench(ctx: SimulatorContext) -> None:
        held: deque[int] = deque()
        seen_full = False
        for _ in range(400):
            value = int.from_bytes(random.bytes(-(-width // 8))) >> (-width % 8)
            enter, leave = random.random() < 0.7, random.random() < leave_often
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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("synthesis", "memory", "address"), [(ECP5, "TRELLIS_DPR16X4", "RAD"), (XC7, "RAM32M", "ADDRA")]
)
@pytest.mark.parametrize(("depth", "widths"), [(2, [2, 1]), (4, [1, 1, 1]), (4, [2, 2, 1])])
def test_tools_keep_the_pointers_of_slices_apart(
    synthesis: str, memory: str, address: str, depth: int, widths: list[int], tmp_path: Path
) -> None:
    cells = mapped_cells(Queue(sum(widths) * SLICE_BITS, depth), tmp_path, synthesis)
    pointers = Counter(tuple(cell["connections"][address]) for cell in cells if cell["type"] == memory)
    bits = {ECP5: 4, XC7: 6}[synthesis]
    assert sorted(pointers.values()) == sorted(width * SLICE_BITS // bits for width in widths)
