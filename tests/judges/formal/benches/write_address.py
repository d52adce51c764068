"""What is proved about the addresses of writes."""

from __future__ import annotations

from typing import ClassVar

from amaranth.hdl import Module, Mux, Signal
from bus_ports import drive, free
from rules import Bench, past
from small_configurations import BROAD_ADDRESSES

from wingrid.hw.bus import axi
from wingrid.hw.bus.write_master import WriteMaster, write_request
from wingrid.hw.config import AcceleratorConfig


class WriteAddressBench(Bench):
    """The write master alone with any requests: what reaches AW."""

    rules: ClassVar = {
        "address": "a burst's address is its request's, or as far behind it as asked for, in the order of requests",
    }
    witnesses: ClassVar = {"watched": "a request that stood behind another one reaches AW"}

    def __init__(self, config: AcceleratorConfig = BROAD_ADDRESSES) -> None:
        self.config = config
        super().__init__(
            {
                **free(axi.write_channels(config)),
                "request_valid": 1, "request": write_request(config).size, "halt": 1, "watch": 1,
                "which": 2,
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
            request.valid.eq(self.request_valid),
            request.payload.eq(self.request),
        ]
        # One burst, any of one to three that a request is for: its address, and how many are ahead of it on their way
        # to AW.
        asked = request.payload
        apart = asked.apart
        self.assume(apart == (asked.beat_pitch != 1))
        self.assume((asked.beat_pitch != 0) & (~apart | ((asked.beats != 0) & (asked.beats <= 3))))
        bursts = Mux(apart, asked.beats, 1)
        most = 3 * (device.requests(config) + 1)
        watched, ahead, watching = Signal(config.address_bits), Signal(range(most + 1)), Signal()
        count, waited = Signal.like(ahead), Signal()
        enters = request.valid & request.ready
        fresh = bus.awvalid & ~past(m, bus.awvalid & ~bus.awready)
        left = count - fresh
        arrives = watching & fresh & (ahead == 0)
        m.d.sync += count.eq(left + Mux(enters, bursts, 0))
        with m.If(~watching & enters & self.watch & (self.which < bursts)):
            m.d.sync += [
                watching.eq(1),
                ahead.eq(left + self.which),
                watched.eq(asked.address + self.which * asked.beat_pitch * config.bus_bytes),
                waited.eq(left != 0),
            ]
        with m.Elif(fresh):
            m.d.sync += [watching.eq(watching & ~arrives), ahead.eq(ahead - 1)]
        self.rule(m, "address", ~arrives | (bus.awaddr == watched))
        self.witness(m, "watched", arrives & waited)
        self.conclude(m)
        return m
