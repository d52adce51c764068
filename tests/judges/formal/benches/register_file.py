"""What is proved about the registers."""

from __future__ import annotations

from typing import ClassVar

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from bus_ports import drive, free
from rules import Bench, past, steady
from small_configurations import BROAD_ADDRESSES

from wingrid.hw.bus import axi
from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.control.counters import COUNTER_BITS
from wingrid.hw.control.register_file import RegisterFile
from wingrid.hw.registers import FIELDS, Access, Counter, Register, counter_address, readings


class RegisterFileBench(Bench):
    """The registers, with any accesses that a master may make, and any machine behind them."""

    rules: ClassVar = {
        "B steady": "A3.2.1: BVALID stays until BREADY, and the response with it",
        "R steady": "A3.2.1: RVALID stays until RREADY, data and response with it",
        "B after AW and W": "A3.3.1: no response to a write before its address and its data are taken",
        "R after AR": "A3.3.1: no data before their address is taken",
        "no overrun": "neither address nor data are taken before those before them have acted",
        "write answered": "a response comes as soon as address and data are taken and B is free",
        "read answered": "data come `read_latency` cycles after their address is taken",
        "responses": "B1.1.1: OKAY or SLVERR",
        "after reset": "A3.1.2: BVALID and RVALID are low in the first cycle after reset",
        "PROGRAM": "takes the strobed bytes of a write to it, but for the low bits, and no others",
        "PROGRAM_LENGTH": "takes the strobed bytes of a write to it, unless they do not fit",
        "BASE": "takes the strobed bytes of a write to either of its words, but for the low bits and what does not fit",
        "refusals": "SLVERR for what cannot be written, and nothing else",
        "START": "starts at a write of bit 0 of CONTROL, unless running, faulty or resetting",
        "RESET": "resets at a write of bit 1 of CONTROL",
        "interrupt": "rises only after the machine has stopped by itself",
        "reads": "data are those of the register, and SLVERR where there is none",
        "whole counters": "a high word belongs to the low word that was read last",
    }
    witnesses: ClassVar = {
        "started": "the machine was started",
        "interrupted": "the interrupt is high",
        "refused": "a write was refused after one was not",
    }

    def __init__(self, config: AcceleratorConfig = BROAD_ADDRESSES) -> None:
        self.config = config
        super().__init__(
            {
                **free(axi.register_slave()),
                "running": 1, "done": 1, "resetting": 1, "fault": 3, "fault_pc": 24,
                "counters": COUNTER_BITS * len(Counter),
            }
        )  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self.begin(m)
        m.submodules.device = device = RegisterFile(self.config)
        bus = device.bus
        drive(m, bus, self, axi.register_slave())
        m.d.comb += [
            device.running.eq(self.running),
            device.done.eq(self.done),
            device.resetting.eq(self.resetting),
            device.fault.eq(self.fault),
            device.fault_pc.eq(self.fault_pc),
            device.counters.as_value().eq(self.counters),
        ]
        aw, w = bus.awvalid & bus.awready, bus.wvalid & bus.wready
        ar, r = bus.arvalid & bus.arready, bus.rvalid & bus.rready
        self.rule(m, "B steady", steady(m, bus.bvalid, bus.bready, bus.bresp))
        self.rule(m, "R steady", steady(m, bus.rvalid, bus.rready, Cat(bus.rdata, bus.rresp)))
        self.rule(m, "responses", (~bus.bvalid | (bus.bresp[0] == 0)) & (~bus.rvalid | (bus.rresp[0] == 0)))
        self.rule(m, "after reset", past(m, Const(1)) | ~(bus.bvalid | bus.rvalid))

        # A write acts in the cycle before its response is first seen.
        fresh = bus.bvalid & ~past(m, bus.bvalid & ~bus.bready)
        address, content, strobes = Signal(9), Signal(32), Signal(4)
        address_taken, content_taken = Signal(), Signal()
        m.d.sync += [address_taken.eq(aw | (address_taken & ~fresh)), content_taken.eq(w | (content_taken & ~fresh))]
        with m.If(aw):
            m.d.sync += address.eq(bus.awaddr)
        with m.If(w):
            m.d.sync += [content.eq(bus.wdata), strobes.eq(bus.wstrb)]
        self.rule(m, "B after AW and W", ~fresh | (address_taken & content_taken))
        self.rule(m, "no overrun", ~(aw & address_taken & ~fresh) & ~(w & content_taken & ~fresh))
        due = past(m, address_taken & content_taken & ~bus.bvalid)
        self.rule(m, "write answered", ~due | bus.bvalid)
        # A read looks in the cycle after its address was taken, and tells what it saw two cycles later.
        looks = past(m, ar)

        def told(seen: Value) -> Value:
            for _ in range(RegisterFile.read_latency - 1):
                seen = past(m, seen)
            return seen

        self.rule(m, "read answered", ~told(looks) | bus.rvalid)
        reading = told(looks) | past(m, bus.rvalid & ~r)
        self.rule(m, "R after AR", ~bus.rvalid | reading)

        def written(register: Register) -> Value:
            return fresh & (address == register)

        mask = Cat(strobe.replicate(8) for strobe in strobes)
        bits = content & mask
        before = past(m, device.program)
        expected = Mux(written(Register.PROGRAM), (before & ~mask) | (bits & ~Const(63, 32)), before)
        self.rule(m, "PROGRAM", device.program == expected)
        length = past(m, device.length)
        fits = bits[24:] == 0
        taken = Mux(written(Register.PROGRAM_LENGTH) & fits, (length & ~mask[:24]) | bits[:24], length)
        self.rule(m, "PROGRAM_LENGTH", device.length == taken)
        base, beyond = past(m, device.base), self.config.address_bits - 32
        reached = bits[beyond:] == 0
        low = Mux(written(Register.BASE), (base[:32] & ~mask) | (bits & ~Const(4095, 32)), base[:32])
        high = (base[32:] & ~mask[:beyond]) | bits[:beyond]
        page = Cat(low, Mux(written(Register.BASE_HIGH) & reached, high, base[32:]))
        self.rule(m, "BASE", device.base == page)
        writable = [
            address == register
            for register, fields in FIELDS.items()
            if {field.access for field in fields} != {Access.READ}
        ]
        accepted = Cat(writable).any() & ((address != Register.PROGRAM_LENGTH) | fits)
        accepted &= (address != Register.BASE_HIGH) | reached
        self.rule(m, "refusals", ~fresh | ((bus.bresp == axi.RESPONSE_OKAY) == accepted))
        ready = past(m, past(m, ~self.running & (self.fault == 0) & ~self.resetting))
        started = past(m, device.start)
        self.rule(m, "START", started == (written(Register.CONTROL) & bits[0] & ready))
        self.rule(m, "RESET", past(m, device.reset) == (written(Register.CONTROL) & bits[1]))
        stopped = past(m, self.running) & ~self.running & (self.done | (self.fault != 0)) & ~self.resetting
        rises = device.interrupt & ~past(m, device.interrupt)
        may_pend = Signal()
        with m.If(stopped):
            m.d.sync += may_pend.eq(1)
        self.rule(m, "interrupt", ~rises | may_pend)

        # What each register held when the read looked.
        read_address = past(m, bus.araddr)
        constants = readings(self.config)
        values: dict[int, Value] = {int(register): Const(value, 32) for register, value in constants.items()}
        values |= {
            int(Register.CONTROL): Const(0, 32),
            int(Register.STATUS): Cat(self.running, self.done, self.fault != 0, self.resetting),
            int(Register.FAULT): self.fault,
            int(Register.FAULT_PC): self.fault_pc,
            int(Register.PROGRAM): device.program,
            int(Register.PROGRAM_LENGTH): device.length,
            int(Register.BASE): device.base[:32],
            int(Register.BASE_HIGH): device.base[32:],
        }
        high = Signal(32)
        for counter in Counter:
            at = COUNTER_BITS * counter
            values[counter_address(counter)] = self.counters[at : at + 32]
            values[counter_address(counter) + 4] = high
            with m.If(looks & (read_address == counter_address(counter))):
                m.d.sync += high.eq(self.counters[at + 32 : at + 64])
        unseen = {int(Register.INTERRUPT_ENABLE), int(Register.INTERRUPT_PENDING)}
        found, known, tear = Signal(32), Signal(), Signal()
        with m.Switch(read_address):
            for where, value in values.items():
                with m.Case(where):
                    m.d.comb += [found.eq(value), known.eq(1), tear.eq(value is high)]
            with m.Case(*unseen):
                m.d.comb += known.eq(1)
        watched = told(looks & ~Cat(read_address == where for where in unseen).any())
        was_found, was_known, was_tear = told(found), told(known), told(tear)
        right = (bus.rdata == was_found) & ((bus.rresp == axi.RESPONSE_OKAY) == was_known)
        self.rule(m, "reads", ~watched | was_tear | right)
        self.rule(m, "whole counters", ~watched | ~was_tear | right)

        fine = Signal()
        with m.If(fresh & (bus.bresp == axi.RESPONSE_OKAY)):
            m.d.sync += fine.eq(1)
        self.witness(m, "started", device.start)
        self.witness(m, "interrupted", device.interrupt)
        self.witness(m, "refused", fine & bus.bvalid & (bus.bresp == axi.RESPONSE_SLVERR))
        self.conclude(m)
        return m
