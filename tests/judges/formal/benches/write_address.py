"""What is proved about the addresses of writes."""

from __future__ import annotations

from typing import ClassVar

from amaranth.hdl import Module, Signal
from bus_ports import drive, free
from rules import Bench, past
from small_configurations import BROAD_ADDRESSES, page_bits

from wingrid.hw.bus import axi
from wingrid.hw.bus.write_master import WRITE_REQUEST, WriteMaster
from wingrid.hw.config import OFFSET_BITS, AcceleratorConfig
from wingrid.hw.registers import BASE_ALIGNMENT_BITS


class WriteAddressBench(Bench):
    """The write master alone with any requests: what reaches AW."""

    rules: ClassVar = {
        "address": "a burst's address is base + offset, modulo the width of addresses, in the order of requests",
    }
    witnesses: ClassVar = {"carry": "an address lies on the other side of 4 GiB than its base"}

    def __init__(self, config: AcceleratorConfig = BROAD_ADDRESSES) -> None:
        self.config = config
        super().__init__(
            {
                **free(axi.write_channels(config)),
                "request_valid": 1, "request": WRITE_REQUEST.size, "halt": 1, "page": page_bits(config),
            }
        )  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        config = self.config
        m = Module()
        self.begin(m)
        m.submodules.device = device = WriteMaster(config)
        bus, request = device.bus, device.request
        drive(m, bus, self, axi.write_channels(config))
        base = self.page << BASE_ALIGNMENT_BITS
        m.d.comb += [
            device.base.eq(base),
            device.halt.eq(self.halt),
            request.valid.eq(self.request_valid),
            request.payload.eq(self.request),
        ]
        # Offsets that were asked for and are not on AW yet, oldest first.
        depth = device.requests(config)
        waiting = [Signal(OFFSET_BITS, name=f"waiting_{i}") for i in range(depth)]
        count = Signal(range(depth + 1))
        enters = request.valid & request.ready
        fresh = bus.awvalid & ~past(m, bus.awvalid & ~bus.awready)
        left = count - fresh
        m.d.sync += count.eq(left + enters)
        with m.If(fresh):
            m.d.sync += [waiting[i].eq(waiting[i + 1]) for i in range(depth - 1)]
        for i in range(depth):
            with m.If(enters & (left == i)):
                m.d.sync += waiting[i].eq(request.payload.address)
        started_at = past(m, base)
        expected = (started_at + waiting[0])[: config.address_bits]
        self.rule(m, "address", ~fresh | (bus.awaddr == expected))
        self.witness(m, "carry", fresh & (bus.awaddr[OFFSET_BITS:] != started_at[OFFSET_BITS:]))
        self.conclude(m)
        return m
