"""Each buffer by itself, against arrays; the ring's wrap."""

from __future__ import annotations

import dataclasses

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
SPARSE = dataclasses.replace(CONFIG, sparse=1)
DEPTHS = {Buffer.INPUTS: 16, Buffer.WEIGHTS: 18, Buffer.PARAMETERS: 16}
ENTRY_BYTES = {Buffer.INPUTS: 2, Buffer.WEIGHTS: 3, Buffer.PARAMETERS: 3}
PORTS = {Buffer.INPUTS: "input", Buffer.WEIGHTS: "weight", Buffer.PARAMETERS: "parameter"}


@pytest.mark.parametrize("config", [CONFIG, SPARSE], ids=["whole entries", "a bank for each sparse lane"])
def test_reads_what_was_written(config: AcceleratorConfig) -> None:
    random = np.random.default_rng(1)
    buffers = OperandBuffers(config)
    banks = dict.fromkeys(PORTS, 1) | {Buffer.INPUTS: config.rows if config.sparse else 1}
    contents = {buffer: [0] * depth for buffer, depth in DEPTHS.items()}

    async def bench(ctx: SimulatorContext) -> None:
        # What the memories are asked for; what they answer.
        asked, read = {}, dict.fromkeys(PORTS, 0)
        # What stands in the register before the memories.
        underway: tuple[Buffer, int, int] | None = None
        for cycle in range(500):
            written, word = list(PORTS)[random.integers(len(PORTS))], int(random.integers(1 << 8 * config.bus_bytes))
            entry, writes = int(random.integers(DEPTHS[written])), bool(random.random() < 0.7)
            asks = {}
            for buffer, name in PORTS.items():
                addresses = random.integers(DEPTHS[buffer], size=banks[buffer]).tolist()
                for bank, address in enumerate(addresses):
                    inputs = buffer == Buffer.INPUTS
                    ctx.set(buffers.input_addresses[bank] if inputs else getattr(buffers, f"{name}_address"), address)
                enabled = buffer == Buffer.PARAMETERS or random.random() < 0.5
                if buffer != Buffer.PARAMETERS:
                    ctx.set(getattr(buffers, f"{name}_enable"), enabled)
                if enabled:
                    asks[buffer] = addresses
            while writes and entry in asks.get(written, ()):
                # What is asked for in the cycle in which it is written is unknown.
                entry = (entry + 1) % DEPTHS[written]
            ctx.set(buffers.write_enable, writes << written)
            ctx.set(buffers.write_address, entry)
            ctx.set(buffers.write_data, word)
            expected = dict(read)
            for buffer, entries_read in asked.items():
                width = 8 * ENTRY_BYTES[buffer] // banks[buffer]
                read[buffer] = sum(
                    (contents[buffer][entry_read] >> bank * width & (1 << width) - 1) << bank * width
                    for bank, entry_read in enumerate(entries_read)
                )
            await ctx.tick()
            if underway:
                buffer, place, content = underway
                contents[buffer][place] = content & (1 << 8 * ENTRY_BYTES[buffer]) - 1
            underway = (written, entry, word) if writes else None
            for buffer, name in PORTS.items():
                assert ctx.get(getattr(buffers, f"{name}_data")) == expected[buffer], (cycle, buffer)
            asked = asks

    simulate(buffers, bench)


@pytest.mark.parametrize(("entry", "following"), [(0, 1), (16, 17), (17, 0)])
def test_the_entry_after_the_last_is_the_first(entry: int, following: int) -> None:
    async def bench(ctx: SimulatorContext) -> None:
        assert ctx.get(next_entry(Const(entry, 5), DEPTHS[Buffer.WEIGHTS])) == following

    simulate(OperandBuffers(CONFIG), bench)
