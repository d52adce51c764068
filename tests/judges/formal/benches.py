"""The benches: what is proved about which part, under which assumptions."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib.wiring import In
from axi_rules import address_is_legal, address_payload, burst_is_legal, reads_in_flight, writes_in_flight
from rules import Bench, past, steady

from wingrid.hw.bus import axi
from wingrid.hw.bus.read_master import READ_REQUEST, ReadMaster, read_beat
from wingrid.hw.bus.write_master import WRITE_REQUEST, WriteMaster
from wingrid.hw.config import AXI_PAGE_BYTES, INSTRUCTION_BYTES, AcceleratorConfig
from wingrid.hw.control.counters import COUNTER_BITS
from wingrid.hw.control.decoder import Decoder
from wingrid.hw.control.fetch_engine import FetchEngine, dispatched
from wingrid.hw.control.register_file import RegisterFile
from wingrid.hw.core import Core
from wingrid.hw.isa import PC_BITS, Fault, Load, Semaphore
from wingrid.hw.load.load_engine import LoadEngine
from wingrid.hw.registers import FIELDS, Access, Counter, Register, counter_address, readings
from wingrid.hw.store.output_buffer import SEGMENT, OutputBuffer

SMALL = AcceleratorConfig(
    winograd=0, rows=2, cols=2, bus_bytes=16, input_buffer=16, weight_buffer=16, accumulators=4, parameter_blocks=2,
    output_buffer=16, queue_depth=2, fetch_ahead=2, burst_beats=8, reads_in_flight=2, writes_in_flight=2,
)  # fmt: skip
"""An instruction is four beats, so that it is dispatched soon."""


NARROW_BUS = dataclasses.replace(SMALL, bus_bytes=4)
"""With few bits of alignment, which are dear to prove."""


def drive(m: Module, bus: object, bench: Bench, signature: object) -> None:
    """Connect a bus's inputs to the bench's inputs of the same names."""
    for name, member in signature.members.items():  # type: ignore[attr-defined]
        if member.flow == In:
            m.d.comb += getattr(bus, name).eq(getattr(bench, name))


def free(signature: object) -> dict[str, object]:
    """The shapes of a bus's inputs."""
    return {name: member.shape for name, member in signature.members.items() if member.flow == In}  # type: ignore[attr-defined]


MASTER_READS = {
    "AR steady": "A3.2.1: ARVALID stays until ARREADY, and the address with it",
    "AR legal": "A3.4.1, A4.4: INCR, as wide as the bus, aligned, within 4 KiB, as long as configured, as ever",
    "reads in flight": "never more bursts than configured",
    "AR after reset": "A3.1.2: ARVALID is low in the first cycle after reset",
}
MASTER_WRITES = {
    "AW steady": "A3.2.1: AWVALID stays until AWREADY, and the address with it",
    "AW legal": "A3.4.1, A4.4: INCR, as wide as the bus, aligned, within 4 KiB, as long as configured, as ever",
    "W steady": "A3.2.1: WVALID stays until WREADY, and WLAST and the strobes with it",
    "WLAST position": "A3.4.1: WLAST is with the last of the AWLEN + 1 beats, and with no other",
    "W after AW": "no data before the address of their burst is offered",
    "one burst at a time": "no address before all data of the burst before are gone",
    "strobes": "whole beats are written",
    "writes in flight": "never more bursts than configured without response",
    "AW and W after reset": "A3.1.2: AWVALID and WVALID are low in the first cycle after reset",
}


def check_reads(bench: Bench, m: Module, config: AcceleratorConfig, bus: object) -> None:
    """All of ``MASTER_READS``, with R as it should be."""
    followed = reads_in_flight(m, config, bus, config.reads_in_flight)
    bench.assume(followed.legal)
    bench.rule(m, "AR steady", steady(m, bus.arvalid, bus.arready, address_payload(bus, "ar")))
    bench.rule(m, "AR legal", address_is_legal(config, bus, "ar"))
    bench.rule(m, "reads in flight", followed.count + bus.arvalid <= config.reads_in_flight)
    bench.rule(m, "AR after reset", past(m, Const(1)) | ~bus.arvalid)


def check_writes(bench: Bench, m: Module, config: AcceleratorConfig, bus: object) -> None:
    """All of ``MASTER_WRITES``, with B as it should be."""
    followed = writes_in_flight(m, config, bus, config.writes_in_flight)
    bench.assume(followed.legal)
    bench.rule(m, "AW steady", steady(m, bus.awvalid, bus.awready, address_payload(bus, "aw")))
    bench.rule(m, "AW legal", address_is_legal(config, bus, "aw"))
    bench.rule(m, "W steady", steady(m, bus.wvalid, bus.wready, Cat(bus.wlast, bus.wstrb)))
    bench.rule(m, "WLAST position", followed.last_is_right)
    bench.rule(m, "W after AW", followed.data_follow_addresses)
    bench.rule(m, "one burst at a time", followed.one_at_a_time)
    bench.rule(m, "strobes", ~bus.wvalid | bus.wstrb.all())
    bench.rule(m, "writes in flight", followed.offered <= config.writes_in_flight)
    bench.rule(m, "AW and W after reset", past(m, Const(1)) | ~(bus.awvalid | bus.wvalid))


REQUESTS = {
    "aligned": "the address of a request is a multiple of the bus width",
    "not empty": "a request is for one beat or more",
    "length": "a request is no longer than configured",
    "page": "A3.4.1: a request stays within 4 KiB",
}
"""Together: what the masters may be asked for."""


def request_rules(
    bench: Bench, m: Module, config: AcceleratorConfig, valid: Value, address: Value, beats: Value
) -> None:
    """All of ``REQUESTS``."""
    alignment = (config.bus_bytes - 1).bit_length()
    first = address[alignment : (AXI_PAGE_BYTES - 1).bit_length()]
    bench.rule(m, "aligned", ~valid | (address[:alignment] == 0))
    bench.rule(m, "not empty", ~valid | (beats != 0))
    bench.rule(m, "length", ~valid | (beats <= config.burst_beats))
    bench.rule(m, "page", ~valid | (first + beats <= AXI_PAGE_BYTES // config.bus_bytes))


class ReadMasterBench(Bench):
    """The read master alone, with any requests that are legal."""

    rules: ClassVar = {
        **MASTER_READS,
        "RREADY": "R never waits",
        "beats find their reader": "a beat goes to whoever asked for its burst, in the next cycle",
        "final": "the last beat of a burst carries what its request said, no other beat ends a burst",
        "idle": "idle means that no burst is on the bus",
    }
    witnesses: ClassVar = {"second read ends": "two bursts of several beats were read", "full": "no more may start"}

    def __init__(self, config: AcceleratorConfig = SMALL) -> None:
        self.config = config
        request = READ_REQUEST.size
        super().__init__(
            {
                **free(axi.read_channels(config)),
                "fetch_valid": 1, "fetch_request": request, "load_valid": 1, "load_request": request, "halt": 1,
            }
        )  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        config = self.config
        m = Module()
        self.begin(m)
        m.submodules.device = device = ReadMaster(config)
        bus = device.bus
        drive(m, bus, self, axi.read_channels(config))
        m.d.comb += [
            device.halt.eq(self.halt),
            device.fetch.valid.eq(self.fetch_valid),
            device.fetch.payload.eq(self.fetch_request),
            device.load.valid.eq(self.load_valid),
            device.load.payload.eq(self.load_request),
        ]
        for port in (device.fetch, device.load):
            self.assume(~port.valid | burst_is_legal(config, port.payload.address, port.payload.beats_less_one + 1))
        check_reads(self, m, config, bus)
        self.rule(m, "RREADY", bus.rready)

        # Who asked, oldest first.
        depth = config.reads_in_flight
        owners = [Signal(2, name=f"owner_{i}") for i in range(depth + 1)]
        count = Signal(range(depth + 2))
        taken_fetch, taken_load = device.fetch.valid & device.fetch.ready, device.load.valid & device.load.ready
        enters, leaves = taken_fetch | taken_load, bus.rvalid & bus.rready & bus.rlast
        m.d.sync += count.eq(count + enters - leaves)
        with m.If(leaves):
            m.d.sync += [owners[i].eq(owners[i + 1]) for i in range(depth)]
        for i in range(depth + 1):
            with m.If(enters & (count - leaves == i)):
                final = Mux(taken_fetch, device.fetch.payload.final, device.load.payload.final)
                m.d.sync += owners[i].eq(Cat(taken_load, final))
        beat, owner = past(m, bus.rvalid & bus.rready), past(m, owners[0])
        last = past(m, bus.rlast)
        to_fetch, to_load = device.fetch_beat.valid, device.load_beat.valid
        self.rule(m, "beats find their reader", (to_fetch == (beat & ~owner[0])) & (to_load == (beat & owner[0])))
        self.rule(
            m, "final", ~beat | ((device.load_beat.last == last) & (~last | (device.load_beat.final == owner[1])))
        )
        self.rule(m, "idle", ~device.idle | (count == 0))
        ended, beats = Signal(2), Signal(9)
        m.d.sync += beats.eq(Mux(leaves, 0, beats + (bus.rvalid & bus.rready)))
        with m.If(leaves & (beats > 1)):
            m.d.sync += ended.eq(Mux(ended == 3, 3, ended + 1))
        self.witness(m, "second read ends", ended == 2)
        self.witness(m, "full", (count == depth) & device.fetch.valid & device.load.valid & ~self.halt)
        self.conclude(m)
        return m


class WriteMasterBench(Bench):
    """The write master alone, with any requests that are legal and steady."""

    rules: ClassVar = {
        **MASTER_WRITES,
        "BREADY": "B never waits",
        "released": "a burst is released with its last beat, with the length that was asked for",
        "quiet": "quiet means that no burst is on the bus",
        "errors": "an error is told when there is one",
    }
    witnesses: ClassVar = {"second write ends": "two bursts of several beats were written and answered"}

    def __init__(self, config: AcceleratorConfig = SMALL) -> None:
        self.config = config
        super().__init__(
            {
                **free(axi.write_channels(config)),
                "request_valid": 1, "request": WRITE_REQUEST.size, "beat": 8 * config.bus_bytes, "halt": 1,
            }
        )  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        config = self.config
        m = Module()
        self.begin(m)
        m.submodules.device = device = WriteMaster(config)
        bus, request = device.bus, device.request
        drive(m, bus, self, axi.write_channels(config))
        m.d.comb += [
            device.halt.eq(self.halt),
            device.beat.eq(self.beat),
            request.valid.eq(self.request_valid),
            request.payload.eq(self.request),
        ]
        self.assume(~request.valid | burst_is_legal(config, request.payload.address, request.payload.beats))
        check_writes(self, m, config, bus)
        self.rule(m, "BREADY", bus.bready)
        self.rule(m, "released", device.released == (bus.wvalid & bus.wready & bus.wlast))
        offered, last = Signal(range(8)), Signal(range(8))
        gone = bus.bvalid & bus.bready
        m.d.sync += [
            offered.eq(offered + (bus.awvalid & ~past(m, bus.awvalid & ~bus.awready)) - gone),
            last.eq(last + (bus.awvalid & bus.awready) - gone),
        ]
        self.rule(m, "quiet", ~device.quiet | ((offered == 0) & (last == 0) & ~bus.awvalid & ~bus.wvalid))
        self.rule(m, "errors", device.error == (bus.bvalid & (bus.bresp != axi.RESPONSE_OKAY)))
        answered, long = Signal(2), Signal()
        with m.If(bus.awvalid & (bus.awlen > 1)):
            m.d.sync += long.eq(1)
        with m.If(gone & long):
            m.d.sync += answered.eq(Mux(answered == 3, 3, answered + 1))
        self.witness(m, "second write ends", answered == 2)
        self.conclude(m)
        return m


class RegisterFileBench(Bench):
    """The registers, with any accesses that a master may make, and any machine behind them."""

    rules: ClassVar = {
        "B steady": "A3.2.1: BVALID stays until BREADY, and the response with it",
        "R steady": "A3.2.1: RVALID stays until RREADY, data and response with it",
        "B after AW and W": "A3.3.1: no response to a write before its address and its data are taken",
        "R after AR": "A3.3.1: no data before their address is taken",
        "no overrun": "neither address nor data are taken before those before them have acted",
        "write answered": "a response comes as soon as address and data are taken and B is free",
        "read answered": "data come in the cycle after their address is taken",
        "responses": "B1.1.1: OKAY or SLVERR",
        "after reset": "A3.1.2: BVALID and RVALID are low in the first cycle after reset",
        "PROGRAM": "takes the strobed bytes of a write to it, but for the low bits, and no others",
        "PROGRAM_LENGTH": "takes the strobed bytes of a write to it, unless they do not fit",
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

    def __init__(self, config: AcceleratorConfig = SMALL) -> None:
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
        self.rule(m, "read answered", ~past(m, ar) | bus.rvalid)
        reading = past(m, ar | (bus.rvalid & ~r))
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
        writable = [
            address == register
            for register, fields in FIELDS.items()
            if {field.access for field in fields} != {Access.READ}
        ]
        accepted = Cat(writable).any() & ((address != Register.PROGRAM_LENGTH) | fits)
        self.rule(m, "refusals", ~fresh | ((bus.bresp == axi.RESPONSE_OKAY) == accepted))
        ready = past(m, ~self.running & (self.fault == 0) & ~self.resetting)
        started = past(m, device.start)
        self.rule(m, "START", started == (written(Register.CONTROL) & bits[0] & ready))
        self.rule(m, "RESET", past(m, device.reset) == (written(Register.CONTROL) & bits[1]))
        stopped = past(m, self.running) & ~self.running & (self.done | (self.fault != 0)) & ~self.resetting
        rises = device.interrupt & ~past(m, device.interrupt)
        may_pend = Signal()
        with m.If(stopped):
            m.d.sync += may_pend.eq(1)
        self.rule(m, "interrupt", ~rises | may_pend)

        # What each register held when its address was taken.
        constants = readings(self.config)
        values: dict[int, Value] = {int(register): Const(value, 32) for register, value in constants.items()}
        values |= {
            int(Register.CONTROL): Const(0, 32),
            int(Register.STATUS): Cat(self.running, self.done, self.fault != 0, self.resetting),
            int(Register.FAULT): self.fault,
            int(Register.FAULT_PC): self.fault_pc,
            int(Register.PROGRAM): device.program,
            int(Register.PROGRAM_LENGTH): device.length,
        }
        high = Signal(32)
        for counter in Counter:
            at = COUNTER_BITS * counter
            values[counter_address(counter)] = self.counters[at : at + 32]
            values[counter_address(counter) + 4] = high
            with m.If(ar & (bus.araddr == counter_address(counter))):
                m.d.sync += high.eq(self.counters[at + 32 : at + 64])
        unseen = {int(Register.INTERRUPT_ENABLE), int(Register.INTERRUPT_PENDING)}
        found, known, tear = Signal(32), Signal(), Signal()
        with m.Switch(bus.araddr):
            for where, value in values.items():
                with m.Case(where):
                    m.d.comb += [found.eq(value), known.eq(1), tear.eq(value is high)]
            with m.Case(*unseen):
                m.d.comb += known.eq(1)
        watched = past(m, ar & ~Cat(bus.araddr == where for where in unseen).any())
        was_found, was_known, was_tear = past(m, found), past(m, known), past(m, tear)
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


class FetchBench(Bench):
    """The fetch engine, with any program; what it asks for is what the read master may be asked for."""

    rules: ClassVar = {
        "requests legal": "A3.4.1: aligned, within 4 KiB, one instruction long",
        "requests steady": "a request stays until it is taken, unless the machine halts",
        "fetch ahead": "never more instructions are asked for ahead than configured",
    }
    witnesses: ClassVar = {"third request": "three instructions were asked for"}

    def __init__(self, config: AcceleratorConfig = SMALL) -> None:
        self.config = config
        super().__init__(
            {
                "start": 1, "first_line": 26, "length": PC_BITS, "request_ready": 1, "beat": read_beat(config).size,
                "load_ready": 1, "execute_ready": 1, "store_ready": 1, "halt": 1,
            }
        )  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        config = self.config
        m = Module()
        self.begin(m)
        m.submodules.device = device = FetchEngine(config)
        request = device.request
        m.d.comb += [
            device.start.eq(self.start),
            device.program.eq(self.first_line << 6),
            device.length.eq(self.length),
            request.ready.eq(self.request_ready),
            device.beat.eq(self.beat),
            device.load.ready.eq(self.load_ready),
            device.execute.ready.eq(self.execute_ready),
            device.store.ready.eq(self.store_ready),
            device.halt.eq(self.halt),
        ]
        ahead = Signal(8)
        asked = request.valid & request.ready
        m.d.sync += ahead.eq(ahead + asked - device.dispatched)
        # A program starts when the one before is over; instructions come back in order, once each.
        self.assume(~self.start | (ahead == 0))
        self.assume(~device.dispatched | (ahead != 0))
        beats = request.payload.beats_less_one + 1
        self.rule(
            m,
            "requests legal",
            ~request.valid
            | (
                burst_is_legal(config, request.payload.address, beats)
                & (beats == INSTRUCTION_BYTES // config.bus_bytes)
            ),
        )
        self.rule(
            m,
            "requests steady",
            steady(m, request.valid, request.ready, request.payload) | self.halt | past(m, self.halt | self.start),
        )
        self.rule(m, "fetch ahead", ahead <= config.fetch_ahead)
        count = Signal(2)
        with m.If(asked & (count != 3)):
            m.d.sync += count.eq(count + 1)
        self.witness(m, "third request", count == 3)
        self.conclude(m)
        return m


class LoadBench(Bench):
    """The load engine, with any LOADs that the decoder lets pass."""

    rules: ClassVar = {
        **REQUESTS,
        "takes": "only semaphores that are available are taken",
    }
    witnesses: ClassVar = {"second instruction": "two instructions of several bursts were asked for"}

    def __init__(self, config: AcceleratorConfig = NARROW_BUS) -> None:
        self.config = config
        super().__init__(
            {
                "instruction_valid": 1, "instruction": dispatched(Load).size, "available": len(Semaphore),
                "request_ready": 1, "beat": read_beat(config).size, "halt": 1,
            }
        )  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        config = self.config
        m = Module()
        self.begin(m)
        m.submodules.device = device = LoadEngine(config)
        request, load = device.request, device.instruction.payload.instruction
        m.d.comb += [
            device.instruction.valid.eq(self.instruction_valid),
            device.instruction.payload.as_value().eq(self.instruction),
            device.available.eq(self.available),
            request.ready.eq(self.request_ready),
            device.beat.eq(self.beat),
            device.halt.eq(self.halt),
        ]
        m.submodules.decoder = decoder = Decoder(config, registered=False)
        m.d.comb += decoder.word.eq(load.as_value())
        self.assume(~device.instruction.valid | ((decoder.fault == 0) & (load.opcode == Load.opcode.value)))
        beats = request.payload.beats_less_one + 1
        request_rules(self, m, config, request.valid, request.payload.address, beats)
        self.rule(m, "takes", (device.take & ~self.available) == 0)
        count, started = Signal(3), device.instruction.valid & device.instruction.ready
        first, asked = Signal(), request.valid & request.ready
        m.d.sync += first.eq((first & ~asked) | started)
        with m.If(asked & ~first & (count != 7)):
            m.d.sync += count.eq(count + 1)
        self.witness(m, "second instruction", count == 2)
        self.conclude(m)
        return m


class OutputBufferBench(Bench):
    """The output buffer, with any segments that the store engine may give it."""

    rules: ClassVar = {
        **REQUESTS,
        "room": "never more beats are reserved than the buffer holds",
    }
    witnesses: ClassVar = {"second request": "two requests of one segment were made"}

    def __init__(self, config: AcceleratorConfig = NARROW_BUS) -> None:
        self.config = config
        super().__init__(
            {
                "segment_valid": 1, "segment": SEGMENT.size, "result_valid": 1, "request_ready": 1,
                "next_beat": 1, "released": 1, "released_beats": 9,
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
            segment.valid.eq(self.segment_valid),
            fields.as_value().eq(self.segment),
            device.results.valid.eq(self.result_valid),
            request.ready.eq(self.request_ready),
            device.next_beat.eq(self.next_beat),
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
                & (fields.columns <= config.output_buffer)
                & (fields.tiles != 0)
                & (fields.beats == lines)
                & (fields.lines <= 4)
            )
        )
        self.assume(~self.result_valid | ~device.placed)
        reserved = Signal(16)
        accepted = segment.valid & segment.ready
        m.d.sync += reserved.eq(reserved + Mux(accepted, fields.beats, 0) - Mux(self.released, self.released_beats, 0))
        self.assume(~self.released | (self.released_beats <= reserved))
        request_rules(self, m, config, request.valid, request.payload.address, request.payload.beats)
        self.rule(m, "room", reserved <= config.output_buffer)
        asked, segments = Signal(2), Signal(2)
        with m.If(request.valid & request.ready & (asked != 3)):
            m.d.sync += asked.eq(asked + 1)
        with m.If(accepted & (segments != 3)):
            m.d.sync += segments.eq(segments + 1)
        self.witness(m, "second request", (asked == 2) & (segments == 1))
        self.conclude(m)
        return m


class CoreBench(Bench):
    """The whole machine but for its registers, with any program in memory and any responses."""

    rules: ClassVar = {**MASTER_READS, **MASTER_WRITES, "RREADY": "R never waits", "BREADY": "B never waits"}
    witnesses: ClassVar = {
        "fetched": "an instruction was fetched",
        "loaded": "a LOAD's burst was asked for",
        "fault": "an instruction was refused",
    }

    def __init__(self, config: AcceleratorConfig = SMALL) -> None:
        self.config = config
        super().__init__(
            {
                **free(axi.read_channels(config)), **free(axi.write_channels(config)),
                "start": 1, "hold": 1, "first_line": 26, "length": 24,
            }
        )  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        config = self.config
        m = Module()
        self.begin(m)
        m.submodules.device = device = Core(config)
        drive(m, device.read_bus, self, axi.read_channels(config))
        drive(m, device.write_bus, self, axi.write_channels(config))
        m.d.comb += [
            device.start.eq(self.start),
            device.hold.eq(self.hold),
            device.program.eq(self.first_line << 6),
            device.length.eq(self.length),
        ]
        self.assume(~self.start | ~(device.running | (device.fault != 0)))
        check_reads(self, m, config, device.read_bus)
        check_writes(self, m, config, device.write_bus)
        self.rule(m, "RREADY", device.read_bus.rready)
        self.rule(m, "BREADY", device.write_bus.bready)
        read = device.read_bus
        fetched = Signal()
        with m.If(read.rvalid & read.rlast):
            m.d.sync += fetched.eq(1)
        self.witness(m, "fetched", fetched)
        self.witness(m, "loaded", read.arvalid & (read.arlen != INSTRUCTION_BYTES // config.bus_bytes - 1))
        self.witness(m, "fault", device.fault == Fault.ILLEGAL_INSTRUCTION)
        self.conclude(m)
        return m
