"""The writing half of the AXI4 master: whole bursts out of the output buffer."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from wingrid.hw.bus import axi
from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.isa import PC_BITS, PIXEL_PITCH_BITS
from wingrid.hw.queue import Queue


def write_request(config: AcceleratorConfig) -> data.StructLayout:
    """A burst of 1 to 256 beats within one 4 KiB page, on behalf of instruction ``pc``; or, if ``apart``, that is
    with a ``beat_pitch`` above 1, as many bursts of one beat each, so many beats apart."""
    return data.StructLayout(
        {"address": config.address_bits, "beats": 9, "beat_pitch": PIXEL_PITCH_BITS, "apart": 1, "pc": PC_BITS}
    )


class WriteMaster(wiring.Component):
    """Writes bursts whose beats already lie in the output buffer, in order.

    Because a burst is requested complete, WVALID stays high from its first beat to its last. A burst starts in the
    cycle after the last beat of the one before was taken or later; one of beats that lie apart in that very cycle, so
    that one goes per cycle. At most ``config.writes_in_flight`` bursts await their response.

    Members
    -------
    bus : Out, ``axi.write_channels(config)``
    request : In, stream of ``write_request(config)``
    beat : In, 8 * bus_bytes
        The oldest beat of the output buffer, from the cycle after ``read_next`` on.
    read_next : Out, 1
        There is a next beat of the burst, or of one that may start, and the place of the one before is free. So this
        hangs on few registers, not on whether a burst does start.
    released : Out, 1
        The last beat of a burst is taken.
    released_beats : Out, 9
        Length of that burst.
    halt : In, 1
        No further burst starts.
    idle : Out, 1
        No burst is requested or under way.
    quiet : Out, 1
        No burst is under way.
    error : Out, 1
        A response other than OKAY has come in this cycle.
    error_pc : Out, PC_BITS
        Instruction of the burst that the response is for.
    """

    start_latency = 1
    """Cycles from the start of a burst to its handshake on AW and its first one on W, when memory is ready."""

    @staticmethod
    def requests(config: AcceleratorConfig) -> int:
        """Bursts that can be requested ahead of the one that is written."""
        return max(2, config.writes_in_flight)

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        super().__init__(
            {
                "bus": Out(axi.write_channels(config)),
                "request": In(stream.Signature(write_request(config))),
                "beat": In(8 * config.bus_bytes),
                "read_next": Out(1),
                "released": Out(1),
                "released_beats": Out(9),
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
        # Whether a request is for one burst is worked out as it enters.
        waiting = data.StructLayout({"request": write_request(config), "alone": 1})
        m.submodules.requests = requests = Queue(waiting, self.requests(config))
        m.submodules.awaiting = awaiting = Queue(PC_BITS, max(2, config.writes_in_flight))
        asked = self.request.payload
        m.d.comb += [
            requests.input.valid.eq(self.request.valid),
            self.request.ready.eq(requests.input.ready),
            requests.input.payload.request.eq(asked),
            requests.input.payload.alone.eq(~asked.apart | (asked.beats == 1)),
        ]

        head, alone = requests.output.payload.request, requests.output.payload.alone
        remaining = Signal(9)
        start = Signal()
        taken = Signal()
        # ``beat`` is one that is not taken.
        loaded = Signal()
        m.d.sync += loaded.eq(self.read_next | (loaded & ~taken))
        # Of beats ``apart``: whether the first one's burst has started, how many are to start, and whether that is one.
        amid = Signal()
        to_start = Signal(9)
        ends = Signal()
        # Of the next burst: whether it is the last one of its request, where it begins, and how long it is.
        final = Signal()
        address = Signal.like(bus.awaddr)
        beats = Signal(9)
        m.d.comb += [
            bus.wdata.eq(self.beat),
            bus.wstrb.eq(~0),
            taken.eq(bus.wvalid & bus.wready),
            self.released.eq(taken & bus.wlast),
            self.read_next.eq((taken & ~bus.wlast) | ((taken | ~loaded) & requests.output.valid)),
            final.eq(Mux(amid, ends, alone)),
            address.eq(Mux(amid, bus.awaddr + head.beat_pitch * config.bus_bytes, head.address)),
            beats.eq(Mux(head.apart, 1, head.beats)),
            start.eq(
                requests.output.valid
                & (~bus.wvalid | (head.apart & self.released))
                & (~bus.awvalid | bus.awready)
                & ~awaiting.holds[config.writes_in_flight]
                & ~self.halt
            ),
            requests.output.ready.eq(start & final),
            awaiting.input.valid.eq(start),
            awaiting.input.payload.eq(head.pc),
            bus.awsize.eq((config.bus_bytes - 1).bit_length()),
            bus.awburst.eq(axi.BURST_INCREMENTING),
            bus.awcache.eq(axi.CACHE_NORMAL_BUFFERABLE),
            bus.bready.eq(1),
        ]
        with m.If(start):
            m.d.sync += [
                bus.awvalid.eq(1),
                bus.awaddr.eq(address),
                bus.awlen.eq(beats - 1),
                bus.wvalid.eq(1),
                bus.wlast.eq(beats == 1),
                remaining.eq(beats),
                self.released_beats.eq(beats),
                amid.eq(~final),
                to_start.eq(Mux(amid, to_start, head.beats) - 1),
                ends.eq(Mux(amid, to_start, head.beats) == 2),
            ]
        with m.Else():
            with m.If(bus.awready):
                m.d.sync += bus.awvalid.eq(0)
            with m.If(taken):
                m.d.sync += [bus.wvalid.eq(~bus.wlast), bus.wlast.eq(remaining == 2), remaining.eq(remaining - 1)]

        m.d.comb += [
            awaiting.output.ready.eq(bus.bvalid),
            self.error.eq(bus.bvalid & (bus.bresp != axi.RESPONSE_OKAY)),
            self.error_pc.eq(awaiting.output.payload),
            self.quiet.eq(awaiting.holds[0] & ~bus.awvalid & ~bus.wvalid),
            self.idle.eq(self.quiet & requests.holds[0]),
        ]
        return m
