"""What is proved about the decoder of compressed weights, whatever its lanes do."""

from __future__ import annotations

import dataclasses
from typing import ClassVar
from unittest import mock

from amaranth.hdl import Module, Mux, Signal
from rules import Bench
from small_configurations import SMALL

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.isa import CODE_RING
from wingrid.hw.layouts import CODE_HEAD
from wingrid.hw.winograd import weight_decoder
from wingrid.hw.winograd.code_lane import CodeLane
from wingrid.hw.winograd.weight_decoder import WeightDecoder

DECODERS = dataclasses.replace(SMALL, winograd=2, cols=4, decoders=2, accumulators=32, weight_buffer=20)
"""A ring of entries that is no power of two."""


class OpenLane(CodeLane):
    """A lane without anything in it: the bench says where it stands and what it finds there."""

    def __init__(self, config: AcceleratorConfig, first_bit: int) -> None:
        super().__init__(config, first_bit)
        self.first_bit = first_bit

    def elaborate(self, platform: object) -> Module:
        return Module()


class OpenDecoder(WeightDecoder):
    """The decoder around lanes that are left to the bench; the first one's codes lie behind a head."""

    def __init__(self, config: AcceleratorConfig) -> None:
        super().__init__(config)
        self.lanes = [OpenLane(config, 0 if number else CODE_HEAD.size) for number in range(config.decoders)]

    def elaborate(self, platform: object) -> Module:
        with mock.patch.object(weight_decoder, "CodeLane", side_effect=self.lanes):
            return super().elaborate(platform)


class WeightDecoderBench(Bench):
    """Any EXECUTEs, one after the other or without a pause, that end with any row; lanes that stand anywhere."""

    rules: ClassVar = {
        "rate": "rows are offered decoder_columns cycles after each other's transfer, the first one after the latency",
        "moves": "lanes wait in no cycle but those in which a row that is offered is not taken",
        "base": "the entries of an EXECUTE are read one after the other, the first one at its base",
        "buffer": "nothing is read beyond the weight buffer",
        "idle": "nothing is read or offered when no EXECUTE is under way",
    }
    witnesses: ClassVar = {
        "second": "an EXECUTE followed another without a pause, and a row of it was transferred",
        "around": "entries were read around the end of the buffer",
        "waited": "a row waited",
    }

    def __init__(self, config: AcceleratorConfig = DECODERS) -> None:
        self.config = config
        super().__init__(
            {
                "run_begins": 1, "first": range(config.weight_buffer), "ends": 1, "tile_ends": 1, "taken": 1,
                **{f"word_{lane}": range(CODE_RING) for lane in range(config.decoders)}, "head": CODE_HEAD.size,
            }
        )  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        config = self.config
        m = Module()
        self.begin(m)
        m.submodules.device = device = OpenDecoder(config)
        works = Signal()
        transfers = device.rows.valid & self.taken
        m.d.comb += [
            device.begins.eq(self.run_begins),
            device.base.eq(self.first),
            device.works.eq(works),
            device.ends_tile.eq(self.tile_ends),
            device.rows.ready.eq(self.taken),
            device.lanes[0].head.as_value().eq(self.head),
            *(lane.word.eq(getattr(self, f"word_{number}")) for number, lane in enumerate(device.lanes)),
        ]
        # As the weight feeder has it: an EXECUTE begins when none is under way or its last row leaves.
        with m.If(self.run_begins):
            m.d.sync += works.eq(1)
        with m.Elif(transfers & self.ends):
            m.d.sync += works.eq(0)
        self.assume(~self.run_begins | ~works | (transfers & self.ends))
        self.assume(self.first < config.weight_buffer)

        latency = WeightDecoder.latency_for(config)
        until = Signal(range(latency))
        with m.If(self.run_begins):
            m.d.sync += until.eq(latency - 1)
        with m.Elif(transfers):
            m.d.sync += until.eq(config.decoder_columns - 1)
        with m.Elif(until != 0):
            m.d.sync += until.eq(until - 1)
        decodes = works & (until < config.decoder_columns)
        expected = Signal(range(config.weight_buffer))
        with m.If(device.read_enable):
            m.d.sync += expected.eq(Mux(expected == config.weight_buffer - 1, 0, expected + 1))
        with m.If(self.run_begins):
            m.d.sync += expected.eq(self.first)
        follows, second, around = Signal(), Signal(), Signal()
        with m.If(self.run_begins):
            m.d.sync += follows.eq(works)
        with m.If(transfers & follows):
            m.d.sync += second.eq(1)
        with m.If(device.read_enable & (device.read_address == config.weight_buffer - 1)):
            m.d.sync += around.eq(1)

        self.rule(m, "rate", ~works | (device.rows.valid == (until == 0)))
        self.rule(m, "moves", device.moves == (decodes & ((until != 0) | self.taken)))
        self.rule(m, "base", ~device.read_enable | (device.read_address == expected))
        self.rule(m, "buffer", ~device.read_enable | (device.read_address < config.weight_buffer))
        self.rule(m, "idle", works | ~(device.read_enable | device.rows.valid | device.moves))
        self.witness(m, "second", second)
        self.witness(m, "around", around & device.read_enable & (device.read_address == 0))
        self.witness(m, "waited", device.rows.valid & ~self.taken)
        self.conclude(m)
        return m
