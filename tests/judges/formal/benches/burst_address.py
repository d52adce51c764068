"""What is proved about the addresses of bursts."""

from __future__ import annotations

from typing import ClassVar

from amaranth.hdl import Module, Signal
from request_rules import legal_runs
from rules import Bench, past
from small_configurations import BROAD_ADDRESSES, page_bits

from wingrid.hw.bus.bursts import Bursts, descriptor_layout
from wingrid.hw.config import OFFSET_BITS, AcceleratorConfig
from wingrid.hw.registers import BASE_ALIGNMENT_BITS

BEATS_BITS, RUNS_BITS = 6, 3


class BurstAddressBench(Bench):
    """The bursts of any legal runs at any base, which stays while they are under way."""

    rules: ClassVar = {
        "address": "bursts follow each other through their runs, at base + offset, modulo the width of addresses",
    }
    witnesses: ClassVar = {
        "carry": "an address lies on the other side of 4 GiB than its base",
        "second run": "a burst of a second run is offered",
    }

    def __init__(self, config: AcceleratorConfig = BROAD_ADDRESSES) -> None:
        self.config = config
        layout = descriptor_layout(BEATS_BITS, RUNS_BITS)
        super().__init__(
            {"descriptor_valid": 1, "descriptor": layout.size, "burst_ready": 1, "page": page_bits(config)}
        )

    def elaborate(self, platform: object) -> Module:
        config = self.config
        m = Module()
        self.begin(m)
        m.submodules.device = device = Bursts(config, BEATS_BITS, RUNS_BITS)
        descriptor, burst = device.descriptor, device.burst
        base = self.page << BASE_ALIGNMENT_BITS
        m.d.comb += [
            device.base.eq(base),
            descriptor.valid.eq(self.descriptor_valid),
            descriptor.payload.as_value().eq(self.descriptor),
            burst.ready.eq(self.burst_ready),
        ]
        self.assume(legal_runs(config, descriptor.valid, descriptor.payload))
        self.assume(device.idle | (base == past(m, base)))
        # Where the next burst lies, and what is left of its run.
        run, offset, pitch = Signal(OFFSET_BITS), Signal(OFFSET_BITS), Signal(OFFSET_BITS)
        left, beats, second = Signal(BEATS_BITS), Signal(BEATS_BITS), Signal()
        with m.If(burst.valid & burst.ready):
            with m.If(burst.p.beats == left):
                m.d.sync += [run.eq(run + pitch), offset.eq(run + pitch), left.eq(beats), second.eq(1)]
            with m.Else():
                m.d.sync += [offset.eq(offset + burst.p.beats * config.bus_bytes), left.eq(left - burst.p.beats)]
        with m.If(descriptor.valid & descriptor.ready):
            given = descriptor.payload
            m.d.sync += [
                run.eq(given.address),
                offset.eq(given.address),
                pitch.eq(given.pitch),
                left.eq(given.beats),
                beats.eq(given.beats),
                second.eq(0),
            ]
        self.rule(m, "address", ~burst.valid | (burst.p.address == (base + offset)[: config.address_bits]))
        self.witness(m, "carry", burst.valid & (burst.p.address[OFFSET_BITS:] != base[OFFSET_BITS:]))
        self.witness(m, "second run", burst.valid & second)
        self.conclude(m)
        return m
