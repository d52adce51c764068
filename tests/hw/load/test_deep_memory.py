"""The deep memory against a list of entries, for depths with a rest and without."""

from __future__ import annotations

from collections import deque

import numpy as np
import pytest
from amaranth.sim import SimulatorContext
from simulation import simulate

from wingrid.hw.load.deep_memory import DeepMemory


@pytest.mark.parametrize("depth", [16, 17, 18, 23, 31])
def test_reads_what_was_written_before_in_either_part(depth: int) -> None:
    random = np.random.default_rng(depth)
    memory = DeepMemory(12, depth)
    contents = [0] * depth

    async def bench(ctx: SimulatorContext) -> None:
        answers, answer = deque([0] * memory.read_latency), 0
        for cycle in range(600):
            written, read = int(random.integers(depth)), int(random.integers(depth))
            writes, reads = random.random() < 0.6, random.random() < 0.6
            if writes and written == read:
                # What is read while it is written is unknown.
                read = (read + 1) % depth
            word = int(random.integers(1 << 12))
            ctx.set(memory.write_enable, writes)
            ctx.set(memory.write_address, written)
            ctx.set(memory.write_data, word)
            ctx.set(memory.read_enable, reads)
            ctx.set(memory.read_address, read)
            assert ctx.get(memory.read_data) == answers.popleft(), cycle
            answer = contents[read] if reads else answer
            answers.append(answer)
            await ctx.tick()
            if writes:
                contents[written] = word

    simulate(memory, bench)
