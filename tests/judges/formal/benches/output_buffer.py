"""What is proved about the output buffer."""

from __future__ import annotations

from typing import ClassVar

from amaranth.hdl import Module, Mux, Signal
from request_rules import RUNS, legal_runs
from rules import Bench
from small_configurations import NARROW_BUS, page_bits

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.registers import BASE_ALIGNMENT_BITS
from wingrid.hw.store.output_buffer import SEGMENT, OutputBuffer


class OutputBufferBench(Bench):
    """The output buffer, with any segments that the store engine may give it: half of the ring at most."""

    rules: ClassVar = {
        **RUNS,
        "room": "never more beats are reserved than the buffer holds",
    }
    witnesses: ClassVar = {"second request": "two requests of one segment were made"}

    def __init__(self, config: AcceleratorConfig = NARROW_BUS) -> None:
        self.config = config
        super().__init__(
            {
                "segment_valid": 1, "segment": SEGMENT.size, "result_valid": 1, "request_ready": 1,
                "read_next": 1, "released": 1, "released_beats": 9,
                "page": page_bits(config),
            }
        )  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        config = self.config
        m = Module()
        self.begin(m)
        m.submodules.device = device = OutputBuffer(config)
        segment, request = device.segment, device.request
        fields = segment.payload
        m.d.comb += [
            device.base.eq(self.page << BASE_ALIGNMENT_BITS),
            segment.valid.eq(self.segment_valid),
            fields.as_value().eq(self.segment),
            device.results.valid.eq(self.result_valid),
            request.ready.eq(self.request_ready),
            device.read_next.eq(self.read_next),
            device.released.eq(self.released),
            device.released_beats.eq(self.released_beats),
        ]
        alignment = (config.bus_bytes - 1).bit_length()
        lines = sum(Mux(fields.lines[bit], fields.columns << bit, 0) for bit in range(len(fields.lines)))
        self.assume(
            ~segment.valid
            | (
                (fields.address[:alignment] == 0)
                & (fields.row_pitch[:alignment] == 0)
                & (fields.columns != 0)
                & (fields.beats <= config.output_buffer // 2)
                & (fields.tiles != 0)
                & (fields.beats == lines)
                & (fields.lines <= 4)
                & (fields.pixel_pitch != 0)
                & ((fields.pixel_pitch == 1) | ((fields.lines == 1) & (fields.columns <= config.burst_beats)))
            )
        )
        reserved, recent = Signal(16), Signal()
        accepted = segment.valid & segment.ready
        # The first result of a segment comes two cycles after it or later; here, nor does any other just then.
        m.d.sync += recent.eq(accepted)
        self.assume(~self.result_valid | (~device.placed & ~recent))
        m.d.sync += reserved.eq(reserved + Mux(accepted, fields.beats, 0) - Mux(self.released, self.released_beats, 0))
        self.assume(~self.released | (self.released_beats <= reserved))
        descriptor = device.bursts.descriptor
        self.rule(m, "runs", legal_runs(config, descriptor.valid, descriptor.payload))
        self.rule(m, "room", reserved <= config.output_buffer)
        asked, segments = Signal(2), Signal(2)
        with m.If(request.valid & request.ready & (asked != 3)):
            m.d.sync += asked.eq(asked + 1)
        with m.If(accepted & (segments != 3)):
            m.d.sync += segments.eq(segments + 1)
        self.witness(m, "second request", (asked == 2) & (segments == 1))
        self.conclude(m)
        return m
