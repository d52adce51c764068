"""The reading half of the AXI4 master: instruction fetch and load engine share it burst by burst."""

from __future__ import annotations

import enum

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from wingrid.hw.bus import axi
from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.queue import Queue


class Reader(enum.IntEnum):
    """Who asked for a burst."""

    FETCH = 0
    LOAD = 1


def read_request(config: AcceleratorConfig) -> data.StructLayout:
    """A burst within one 4 KiB page. ``final`` comes back with the burst's last beat."""
    return data.StructLayout({"address": config.address_bits, "beats_less_one": 8, "final": 1})


def read_beat(config: AcceleratorConfig) -> data.StructLayout:
    """A beat on its way to its reader: ``last`` of its burst, and ``final`` if that burst was; ``error`` response.

    ``final`` is low without ``valid``, the others mean nothing then.
    """
    return data.StructLayout({"valid": 1, "data": 8 * config.bus_bytes, "last": 1, "final": 1, "error": 1})


class ReadMaster(wiring.Component):
    """Issues bursts and returns their beats in order.

    Fetch goes before load when both ask. At most ``config.reads_in_flight`` bursts are under way. There
    is no back-pressure on beats (RREADY is constantly high): a reader only asks for what it can take.

    Members
    -------
    bus : Out, ``axi.read_channels(config)``
        A request is on AR ``request_latency`` cycles after it was taken.
    fetch : In, stream of ``read_request(config)``
    load : In, stream of ``read_request(config)``
        Ready only while ``fetch`` offers nothing.
    fetch_beat : Out, ``read_beat(config)``
        A beat for the fetch engine, ``beat_latency`` cycles after its handshake on R.
    load_beat : Out, ``read_beat(config)``
        A beat for the load engine, with the same latency.
    halt : In, 1
        No further burst is taken.
    idle : Out, 1
        No burst is under way.
    """

    request_latency = 1
    """Cycles from taking a request to its handshake on AR, when ARREADY is high."""
    beat_latency = 1
    """Cycles from a handshake on R to the beat at its reader."""

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        super().__init__(
            {
                "bus": Out(axi.read_channels(config)),
                "fetch": In(stream.Signature(read_request(config))),
                "load": In(stream.Signature(read_request(config))),
                "fetch_beat": Out(read_beat(config)),
                "load_beat": Out(read_beat(config)),
                "halt": In(1),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        config, bus = self._config, self.bus
        m = Module()
        # One entry more than bursts in flight where a queue of one would be asked for.
        m.submodules.owners = owners = Queue(
            data.StructLayout({"reader": Reader, "final": 1}), max(2, config.reads_in_flight)
        )
        room = Signal()
        take = Signal()
        request = Signal(read_request(config))
        m.d.comb += [
            room.eq(~owners.holds[config.reads_in_flight] & (~bus.arvalid | bus.arready) & ~self.halt),
            self.fetch.ready.eq(room),
            self.load.ready.eq(room & ~self.fetch.valid),
            take.eq(room & (self.fetch.valid | self.load.valid)),
        ]
        with m.If(self.fetch.valid):
            m.d.comb += [request.eq(self.fetch.payload), owners.input.payload.reader.eq(Reader.FETCH)]
        with m.Else():
            m.d.comb += [request.eq(self.load.payload), owners.input.payload.reader.eq(Reader.LOAD)]
        m.d.comb += [owners.input.valid.eq(take), owners.input.payload.final.eq(request.final)]

        m.d.comb += [
            bus.arsize.eq((config.bus_bytes - 1).bit_length()),
            bus.arburst.eq(axi.BURST_INCREMENTING),
            bus.arcache.eq(axi.CACHE_NORMAL_BUFFERABLE),
            bus.rready.eq(1),
        ]
        with m.If(take):
            m.d.sync += [bus.arvalid.eq(1), bus.araddr.eq(request.address), bus.arlen.eq(request.beats_less_one)]
        with m.Elif(bus.arready):
            m.d.sync += bus.arvalid.eq(0)

        owner = owners.output.payload
        m.d.comb += owners.output.ready.eq(bus.rvalid & bus.rlast)
        # A valid and a final bit for each reader, so that no choice follows the register.
        beat = Signal(read_beat(config))
        came = Signal(len(Reader))
        final = Signal(len(Reader))
        m.d.sync += [
            came.eq(Mux(bus.rvalid, 1 << owner.reader, 0)),
            final.eq(Mux(bus.rvalid & bus.rlast & owner.final, 1 << owner.reader, 0)),
        ]
        with m.If(bus.rvalid):
            m.d.sync += [
                beat.data.eq(bus.rdata),
                beat.last.eq(bus.rlast),
                beat.error.eq(bus.rresp != axi.RESPONSE_OKAY),
            ]
        for port, name in ((self.fetch_beat, Reader.FETCH), (self.load_beat, Reader.LOAD)):
            m.d.comb += [port.eq(beat), port.valid.eq(came[name.value]), port.final.eq(final[name.value])]
        m.d.comb += self.idle.eq(owners.holds[0] & ~came.any())
        return m
