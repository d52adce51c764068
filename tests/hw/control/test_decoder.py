"""The decoder against the rules of docs/isa.md in plain Python, on instructions legal, or wrong in a field or two."""

from __future__ import annotations

import collections
import dataclasses

import numpy as np
import pytest
from amaranth.sim import SimulatorContext
from free_programs import free_program
from simulation import simulate

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.control.decoder import Decoder
from wingrid.hw.encoding import encode
from wingrid.hw.isa import INSTRUCTIONS, WORD_BITS, Buffer, Execute, Fault, Instruction, Load, SparseFormat, Store
from wingrid.hw.winograd_matrices import winograd

CORNERS = (
    *(0, 1, 2, 3, 4, 8, 16, 23, 24, 25, 127, 128, 255, 256, 899, 900, 901, 4703, 4704, 1 << 15, (1 << 16) - 1),
    *((1 << 24) - 1, 1 << 24, (1 << 32) - 1 - (1 << 24), (1 << 32) - (1 << 24), (1 << 32) - 1),
)


def fault_of(config: AcceleratorConfig, word: Instruction) -> Fault:
    """What docs/isa.md says is wrong with it."""
    foreign = any(word.wait >> bit & 1 and bit not in word.waits for bit in range(8))
    foreign |= any(word.signal >> bit & 1 and bit not in word.signals for bit in range(8))
    illegal, outside = _WRONG[type(word)](config, word)
    if foreign or illegal:
        return Fault.ILLEGAL_INSTRUCTION
    return Fault.ADDRESS_OUT_OF_BUFFER if outside else Fault.NONE


def _load(config: AcceleratorConfig, i: Load) -> tuple[bool, bool]:
    sizes = (i.run_beats, i.runs, i.row_beats, i.rows)
    illegal = i.buffer not in {buffer.value for buffer in Buffer} or 0 in sizes or i.fence > 1
    illegal |= bool(i.source % config.bus_bytes or i.run_pitch % config.bus_bytes)
    depths = {
        Buffer.INPUTS.value: config.input_buffer,
        Buffer.WEIGHTS.value: config.weight_buffer,
        Buffer.PARAMETERS.value: config.parameter_entries,
        Buffer.TABLES.value: config.table_entries,
        Buffer.ADDENDS.value: config.addends,
        Buffer.CODES.value: config.code_entries,
    }
    return illegal, not illegal and i.destination >= depths[i.buffer]


def _execute(config: AcceleratorConfig, i: Execute) -> tuple[bool, bool]:
    illegal = i.bank > 1 or i.accumulate > 1 or 0 in (i.kernel_height, i.kernel_width, i.count, i.blocks)
    illegal |= i.tile not in (0, *config.tiles)
    if i.tile in config.tiles:
        illegal |= (i.kernel_height, i.kernel_width) != (winograd(i.tile).patch,) * 2
    illegal |= i.sparse >= (len(SparseFormat) if config.sparse else 1) or bool(i.sparse and i.tile)
    illegal |= i.coded > (1 if config.decoders else 0) or bool(i.coded and not i.tile)
    outside = i.input_base >= config.input_buffer or i.weight_base >= config.weight_buffer
    return illegal, outside or _sums_outside(config, i)


def _store(config: AcceleratorConfig, i: Store) -> tuple[bool, bool]:
    illegal = i.bank > 1 or 0 in (i.count, i.width, i.lines) or i.first >= i.width or i.pool == 1
    illegal |= i.tile not in (0, *config.tiles)
    illegal |= bool(i.destination % config.bus_bytes or i.row_pitch % config.bus_bytes)
    illegal |= i.pixel_pitch == 1 or i.pixel_pitch > (0 if i.tile else 15)
    illegal |= bool(i.pool and (i.first if i.tile == 0 else (i.pool, i.pool_stride) != (2, 2)))
    illegal |= (
        i.combination > 2
        or i.broadcast > 1
        or not all(-(1 << 24) <= factor < 1 << 24 for factor in (i.factor, i.addend_factor))
    )
    outside = i.parameter_block >= config.parameter_blocks or i.table > config.tables
    outside |= i.addend_base >= config.addends if config.addends else i.combination > 0
    return illegal, outside or _sums_outside(config, i)


def _sums_outside(config: AcceleratorConfig, i: Execute | Store) -> bool:
    positions = winograd(i.tile).patch ** 2 if i.tile in config.tiles else 1
    return i.accumulator_base + positions * i.count > config.accumulators


_WRONG = {Load: _load, Execute: _execute, Store: _store}


def spoilt(random: np.random.Generator, config: AcceleratorConfig, word: Instruction) -> Instruction:
    """The instruction with up to two fields at values where rules begin or end."""
    for _ in range(int(random.integers(0, 3))):
        fields = dataclasses.fields(word)
        field = fields[int(random.integers(len(fields)))]
        shape = field.metadata["bits"]
        old = getattr(word, field.name)
        nearby = [old - 1, old + 1, config.input_buffer, config.weight_buffer, config.parameter_entries]
        value = int(random.choice([*CORNERS, *nearby])) & (1 << shape.width) - 1
        if shape.signed and value >> shape.width - 1:
            value -= 1 << shape.width
        setattr(word, field.name, value)
    if isinstance(word, Execute | Store) and random.integers(2):
        # Up to the end of the bank, or one further.
        positions = winograd(word.tile).patch ** 2 if word.tile in config.tiles else 1
        word.accumulator_base = max(0, config.accumulators - positions * word.count) + int(random.integers(2))
    return word


@pytest.mark.parametrize("tiles", [0, 2, 4])
def test_a_verdict_comes_every_cycle_and_is_that_of_the_instruction_set(tiles: int) -> None:
    config = AcceleratorConfig(
        rows=4,
        cols=4,
        winograd=tiles,
        accumulators=900,
        tables=tiles,
        sparse=int(tiles != 2),
        decoders=2 * (tiles == 4),
        addends=64 * tiles,
    )
    random = np.random.default_rng(tiles)
    words = [
        spoilt(random, config, word) for _ in range(150) for word in free_program(random, config, 20, room=1 << 20)
    ]
    seen: collections.Counter[tuple[type, Fault]] = collections.Counter()
    decoder = Decoder(config)

    async def bench(ctx: SimulatorContext) -> None:
        expected: list[tuple[Fault, int]] = []
        for word in words:
            error = random.random() < 0.02
            code = int.from_bytes(encode(word), "little") % (1 << WORD_BITS)
            if random.random() < 0.02:
                code = code & ~255 | 7 + int(random.integers(200))
                fault = Fault.ILLEGAL_INSTRUCTION
            else:
                fault = fault_of(config, word)
                seen[type(word), fault] += 1
            fault = Fault.READ_ERROR if error else fault
            kind = 0 if fault else 1 << INSTRUCTIONS.index(type(word))
            expected.append((fault, kind))
            ctx.set(decoder.word, code)
            ctx.set(decoder.error, error)
            if len(expected) > decoder.latency:
                verdict = Fault(ctx.get(decoder.fault)), ctx.get(decoder.kind)
                assert verdict == expected[-1 - decoder.latency], words[len(expected) - 1 - decoder.latency]
            await ctx.tick()

    simulate(decoder, bench)
    faults = (Fault.NONE, Fault.ILLEGAL_INSTRUCTION, Fault.ADDRESS_OUT_OF_BUFFER)
    assert all(seen[kind, fault] > 10 for kind in INSTRUCTIONS for fault in faults), seen
