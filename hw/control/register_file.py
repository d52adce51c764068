"""The registers behind AXI4-Lite (AMBA AXI, IHI 0022E, chapter B1), and the interrupt."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from wingrid.hw.bus import axi
from wingrid.hw.config import ADDRESS_BITS, AcceleratorConfig
from wingrid.hw.control.counters import COUNTER_BITS
from wingrid.hw.isa import PC_BITS, Fault
from wingrid.hw.registers import COUNTER_BASE, IDENTITY, Control, Counter, Register, Status


class RegisterFile(wiring.Component):
    """One transfer at a time on each of the read and write sides; every address answers OKAY.

    Unknown addresses read as zero and ignore writes; a write needs all of its byte strobes to count, as
    registers are words.

    Members
    -------
    bus : Out, ``axi.register_slave()``
    start : Out, 1
        Pulse as START is written; ignored while running, faulty or resetting.
    reset : Out, 1
        Pulse as RESET is written.
    program : Out, ADDRESS_BITS
    length : Out, PC_BITS
    running : In, 1
        Its end makes the interrupt pending.
    done : In, 1
    resetting : In, 1
    fault : In, Fault
    fault_pc : In, PC_BITS
    counters : In, len(Counter) x COUNTER_BITS
    interrupt : Out, 1
        Level: pending and enabled.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        super().__init__(
            {
                "bus": Out(axi.register_slave()),
                "start": Out(1),
                "reset": Out(1),
                "program": Out(ADDRESS_BITS),
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
        bus = self.bus
        pending, enabled = Signal(), Signal()
        was_running = Signal()
        m.d.sync += was_running.eq(self.running)
        m.d.comb += self.interrupt.eq(pending & enabled)

        write = Signal()
        m.d.comb += [
            write.eq(bus.awvalid & bus.wvalid & (~bus.bvalid | bus.bready)),
            bus.awready.eq(write),
            bus.wready.eq(write),
        ]
        with m.If(write):
            m.d.sync += bus.bvalid.eq(1)
        with m.Elif(bus.bready):
            m.d.sync += bus.bvalid.eq(0)
        with m.If(write & bus.wstrb.all()), m.Switch(bus.awaddr):
            with m.Case(Register.CONTROL):
                ready = ~self.running & (self.fault == Fault.NONE) & ~self.resetting
                m.d.comb += [
                    self.start.eq((bus.wdata & Control.START).any() & ready),
                    self.reset.eq((bus.wdata & Control.RESET).any()),
                ]
            with m.Case(Register.INTERRUPT_ENABLE):
                m.d.sync += enabled.eq(bus.wdata[0])
            with m.Case(Register.INTERRUPT_PENDING), m.If(bus.wdata[0]):
                m.d.sync += pending.eq(0)
            with m.Case(Register.PROGRAM):
                m.d.sync += self.program.eq(bus.wdata)
            with m.Case(Register.PROGRAM_LENGTH):
                m.d.sync += self.length.eq(bus.wdata)
        with m.If(was_running & ~self.running):
            m.d.sync += pending.eq(1)

        read = Signal()
        m.d.comb += [read.eq(bus.arvalid & (~bus.rvalid | bus.rready)), bus.arready.eq(read)]
        with m.If(read):
            m.d.sync += [bus.rvalid.eq(1), bus.rdata.eq(0)]
            with m.Switch(bus.araddr):
                for address, value in self._readable(pending, enabled):
                    with m.Case(address):
                        m.d.sync += bus.rdata.eq(value)
        with m.Elif(bus.rready):
            m.d.sync += bus.rvalid.eq(0)
        return m

    def _readable(self, pending: Signal, enabled: Signal) -> list[tuple[int, object]]:
        status = {
            Status.RUNNING: self.running,
            Status.DONE: self.done,
            Status.FAULT: self.fault != Fault.NONE,
            Status.RESETTING: self.resetting,
        }
        readable: list[tuple[int, object]] = [
            (Register.IDENTITY, IDENTITY),
            (Register.SHAPE, self._config.rows << 16 | self._config.cols),
            (Register.STATUS, Cat(status[bit] for bit in sorted(Status))),
            (Register.INTERRUPT_ENABLE, enabled),
            (Register.INTERRUPT_PENDING, pending),
            (Register.FAULT, self.fault),
            (Register.FAULT_PC, self.fault_pc),
            (Register.PROGRAM, self.program),
            (Register.PROGRAM_LENGTH, self.length),
        ]
        for counter in Counter:
            address = COUNTER_BASE + 8 * counter
            readable.append((address, self.counters[counter][:32]))
            readable.append((address + 4, self.counters[counter][32:]))
        return readable
