"""What is proved about the read master."""

from __future__ import annotations

from typing import ClassVar

from amaranth.hdl import Cat, Module, Mux, Signal
from axi_rules import burst_is_legal
from bus_ports import drive, free
from master_rules import MASTER_READS, check_reads
from rules import Bench, past
from small_configurations import BROAD_ADDRESSES

from wingrid.hw.bus import axi
from wingrid.hw.bus.read_master import ReadMaster, read_request
from wingrid.hw.config import AcceleratorConfig


class ReadMasterBench(Bench):
    """The read master alone, with any requests that are legal."""

    rules: ClassVar = {
        **MASTER_READS,
        "address": "a burst's address is that of the request taken in the cycle before",
        "RREADY": "R never waits",
        "beats find their reader": "a beat goes to whoever asked for its burst, in the next cycle",
        "final": "a burst's last beat carries what its request said, to its reader; no other is last or final",
        "idle": "idle means that no burst is on the bus",
    }
    witnesses: ClassVar = {
        "second read ends": "two bursts of several beats were read",
        "full": "no more may start",
    }

    def __init__(self, config: AcceleratorConfig = BROAD_ADDRESSES) -> None:
        self.config = config
        request = read_request(config).size
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

        taken = (device.fetch.valid & device.fetch.ready) | (device.load.valid & device.load.ready)
        expected = past(m, Mux(device.fetch.valid, device.fetch.payload.address, device.load.payload.address))
        self.rule(m, "address", ~past(m, taken) | (bus.arvalid & (bus.araddr == expected)))

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
        final = beat & last & owner[1]
        finals = (device.fetch_beat.final == (final & ~owner[0])) & (device.load_beat.final == (final & owner[0]))
        self.rule(m, "final", finals & (~beat | (device.load_beat.last == last)))
        self.rule(m, "idle", ~device.idle | (count == 0))
        ended, beats = Signal(2), Signal(9)
        m.d.sync += beats.eq(Mux(leaves, 0, beats + (bus.rvalid & bus.rready)))
        with m.If(leaves & (beats > 1)):
            m.d.sync += ended.eq(Mux(ended == 3, 3, ended + 1))
        self.witness(m, "second read ends", ended == 2)
        self.witness(m, "full", (count == depth) & device.fetch.valid & device.load.valid & ~self.halt)
        self.conclude(m)
        return m
