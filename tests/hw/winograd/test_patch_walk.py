"""The patch walk against the definition in ``docs/isa.md``, vector by vector."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from amaranth.hdl import Signal
from amaranth.sim import SimulatorContext
from simulation import simulate

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.encoding import encode
from wingrid.hw.isa import Execute
from wingrid.hw.winograd.patch_walk import PatchWalk

CONFIG = AcceleratorConfig(rows=2, cols=2, winograd=4, input_buffer=256, accumulators=128)


def vectors(i: Execute) -> Iterator[tuple[int, ...]]:
    """Address, inside, commits, final of each vector in order."""
    for b in range(i.blocks):
        u, j = i.first, 0
        for n in range(i.count):
            for ky, kx in np.ndindex(i.kernel_height, i.kernel_width):
                row, column = i.top + j * i.stride_y + ky * i.dilation_y, i.left + u + kx * i.tap_pitch
                address = j * i.row_pitch + u + b * i.block_pitch + ky * i.tap_row_pitch + kx * i.tap_pitch
                inside = 0 <= row < i.image_height and 0 <= column < i.image_width
                ends_patch = (ky, kx) == (i.kernel_height - 1, i.kernel_width - 1)
                final = ends_patch and n == i.count - 1 and b == i.blocks - 1
                yield (i.input_base + address) % CONFIG.input_buffer, inside, ends_patch and n == 0, final
            u, j = (0, j + 1) if u == i.last else (u + i.stride_x, j)


def random_instruction(random: np.random.Generator) -> Execute:
    def below(limit: int) -> int:
        return int(random.integers(limit))

    stride_x, columns, taps = 1 + below(4), 1 + below(5), 3 + below(4)
    return Execute(
        kernel_height=taps, kernel_width=3 + below(4), stride_y=1 + below(4),
        stride_x=stride_x, dilation_y=1 + below(3), tap_pitch=1 + below(3), count=1 + below(10), blocks=1 + below(3),
        first=stride_x * below(columns), last=stride_x * (columns - 1), top=below(12) - 6, left=below(12) - 6,
        image_height=1 + below(9), image_width=1 + below(9), input_base=below(256),
        row_pitch=below(1 << 32), block_pitch=below(200), tap_row_pitch=below(60),
    )  # fmt: skip


def check(instructions: list[Execute], *, at_once: bool, random: np.random.Generator) -> None:
    """``at_once``: the next instruction starts with the last one's final step, as the feeder does it."""
    walk = PatchWalk(CONFIG)

    def offer(ctx: SimulatorContext, instruction: Execute) -> None:
        ctx.set(walk.instruction.as_value(), int.from_bytes(encode(instruction), "little") % (1 << 400))

    async def move(ctx: SimulatorContext, *moves: Signal) -> None:
        for signal in moves:
            ctx.set(signal, 1)
        await ctx.tick()
        for signal in moves:
            ctx.set(signal, 0)

    async def testbench(ctx: SimulatorContext) -> None:
        for number, instruction in enumerate(instructions):
            if not (at_once and number):
                offer(ctx, instruction)
                await ctx.tick().repeat(1 + int(random.integers(2)))
                await move(ctx, walk.start)
            # The walk has its own copy, and sees the next instruction in the cycle before its start, at the latest.
            ctx.set(walk.instruction.as_value(), (1 << 400) - 1)
            expected = list(vectors(instruction))
            for place, vector in enumerate(expected):
                outputs = (walk.address, walk.inside, walk.commits, walk.final)
                assert tuple(ctx.get(output) for output in outputs) == vector
                if not at_once and random.integers(2):
                    await ctx.tick()
                    assert tuple(ctx.get(output) for output in outputs) == vector
                follows = at_once and number + 1 < len(instructions)
                if follows and place == len(expected) - 2:
                    offer(ctx, instructions[number + 1])
                if follows and place == len(expected) - 1:
                    await move(ctx, walk.step, walk.start)
                else:
                    await move(ctx, walk.step)

    simulate(walk, testbench)


@pytest.mark.parametrize("at_once", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_visits_exactly_the_vectors_of_the_definition(seed: int, at_once: bool) -> None:
    random = np.random.default_rng(seed)
    check([random_instruction(random) for _ in range(10)], at_once=at_once, random=random)


def test_images_as_large_as_the_fields_and_positions_before_their_beginning() -> None:
    largest = Execute(tile=4, kernel_height=6, kernel_width=6, stride_x=4, stride_y=4, image_height=65535,
                      image_width=65535, top=-3, left=-1, count=3, last=65532, first=65528)  # fmt: skip
    before = Execute(tile=2, kernel_height=4, kernel_width=4, stride_x=2, stride_y=2, top=-32768, left=-32768,
                     image_height=65535, image_width=65535, count=2, last=2)  # fmt: skip
    after = Execute(kernel_height=4, kernel_width=4, top=32767, left=32767, image_height=32768, image_width=32769)
    check([largest, before, after], at_once=True, random=np.random.default_rng(9))
