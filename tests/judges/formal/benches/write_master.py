"""What is proved about the write master."""

from __future__ import annotations

from typing import ClassVar

from amaranth.hdl import Const, Module, Mux, Signal
from axi_rules import burst_is_legal
from bus_ports import drive, free
from master_rules import MASTER_WRITES, check_writes
from rules import Bench, past
from small_configurations import SMALL

from wingrid.hw.bus import axi
from wingrid.hw.bus.write_master import WriteMaster, write_request
from wingrid.hw.config import AcceleratorConfig


class WriteMasterBench(Bench):
    """The write master alone, with any requests that are legal and steady."""

    rules: ClassVar = {
        **MASTER_WRITES,
        "BREADY": "B never waits",
        "released": "a burst is released with its last beat, with the length that was asked for",
        "quiet": "quiet means that no burst is on the bus",
        "errors": "an error is told when there is one",
    }
    witnesses: ClassVar = {
        "second write ends": "two bursts of several beats were written and answered",
        "one beat each": "after three bursts of one beat the next one is offered at once",
    }

    def __init__(self, config: AcceleratorConfig = SMALL) -> None:
        self.config = config
        super().__init__(
            {
                **free(axi.write_channels(config)),
                "request_valid": 1, "request": write_request(config).size, "beat": 8 * config.bus_bytes, "halt": 1,
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
        asked = request.payload
        whole = ~asked.apart & (asked.beat_pitch == 1) & burst_is_legal(config, asked.address, asked.beats)
        # Each of beats that lie apart is a burst, wherever it lies.
        alone = (
            asked.apart & (asked.beat_pitch > 1) & burst_is_legal(config, asked.address, Const(1)) & (asked.beats != 0)
        )
        self.assume(~request.valid | whole | (alone & (asked.beats <= config.burst_beats)))
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
        apart = Signal(2)
        with m.If(bus.awvalid & bus.awready):
            m.d.sync += apart.eq(Mux(bus.awlen == 0, Mux(apart == 3, 3, apart + 1), 0))
        self.witness(m, "one beat each", (apart == 3) & past(m, bus.awvalid & bus.awready) & bus.awvalid)
        answered, long = Signal(2), Signal()
        with m.If(bus.awvalid & (bus.awlen > 1)):
            m.d.sync += long.eq(1)
        with m.If(gone & long):
            m.d.sync += answered.eq(Mux(answered == 3, 3, answered + 1))
        self.witness(m, "second write ends", answered == 2)
        self.conclude(m)
        return m
