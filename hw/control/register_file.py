"""The registers behind AXI4-Lite (AMBA AXI, IHI 0022E, chapter B1), and the interrupt."""

from __future__ import annotations

from functools import reduce
from operator import or_

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from wingrid.hw.bus import axi
from wingrid.hw.config import OFFSET_BITS, AcceleratorConfig
from wingrid.hw.control.counters import COUNTER_BITS
from wingrid.hw.isa import PC_BITS, Fault
from wingrid.hw.registers import (
    BASE_ALIGNMENT_BITS,
    COUNTER_BASE,
    PROGRAM_ALIGNMENT_BITS,
    PROGRAM_LENGTH_BITS,
    REGISTER_ADDRESS_BITS,
    Control,
    Counter,
    Register,
    Status,
    counter_address,
    readings,
)

assert PC_BITS == PROGRAM_LENGTH_BITS


class RegisterFile(wiring.Component):
    """One transfer at a time on each of the read and write sides, none of whose outputs depends on an input.

    Address and data of a write are taken in any order; it acts in the cycle after both are there, and is answered in
    the one after that. Byte strobes count: a byte that is not strobed keeps its value, and does not act.

    SLVERR, and no effect: an address that is no multiple of 4 or names no register; a write to what can only be read;
    a PROGRAM_LENGTH or a BASE_HIGH that does not fit its bits. All else is answered OKAY. The low bits of PROGRAM and
    BASE are always zero.

    A read of a counter's low word keeps the high word for the next read of any high word.

    Members
    -------
    bus : Out, ``axi.register_slave()``
    start : Out, 1
        Pulse as START acts; ignored while running, faulty or resetting, and in the cycle after that.
    reset : Out, 1
        Pulse as RESET acts.
    base : Out, address_bits
    program : Out, OFFSET_BITS
    length : Out, PC_BITS
    running : In, 1
        Its end with ``done`` or ``fault`` makes the interrupt pending, but not while ``resetting``.
    done : In, 1
    resetting : In, 1
    fault : In, Fault
    fault_pc : In, PC_BITS
    counters : In, len(Counter) x COUNTER_BITS
    interrupt : Out, 1
        Level: pending and enabled.
    """

    read_latency = 3
    """Cycles from the handshake on AR to the first one with RVALID."""

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        super().__init__(
            {
                "bus": Out(axi.register_slave()),
                "start": Out(1),
                "reset": Out(1),
                "base": Out(self._config.address_bits),
                "program": Out(OFFSET_BITS),
                "length": Out(PC_BITS),
                "running": In(1),
                "done": In(1),
                "resetting": In(1),
                "fault": In(Fault),
                "fault_pc": In(PC_BITS),
                "counters": In(data.ArrayLayout(COUNTER_BITS, len(Counter))),
                "interrupt": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        pending = Signal()
        enabled = Signal()
        m.d.comb += self.interrupt.eq(pending & enabled)
        self._write(m, pending, enabled)
        self._read(m, pending, enabled)
        return m

    def _write(self, m: Module, pending: Signal, enabled: Signal) -> None:
        bus = self.bus
        address = Signal(REGISTER_ADDRESS_BITS)
        address_held = Signal()
        content = Signal(32)
        strobes = Signal(4)
        content_held = Signal()
        acts = Signal()
        refused = Signal()
        m.d.comb += [
            bus.awready.eq(~address_held),
            bus.wready.eq(~content_held),
            acts.eq(address_held & content_held & ~bus.bvalid),
        ]
        with m.If(bus.awvalid & bus.awready):
            m.d.sync += [address_held.eq(1), address.eq(bus.awaddr)]
        with m.If(bus.wvalid & bus.wready):
            m.d.sync += [content_held.eq(1), content.eq(bus.wdata), strobes.eq(bus.wstrb)]
        with m.If(acts):
            m.d.sync += [
                address_held.eq(0),
                content_held.eq(0),
                bus.bvalid.eq(1),
                bus.bresp.eq(Mux(refused, axi.RESPONSE_SLVERR, axi.RESPONSE_OKAY)),
            ]
        with m.Elif(bus.bready):
            m.d.sync += bus.bvalid.eq(0)

        was_running = Signal()
        m.d.sync += was_running.eq(self.running)
        # Bits that are one and strobed.
        written = Signal(32)
        m.d.comb += written.eq(content & Cat(strobe.replicate(8) for strobe in strobes))
        base, base_high = self._base_words
        # A cycle late, as half of the machine hears what hangs on it; two writes never act one cycle after another.
        ready = Signal()
        m.d.sync += ready.eq(~self.running & (self.fault == Fault.NONE) & ~self.resetting)
        with m.Switch(address):
            with m.Case(Register.CONTROL):
                m.d.comb += [
                    self.start.eq(acts & (written & Control.START).any() & ready),
                    self.reset.eq(acts & (written & Control.RESET).any()),
                ]
            with m.Case(Register.INTERRUPT_ENABLE), m.If(acts & strobes[0]):
                m.d.sync += enabled.eq(written[0])
            with m.Case(Register.INTERRUPT_PENDING), m.If(acts & written[0]):
                m.d.sync += pending.eq(0)
            with m.Case(Register.PROGRAM), m.If(acts):
                m.d.sync += self.program.eq(_aligned(_merged(self.program, content, strobes), PROGRAM_ALIGNMENT_BITS))
            with m.Case(Register.PROGRAM_LENGTH):
                m.d.comb += refused.eq(written[PC_BITS:].any())
                with m.If(acts & ~refused):
                    m.d.sync += self.length.eq(_merged(self.length, content, strobes))
            with m.Case(Register.BASE), m.If(acts):
                m.d.sync += base.eq(_aligned(_merged(base, content, strobes), BASE_ALIGNMENT_BITS))
            with m.Case(Register.BASE_HIGH):
                m.d.comb += refused.eq(written[len(base_high) :].any())
                with m.If(acts & ~refused):
                    m.d.sync += base_high.eq(_merged(base_high, content, strobes))
            with m.Default():
                m.d.comb += refused.eq(1)
        with m.If(was_running & ~self.running & (self.done | (self.fault != Fault.NONE)) & ~self.resetting):
            m.d.sync += pending.eq(1)

    def _read(self, m: Module, pending: Signal, enabled: Signal) -> None:
        bus = self.bus
        # An address rests before it chooses, and what it chose before it is told, since most of it comes from far away.
        asked = Signal()
        address = Signal(REGISTER_ADDRESS_BITS)
        found = Signal()
        known = Signal()
        word = Signal(32)
        high = Signal(COUNTER_BITS - 32)
        tells_high = Signal()
        # Of each group of counters, the one at the place that is asked for; and whether it is this group's that is.
        few = 8
        groups = [list(Counter)[start : start + few] for start in range(0, len(Counter), few)]
        near = [Signal(COUNTER_BITS, name=f"counter_{number}") for number in range(len(groups))]
        tells_low = Signal(len(groups))
        assert COUNTER_BASE % (few * COUNTER_BITS // 8) == 0
        place = address[3 : 3 + (few - 1).bit_length()]
        m.d.comb += bus.arready.eq(~asked & ~found & ~bus.rvalid)
        with m.If(bus.arvalid & bus.arready):
            m.d.sync += [asked.eq(1), address.eq(bus.araddr)]
        with m.Else():
            m.d.sync += asked.eq(0)
        m.d.sync += [found.eq(asked), known.eq(1), word.eq(0), tells_low.eq(0), tells_high.eq(0)]
        with m.If(asked):
            for counter, group in zip(near, groups, strict=True):
                m.d.sync += counter.eq(Array(self.counters[number] for number in group)[place])
        with m.Switch(address):
            for register, value in self._readable(pending, enabled).items():
                with m.Case(register):
                    m.d.sync += word.eq(value)
            for number in Counter:
                with m.Case(counter_address(number)):
                    m.d.sync += tells_low[number // few].eq(1)
                with m.Case(counter_address(number) + 4):
                    m.d.sync += tells_high.eq(1)
            with m.Default():
                m.d.sync += known.eq(0)
        counter = reduce(or_, (Mux(tells, value, 0) for tells, value in zip(tells_low, near, strict=True)))
        with m.If(found):
            m.d.sync += [
                bus.rvalid.eq(1),
                bus.rdata.eq(word | counter[:32] | Mux(tells_high, high, 0)),
                bus.rresp.eq(Mux(known, axi.RESPONSE_OKAY, axi.RESPONSE_SLVERR)),
            ]
            with m.If(tells_low.any()):
                m.d.sync += high.eq(counter[32:])
        with m.Elif(bus.rready):
            m.d.sync += bus.rvalid.eq(0)

    def _readable(self, pending: Signal, enabled: Signal) -> dict[Register, Value | int]:
        status = {
            Status.RUNNING: self.running,
            Status.DONE: self.done,
            Status.FAULT: self.fault != Fault.NONE,
            Status.RESETTING: self.resetting,
        }
        base, base_high = self._base_words
        return {
            **readings(self._config),
            Register.CONTROL: 0,
            Register.STATUS: Cat(status[bit] for bit in sorted(Status)),
            Register.INTERRUPT_ENABLE: enabled,
            Register.INTERRUPT_PENDING: pending,
            Register.FAULT: self.fault,
            Register.FAULT_PC: self.fault_pc,
            Register.PROGRAM: self.program,
            Register.PROGRAM_LENGTH: self.length,
            Register.BASE: base,
            Register.BASE_HIGH: base_high,
        }

    @property
    def _base_words(self) -> tuple[Value, Value]:
        """The low word of BASE, and what there is of the high one."""
        return self.base[:32], self.base[32:]


def _aligned(value: Value, bits: int) -> Value:
    """The value with so many zeros as its low bits."""
    return Cat(Const(0, bits), value[bits:])


def _merged(old: Value, new: Value, strobes: Value) -> Value:
    """The old value with the strobed bytes of the new one."""
    whole = Cat(old, Const(0, 32 - len(old)))
    return Cat(Mux(strobe, new.word_select(i, 8), whole.word_select(i, 8)) for i, strobe in enumerate(strobes))
