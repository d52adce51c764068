"""The writing half of the AXI4 master: whole bursts out of the output buffer."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out

from hw import axi
from hw.config import ADDRESS_BITS, AcceleratorConfig
from hw.isa import PC_BITS
from hw.queue import Queue

WRITE_REQUEST = data.StructLayout({"address": ADDRESS_BITS, "beats": 9, "pc": PC_BITS})
"""A burst of 1 to 256 beats within one 4 KiB page, on behalf of instruction ``pc``."""


class WriteMaster(wiring.Component):
    """Writes each requested burst once all of its beats lie in the output buffer.

    Beats enter through ``beat_valid`` and ``beat`` without back-pressure: the store engine reserves
    ``free`` entries of the buffer before it announces a burst. Because a burst starts complete, WVALID
    stays high from its first beat to its last. At most ``config.writes_in_flight`` bursts await their
    response. ``free`` grows by a whole burst when its last beat was taken. With ``halt`` no further
    burst starts; ``idle`` says that none is requested or under way, ``quiet`` that none is under way.
    ``error`` pulses with ``error_pc`` on a response other than OKAY.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        super().__init__(
            {
                "bus": Out(axi.write_channels(config)),
                "request": In(stream.Signature(WRITE_REQUEST)),
                "beat_valid": In(1),
                "beat": In(8 * config.bus_bytes),
                "free": Out(range(config.output_buffer + 1)),
                "halt": In(1),
                "idle": Out(1),
                "quiet": Out(1),
                "error": Out(1),
                "error_pc": Out(PC_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        config, bus = self._config, self.bus
        m = Module()
        m.submodules.requests = requests = Queue(WRITE_REQUEST, max(2, config.writes_in_flight))
        m.submodules.awaiting = awaiting = Queue(PC_BITS, max(2, config.writes_in_flight))
        m.submodules.buffer = buffer = SyncFIFOBuffered(width=8 * config.bus_bytes, depth=config.output_buffer)
        m.d.comb += [
            requests.input.valid.eq(self.request.valid),
            requests.input.payload.eq(self.request.payload),
            self.request.ready.eq(requests.input.ready),
            buffer.w_en.eq(self.beat_valid),
            buffer.w_data.eq(self.beat),
        ]

        head = requests.output.payload
        remaining = Signal(9)
        length = Signal(9)
        last_beat = Signal()
        start = Signal()
        m.d.comb += [
            bus.wvalid.eq(remaining != 0),
            bus.wdata.eq(buffer.r_data),
            bus.wstrb.eq(~0),
            bus.wlast.eq(remaining == 1),
            buffer.r_en.eq(bus.wvalid & bus.wready),
            last_beat.eq(bus.wvalid & bus.wready & bus.wlast),
            start.eq(
                requests.output.valid
                & (remaining == 0)
                & (~bus.awvalid | bus.awready)
                & (buffer.level >= head.beats)
                & buffer.r_rdy
                & (awaiting.level != config.writes_in_flight)
                & ~self.halt
            ),
            requests.output.ready.eq(start),
            awaiting.input.valid.eq(start),
            awaiting.input.payload.eq(head.pc),
        ]
        m.d.comb += [
            bus.awsize.eq((config.bus_bytes - 1).bit_length()),
            bus.awburst.eq(axi.BURST_INCREMENTING),
            bus.awcache.eq(axi.CACHE_NORMAL_BUFFERABLE),
            bus.bready.eq(1),
        ]
        with m.If(start):
            m.d.sync += [
                bus.awvalid.eq(1),
                bus.awaddr.eq(head.address),
                bus.awlen.eq(head.beats - 1),
                remaining.eq(head.beats),
                length.eq(head.beats),
            ]
        with m.Else():
            with m.If(bus.awready):
                m.d.sync += bus.awvalid.eq(0)
            with m.If(bus.wvalid & bus.wready):
                m.d.sync += remaining.eq(remaining - 1)

        reserved = Signal(range(config.output_buffer + 1))
        announced = Mux(self.request.valid & self.request.ready, self.request.payload.beats, 0)
        released = Mux(last_beat, length, 0)
        m.d.comb += self.free.eq(config.output_buffer - reserved)
        m.d.sync += reserved.eq(reserved + announced - released)

        m.d.comb += [
            awaiting.output.ready.eq(bus.bvalid),
            self.error.eq(bus.bvalid & (bus.bresp != axi.RESPONSE_OKAY)),
            self.error_pc.eq(awaiting.output.payload),
            self.quiet.eq((awaiting.level == 0) & ~bus.awvalid & (remaining == 0)),
            self.idle.eq(self.quiet & (requests.level == 0)),
        ]
        return m
