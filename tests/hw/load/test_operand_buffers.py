"""Each buffer by itself, against arrays; the ring's wrap."""

from __future__ import annotations

import numpy as np
import pytest
from amaranth.hdl import Const
from amaranth.sim import SimulatorContext
from simulation import simulate

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.isa import Buffer
from wingrid.hw.load.operand_buffers import OperandBuffers, next_entry

CONFIG = AcceleratorConfig(
    rows=2, cols=3, winograd=0, input_buffer=16, weight_buffer=18, accumulators=16, parameter_blocks=2,
    output_buffer=32, burst_beats=16,
)  # fmt: skip
DEPTHS = {Buffer.INPUTS: 16, Buffer.WEIGHTS: 18, Buffer.PARAMETERS: 16}
ENTRY_BYTES = {Buffer.INPUTS: 2, Buffer.WEIGHTS: 3, Buffer.PARAMETERS: 3}
PORTS = {Buffer.INPUTS: "input", Buffer.WEIGHTS: "weight", Buffer.PARAMETERS: "parameter"}


def test_reads_what_was_written() -> None:
    random = np.random.default_rng(1)
    buffers = OperandBuffers(CONFIG)
    contents = {buffer: [0] * depth for buffer, depth in DEPTHS.items()}

    async def bench(ctx: SimulatorContext) -> None:
        # What the memories are asked for; what they answer.
        asked, read = {}, dict.fromkeys(PORTS, 0)
        for cycle in range(500):
            written, word = list(PORTS)[random.integers(len(PORTS))], int(random.integers(1 << 8 * CONFIG.bus_bytes))
            entry, writes = int(random.integers(DEPTHS[written])), bool(random.random() < 0.7)
            ctx.set(buffers.write_enable, writes << written)
            ctx.set(buffers.write_address, entry)
            ctx.set(buffers.write_data, word)
            asks = {}
            if writes and asked.get(written) == entry:
                # What is read while it is written is unknown.
                entry = (entry + 1) % DEPTHS[written]
                ctx.set(buffers.write_address, entry)
            for buffer, name in PORTS.items():
                address = int(random.integers(DEPTHS[buffer]))
                ctx.set(getattr(buffers, f"{name}_address"), address)
                enabled = buffer == Buffer.PARAMETERS or random.random() < 0.5
                if buffer != Buffer.PARAMETERS:
                    ctx.set(getattr(buffers, f"{name}_enable"), enabled)
                if enabled:
                    asks[buffer] = address
            expected = dict(read)
            for buffer, entry_read in asked.items():
                read[buffer] = contents[buffer][entry_read]
            await ctx.tick()
            if writes:
                contents[written][entry] = word & (1 << 8 * ENTRY_BYTES[written]) - 1
            for buffer, name in PORTS.items():
                assert ctx.get(getattr(buffers, f"{name}_data")) == expected[buffer], (cycle, buffer)
            asked = asks

    simulate(buffers, bench)


@pytest.mark.parametrize(("entry", "following"), [(0, 1), (16, 17), (17, 0)])
def test_the_entry_after_the_last_is_the_first(entry: int, following: int) -> None:
    async def bench(ctx: SimulatorContext) -> None:
        assert ctx.get(next_entry(Const(entry, 5), DEPTHS[Buffer.WEIGHTS])) == following

    simulate(OperandBuffers(CONFIG), bench)
