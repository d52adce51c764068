"""What is proved about the fetch engine."""

from __future__ import annotations

from typing import ClassVar

from amaranth.hdl import Cat, Module, Signal
from axi_rules import burst_is_legal
from rules import Bench, past, steady
from small_configurations import BROAD_ADDRESSES, page_bits

from wingrid.hw.bus.read_master import read_beat
from wingrid.hw.config import INSTRUCTION_BYTES, OFFSET_BITS, AcceleratorConfig
from wingrid.hw.control.fetch_engine import FetchEngine
from wingrid.hw.isa import PC_BITS
from wingrid.hw.registers import BASE_ALIGNMENT_BITS


class FetchBench(Bench):
    """The fetch engine, with any program; what it asks for is what the read master may be asked for."""

    rules: ClassVar = {
        "requests legal": "A3.4.1: aligned, within 4 KiB, one instruction long",
        "address": "a request's address is base + offset, modulo the width of addresses, line after line",
        "requests steady": "a request stays until it is taken, as its address does with BASE, unless the machine halts",
        "fetch ahead": "never more instructions are asked for ahead than configured",
        "fences hold": "a LOAD with a fence goes only where the STOREs were done in the cycle before",
    }
    witnesses: ClassVar = {
        "third request": "three instructions were asked for",
        "fence passed": "a LOAD with a fence goes",
    }

    def __init__(self, config: AcceleratorConfig = BROAD_ADDRESSES) -> None:
        self.config = config
        super().__init__(
            {
                "start": 1, "first_line": 26, "length": PC_BITS, "request_ready": 1, "beat": read_beat(config).size,
                "load_ready": 1, "execute_ready": 1, "store_ready": 1, "stored": 1, "halt": 1,
                "page": page_bits(config),
            }
        )  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        config = self.config
        m = Module()
        self.begin(m)
        m.submodules.device = device = FetchEngine(config)
        request = device.request
        base = self.page << BASE_ALIGNMENT_BITS
        m.d.comb += [
            device.start.eq(self.start),
            device.base.eq(base),
            device.program.eq(self.first_line << 6),
            device.length.eq(self.length),
            request.ready.eq(self.request_ready),
            device.beat.eq(self.beat),
            device.load.ready.eq(self.load_ready),
            device.execute.ready.eq(self.execute_ready),
            device.store.ready.eq(self.store_ready),
            device.stored.eq(self.stored),
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
            steady(m, request.valid, request.ready, Cat(request.payload.beats_less_one, request.payload.final))
            | self.halt
            | past(m, self.halt | self.start),
        )
        offset = Signal(OFFSET_BITS)
        with m.If(self.start):
            m.d.sync += offset.eq(device.program)
        with m.Elif(asked):
            m.d.sync += offset.eq(offset + INSTRUCTION_BYTES)
        # The sum of the cycle before, and its offset is today's: so it is steady too while BASE is, which is dear to
        # prove in one.
        address = past(m, (base + offset)[: config.address_bits])
        moved = past(m, asked)
        self.rule(m, "address", ~request.valid | past(m, self.start) | (~moved & (request.payload.address == address)))
        self.rule(m, "fetch ahead", ahead <= config.fetch_ahead)
        fenced = device.load.valid & device.load.payload.instruction.fence[0]
        self.rule(m, "fences hold", ~fenced | past(m, self.stored))
        self.witness(m, "fence passed", fenced & device.load.ready)
        count = Signal(2)
        with m.If(asked & (count != 3)):
            m.d.sync += count.eq(count + 1)
        self.witness(m, "third request", count == 3)
        self.conclude(m)
        return m
