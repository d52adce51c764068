"""The weight decoder against the weights that were compressed: every row, its cycle, and what is read for it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pytest
from amaranth.hdl import Value
from amaranth.sim import SimulatorContext
from coded_layers import random_weights
from simulation import Pins, simulate, unpack

from wingrid.host.compiler.blocking import Blocking
from wingrid.host.compiler.coded_weights import CodedWeights
from wingrid.host.execution.measurement import READ_AHEAD
from wingrid.host.networks.layer import Convolution
from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.load.operand_buffers import OperandBuffers
from wingrid.hw.mesh.matrix_unit import PAYLOAD_LATENCY
from wingrid.hw.winograd.weight_decoder import WeightDecoder
from wingrid.hw.winograd_matrices import KERNEL

TWO, FOUR = (
    AcceleratorConfig(rows=2, cols=4, decoders=decoders, weight_buffer=300, input_buffer=256) for decoders in (2, 1)
)
"""Columns of a decoder."""


@dataclass
class Seen:
    transfers: list[int] = field(default_factory=list)
    """Cycle of each row's transfer, from that of ``begins`` on."""
    rows: list[list[int]] = field(default_factory=list)
    reads: list[int] = field(default_factory=list)
    """Addresses."""


def coded(random: np.random.Generator, config: AcceleratorConfig) -> tuple[CodedWeights, npt.NDArray[np.int8]]:
    """A layer of four raw tiles, and their rows."""
    shape = Convolution(2 * config.rows, 6, 6, 2 * config.cols, (3, 3), padding=(1, 1, 1, 1))
    weights = random_weights(random, (shape.kernels, shape.channels, KERNEL, KERNEL))
    found = CodedWeights.of(weights, Blocking.of(shape, config, 4), config)
    assert found is not None
    # [output block, column, input block, row, taps], last row first.
    parts = weights.reshape(2, config.cols, 2, config.rows, KERNEL * KERNEL)
    return found, parts.transpose(0, 2, 4, 3, 1)[:, :, :, ::-1].reshape(-1, config.cols)


def decoded(
    entries: npt.NDArray[np.uint8], tables: npt.NDArray[np.uint8], base: int, tiles: int, config: AcceleratorConfig,
    ready: npt.NDArray[np.bool_],
) -> Seen:  # fmt: skip
    """Raw tiles that begin at entry ``base`` of a full buffer, taken where ``ready`` in the cycles of an EXECUTE."""
    device, seen = WeightDecoder(config), Seen()
    of_tile = KERNEL * KERNEL * config.rows

    async def testbench(ctx: SimulatorContext) -> None:
        pins, asked = Pins(ctx), [0] * OperandBuffers.read_latency
        pins.set(device.table_write, 1)
        for number, beat in enumerate(tables):
            pins.set(device.table_address, number)
            pins.set(device.table_data, int.from_bytes(beat.tobytes(), "little"))
            await ctx.tick()
        pins.set(device.table_write, 0)
        pins.set(device.base, base)
        pins.set(device.begins, 1)
        await ctx.tick()
        pins.set(device.begins, 0)
        late: list[int] = []
        for cycle in range(1, len(ready)):
            pins.set(device.works, len(seen.transfers) < tiles * of_tile)
            pins.set(device.ends_tile, len(seen.transfers) % of_tile == of_tile - 1)
            pins.set(device.rows.ready, ready[cycle])
            pins.set(device.read_data, int.from_bytes(entries[asked[-1]].tobytes(), "little"))
            if cycle - PAYLOAD_LATENCY in late:
                seen.rows.append(unpack(ctx.get(Value.cast(device.rows.payload)), 8, config.cols))
            if ctx.get(device.read_enable):
                seen.reads.append(ctx.get(device.read_address))
            asked = [ctx.get(device.read_address), *asked[:-1]]
            if ctx.get(device.rows.valid) and ready[cycle]:
                seen.transfers.append(cycle)
                late.append(cycle)
            await ctx.tick()

    simulate(device, testbench)
    return seen


@pytest.mark.parametrize("config", [TWO, FOUR], ids=["two columns", "four columns"])
def test_rows_come_back_at_a_constant_rate_and_a_ring_is_read_ahead(config: AcceleratorConfig) -> None:
    for seed in range(3):
        random = np.random.default_rng([seed, 6])
        layer, rows = coded(random, config)
        buffer = random.integers(0, 256, (config.weight_buffer, config.cols), np.uint8)
        base = int(random.integers(config.weight_buffer))
        buffer[(base + np.arange(len(layer.entries))) % config.weight_buffer] = layer.entries
        tiles = len(layer.starts) - 1
        cycles = WeightDecoder.latency_for(config) + config.decoder_columns * len(rows) + 4
        seen = decoded(buffer, layer.code.tables(config), base, tiles, config, np.ones(cycles, np.bool_))
        assert seen.rows == rows.tolist()
        first = WeightDecoder.latency_for(config)
        assert seen.transfers == [first + config.decoder_columns * row for row in range(len(rows))]
        assert seen.reads == [(base + entry) % config.weight_buffer for entry in range(len(seen.reads))]
        # What ``Activity`` counts for an EXECUTE is no less, and at most a few entries more.
        assert len(layer.entries) + READ_AHEAD - 4 < len(seen.reads) <= len(layer.entries) + READ_AHEAD


def test_damage_changes_weights_and_no_cycle() -> None:
    random = np.random.default_rng(8)
    layer, rows = coded(random, FOUR)
    tables, tiles = layer.code.tables(FOUR), len(layer.starts) - 1
    buffer = np.resize(layer.entries, (FOUR.weight_buffer, FOUR.cols))
    ready = random.random(9 * len(rows)) < 0.4
    whole = decoded(buffer, tables, 0, tiles, FOUR, ready)
    assert whole.rows == rows.tolist()
    for damaged in (buffer, tables):
        changed = [
            random.integers(0, 256, each.shape, np.uint8) if each is damaged else each for each in (buffer, tables)
        ]
        seen = decoded(*changed, 0, tiles, FOUR, ready)
        assert seen.transfers == whole.transfers
        assert seen.rows != whole.rows
