"""Instruction fetch, decoding and dispatch to the engines' queues."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from wingrid.hw.bus.read_master import READ_REQUEST, read_beat
from wingrid.hw.config import ADDRESS_BITS, INSTRUCTION_BYTES, AcceleratorConfig
from wingrid.hw.control.decoder import Decoder
from wingrid.hw.isa import OPCODE_BITS, PC_BITS, WORD_BITS, Execute, Fault, Instruction, Load, Store
from wingrid.hw.queue import Queue


def dispatched(kind: type[Instruction]) -> data.StructLayout:
    """What an engine's queue holds: an instruction and its index in the program."""
    return data.StructLayout({"instruction": kind.layout(), "pc": PC_BITS})


class FetchEngine(wiring.Component):
    """Reads a program and hands it out in order.

    Each instruction is one burst, requested up to ``config.fetch_ahead`` instructions before it is dispatched. At most
    one is dispatched per cycle; an instruction whose engine's queue is full holds up those behind it.

    Members
    -------
    start : In, 1
        Pulse that begins a program.
    program : In, ADDRESS_BITS
        Byte address of the first instruction, a multiple of its size; read in the cycle of ``start``.
    length : In, PC_BITS
        Number of instructions; read in the cycle of ``start``.
    request : Out, stream of ``READ_REQUEST``
    beat : In, ``read_beat(config)``
    load : Out, stream of ``dispatched(Load)``
    execute : Out, stream of ``dispatched(Execute)``
    store : Out, stream of ``dispatched(Store)``
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

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        super().__init__(
            {
                "start": In(1),
                "program": In(ADDRESS_BITS),
                "length": In(PC_BITS),
                "request": Out(stream.Signature(READ_REQUEST)),
                "beat": In(read_beat(config)),
                "load": Out(stream.Signature(dispatched(Load))),
                "execute": Out(stream.Signature(dispatched(Execute))),
                "store": Out(stream.Signature(dispatched(Store))),
                "halt": In(1),
                "finished": Out(1),
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

        address = Signal(ADDRESS_BITS)
        to_request = Signal(PC_BITS)
        to_dispatch = Signal(PC_BITS)
        ahead = Signal(range(config.fetch_ahead + 1))
        requested = self.request.valid & self.request.ready
        dispatch = fetched.output.valid & fetched.output.ready
        m.d.comb += [
            self.request.valid.eq((to_request != 0) & (ahead != config.fetch_ahead) & ~self.halt),
            self.request.payload.address.eq(address),
            self.request.payload.beats_less_one.eq(INSTRUCTION_BYTES // config.bus_bytes - 1),
            self.request.payload.final.eq(1),
            self.finished.eq(to_dispatch == 0),
            self.dispatched.eq(dispatch),
        ]
        m.d.sync += ahead.eq(ahead + requested - dispatch)
        with m.If(self.start):
            m.d.sync += [
                address.eq(self.program),
                to_request.eq(self.length),
                to_dispatch.eq(self.length),
                self.pc.eq(0),
            ]
        with m.Else():
            with m.If(requested):
                m.d.sync += [address.eq(address + INSTRUCTION_BYTES), to_request.eq(to_request - 1)]
            with m.If(dispatch):
                m.d.sync += [to_dispatch.eq(to_dispatch - 1), self.pc.eq(self.pc + 1)]

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

        head = fetched.output.payload
        m.d.comb += decoder.word.eq(head.word)
        with m.If(fetched.output.valid & ~self.halt):
            with m.If(head.error):
                m.d.comb += self.fault.eq(Fault.READ_ERROR)
            with m.Elif(decoder.fault != Fault.NONE):
                m.d.comb += self.fault.eq(decoder.fault)
            with m.Else(), m.Switch(head.word[:OPCODE_BITS]):
                for kind, port in ((Load, self.load), (Execute, self.execute), (Store, self.store)):
                    with m.Case(kind.opcode.value):
                        m.d.comb += [port.valid.eq(1), fetched.output.ready.eq(port.ready)]
        for kind, port in ((Load, self.load), (Execute, self.execute), (Store, self.store)):
            m.d.comb += [
                port.payload.instruction.eq(head.word[: kind.layout().size]),
                port.payload.pc.eq(self.pc),
            ]
        return m
