"""Instruction fetch, decoding and dispatch to the engines' queues."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from wingrid.hw.bus.read_master import read_beat, read_request
from wingrid.hw.bus.relocation import Relocation
from wingrid.hw.config import INSTRUCTION_BYTES, OFFSET_BITS, AcceleratorConfig
from wingrid.hw.control.decoder import Decoder
from wingrid.hw.isa import INSTRUCTIONS, PC_BITS, WORD_BITS, Execute, Fault, Instruction, Load, Store
from wingrid.hw.layouts import layout_of
from wingrid.hw.queue import Queue


def dispatched(kind: type[Instruction]) -> data.StructLayout:
    """What an engine's queue holds: an instruction and its index in the program."""
    return data.StructLayout({"instruction": layout_of(kind), "pc": PC_BITS})


class FetchEngine(wiring.Component):
    """Reads a program and hands it out in order.

    Each instruction is one burst, requested up to ``config.fetch_ahead`` instructions before it is dispatched. The
    oldest one that has come stands at the head, where it is decoded. Its verdict rests in registers, so that whether it
    goes depends on them and on its engine's queue alone. An instruction whose engine's queue is full holds up those
    behind it, and so does a LOAD with a fence until the STOREs before it are done.

    Members
    -------
    start : In, 1
        Pulse that begins a program.
    base : In, address_bits
        Byte address that ``program`` counts from, a multiple of 4096; steady from the cycle after ``start`` on.
    program : In, OFFSET_BITS
        Byte offset of the first instruction, a multiple of its size; read in the cycle of ``start``.
    length : In, PC_BITS
        Number of instructions; read in the cycle of ``start``.
    request : Out, stream of ``read_request(config)``
    beat : In, ``read_beat(config)``
    load : Out, stream of ``dispatched(Load)``
    execute : Out, stream of ``dispatched(Execute)``
    store : Out, stream of ``dispatched(Store)``
    stored : In, 1
        No STORE is queued or under way, and memory has acknowledged the results of those that were.
    halt : In, 1
        Nothing is requested or dispatched.
    finished : Out, 1
        All instructions are dispatched.
    dispatched : Out, 1
        An instruction is dispatched in this cycle.
    fault : Out, Fault
        What is wrong with the instruction at the head, for as long as it stands there; nothing follows it.
    pc : Out, PC_BITS
        Index of the instruction at the head.
    """

    decode_latency = Decoder.latency + 1
    """Cycles from an instruction's arrival at the head, which is one after the last one's dispatch, to its own."""
    request_cycles = 1 + Relocation.latency
    """Cycles from the start, or from a request, to the next request."""
    fence_latency = 1
    """Cycles from the first one in which the STOREs are done to the earliest dispatch of a LOAD that waits for them."""
    refill_latency = 3
    """Cycles from a dispatch to the request that it makes room for."""

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        super().__init__(
            {
                "start": In(1),
                "base": In(config.address_bits),
                "program": In(OFFSET_BITS),
                "length": In(PC_BITS),
                "request": Out(stream.Signature(read_request(config))),
                "beat": In(read_beat(config)),
                "load": Out(stream.Signature(dispatched(Load))),
                "execute": Out(stream.Signature(dispatched(Execute))),
                "store": Out(stream.Signature(dispatched(Store))),
                "stored": In(1),
                "halt": In(1),
                "finished": Out(1, init=1),
                "dispatched": Out(1),
                "fault": Out(Fault),
                "pc": Out(PC_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        config = self._config
        m = Module()
        m.submodules.decoder = decoder = Decoder(config)
        m.submodules.fetched = fetched = Queue(data.StructLayout({"word": WORD_BITS, "error": 1}), config.fetch_ahead)

        m.submodules.relocation = relocation = Relocation(config)
        offset = Signal(OFFSET_BITS)
        to_request = Signal(PC_BITS)
        to_dispatch = Signal(PC_BITS)
        ahead = Signal(range(config.fetch_ahead + 1))
        requested = self.request.valid & self.request.ready
        asking = Signal()
        dispatch = Signal()
        gone = Signal()
        m.d.comb += [
            self.request.valid.eq(asking & ~self.halt),
            relocation.base.eq(self.base),
            relocation.offset.eq(offset),
            self.request.payload.address.eq(relocation.address),
            self.request.payload.beats_less_one.eq(INSTRUCTION_BYTES // config.bus_bytes - 1),
            self.request.payload.final.eq(1),
            self.dispatched.eq(dispatch),
        ]
        m.d.sync += [
            gone.eq(dispatch),
            ahead.eq(ahead + requested - gone),
            asking.eq(Mux(asking, ~requested, (to_request != 0) & (ahead != config.fetch_ahead))),
        ]
        with m.If(self.start):
            m.d.sync += [
                offset.eq(self.program),
                to_request.eq(self.length),
                to_dispatch.eq(self.length),
                self.finished.eq(self.length == 0),
                self.pc.eq(0),
            ]
        with m.Else():
            with m.If(requested):
                m.d.sync += [offset.eq(offset + INSTRUCTION_BYTES), to_request.eq(to_request - 1)]
            with m.If(dispatch):
                m.d.sync += [
                    to_dispatch.eq(to_dispatch - 1),
                    self.finished.eq(to_dispatch == 1),
                    self.pc.eq(self.pc + 1),
                ]

        assembled = Signal(8 * INSTRUCTION_BYTES)
        complete = Signal(8 * INSTRUCTION_BYTES)
        erroneous = Signal()
        m.d.comb += [
            complete.eq(Cat(assembled, self.beat.data)[8 * config.bus_bytes :]),
            fetched.input.valid.eq(self.beat.valid & self.beat.last),
            fetched.input.payload.word.eq(complete),
            fetched.input.payload.error.eq(erroneous | self.beat.error),
        ]
        with m.If(self.beat.valid):
            m.d.sync += [assembled.eq(complete), erroneous.eq(~self.beat.last & (erroneous | self.beat.error))]

        # The head stands still from its arrival to its dispatch.
        head = fetched.output.payload
        age = Signal(decoder.latency)
        decoded = Signal()
        with m.If(dispatch):
            m.d.sync += age.eq(0)
        with m.Else():
            m.d.sync += age.eq(Cat(fetched.output.valid, age))
        fault = Signal(Fault)
        m.d.sync += fault.eq(Mux(decoded, decoder.fault, Fault.NONE))
        m.d.comb += [
            decoder.word.eq(head.word),
            decoder.error.eq(head.error),
            decoded.eq(age[-1] & ~dispatch),
            self.fault.eq(Mux(self.halt, Fault.NONE, fault)),
            fetched.output.ready.eq(dispatch),
        ]
        # A STORE shows in `stored` well before an instruction behind it is decoded, and the word stands there as long.
        fenced = data.View(layout_of(Load), head.word[: layout_of(Load).size]).fence[0] & ~self.stored
        ports = {Load: self.load, Execute: self.execute, Store: self.store}
        for place, kind in enumerate(INSTRUCTIONS):
            # What may go: all in one bit each, as behind it come its engine's room and all pointers of the queue.
            due = Signal(name=f"{kind.__name__.lower()}_due")
            m.d.sync += due.eq(decoded & decoder.kind[place] & ~(fenced if kind is Load else 0))
            m.d.comb += [
                ports[kind].valid.eq(due & ~self.halt),
                ports[kind].payload.instruction.eq(head.word[: layout_of(kind).size]),
                ports[kind].payload.pc.eq(self.pc),
            ]
        m.d.comb += dispatch.eq(Cat(port.valid & port.ready for port in ports.values()).any())
        return m
