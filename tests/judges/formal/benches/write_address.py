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
                "request_valid": 1, "request": WRITE_REQUEST.size, "halt": 1, "watch": 1,
                "page": page_bits(config),
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
        # One request, any of them: its offset, and how many are ahead of it on their way to AW.
        watched, ahead, watching = Signal(OFFSET_BITS), Signal(range(device.requests(config) + 1)), Signal()
        count = Signal.like(ahead)
        enters = request.valid & request.ready
        fresh = bus.awvalid & ~past(m, bus.awvalid & ~bus.awready)
        left = count - fresh
        arrives = watching & fresh & (ahead == 0)
        m.d.sync += count.eq(left + enters)
        with m.If(~watching & enters & self.watch):
            m.d.sync += [watching.eq(1), ahead.eq(left), watched.eq(request.payload.address)]
        with m.Elif(fresh):
            m.d.sync += [watching.eq(watching & ~arrives), ahead.eq(ahead - 1)]
        base_then = past(m, base)
        expected = (base_then + watched)[: config.address_bits]
        self.rule(m, "address", ~arrives | (bus.awaddr == expected))
        self.witness(m, "carry", arrives & (bus.awaddr[OFFSET_BITS:] != base_then[OFFSET_BITS:]))
        self.conclude(m)
        return m
