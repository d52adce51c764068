"""The raster walk against the formula in ``Execute``, vector by vector."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from amaranth.sim import Simulator, SimulatorContext

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.encoding import encode
from wingrid.hw.execute.raster_walk import RasterWalk
from wingrid.hw.isa import Execute

CONFIG = AcceleratorConfig(winograd=0, rows=2, cols=2, input_buffer=256, accumulators=64)


def vectors(i: Execute) -> Iterator[tuple[int, ...]]:
    """Address, inside, sum address, overwrite, first, last, final of each vector in order."""
    taps = [(b, ky, kx) for b in range(i.blocks) for ky in range(i.kernel_height) for kx in range(i.kernel_width)]
    for step, (b, ky, kx) in enumerate(taps):
        u, j = i.first, 0
        for n in range(i.count):
            address = i.input_base + j * i.row_pitch + u + b * i.block_pitch + ky * i.tap_row_pitch + kx * i.tap_pitch
            row = i.top + j * i.stride_y + ky * i.dilation_y
            column = i.left + u + kx * i.tap_pitch
            inside = 0 <= row < i.image_height and 0 <= column < i.image_width
            last = n == i.count - 1
            overwrite = step == 0 and not i.accumulate
            final = last and step == len(taps) - 1
            yield address % 256, inside, i.accumulator_base + n, overwrite, n == 0, last, final
            u, j = (0, j + 1) if u == i.last else (u + i.stride_x, j)


def random_instruction(random: np.random.Generator) -> Execute:
    def below(limit: int) -> int:
        return int(random.integers(limit))

    stride_x, columns = 1 + below(4), 1 + below(6)
    return Execute(
        accumulate=below(2), kernel_height=1 + below(4), kernel_width=1 + below(4), stride_y=1 + below(4),
        stride_x=stride_x, dilation_y=1 + below(3), tap_pitch=1 + below(3), count=1 + below(12), blocks=1 + below(3),
        first=stride_x * below(columns), last=stride_x * (columns - 1), top=below(12) - 6, left=below(12) - 6,
        image_height=1 + below(9), image_width=1 + below(9), accumulator_base=below(50), input_base=below(256),
        row_pitch=below(1 << 32), block_pitch=below(200), tap_row_pitch=below(60),
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(6))
def test_visits_exactly_the_vectors_of_the_definition(seed: int) -> None:
    random = np.random.default_rng(seed)
    instructions = [random_instruction(random) for _ in range(8)]
    instructions.append(Execute(top=-32768, left=-32768, image_height=65535, image_width=65535, count=2, last=1))
    walk = RasterWalk(CONFIG)

    def offer(ctx: SimulatorContext, instruction: Execute) -> None:
        ctx.set(walk.instruction.as_value(), int.from_bytes(encode(instruction), "little") % (1 << 400))

    async def bench(ctx: SimulatorContext) -> None:
        loaded = False
        for number, instruction in enumerate(instructions):
            if not loaded:
                ctx.set(walk.active, 0)
                offer(ctx, random_instruction(random))
                await ctx.tick()
                offer(ctx, instruction)
                await ctx.tick()
            ctx.set(walk.active, 1)
            offer(ctx, random_instruction(random))
            for expected in vectors(instruction):
                outputs = (
                    walk.address, walk.inside, walk.sum_address, walk.overwrite, walk.first, walk.last, walk.final,
                )  # fmt: skip
                assert tuple(ctx.get(output) for output in outputs) == expected
                # The next one follows at once, or later.
                loaded = bool(random.integers(2)) and number + 1 < len(instructions)
                if expected[-1] and loaded:
                    offer(ctx, instructions[number + 1])
                ctx.set(walk.step, 1)
                await ctx.tick()
                ctx.set(walk.step, 0)
                if random.integers(2) and not expected[-1]:
                    await ctx.tick()

    simulator = Simulator(walk)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()
