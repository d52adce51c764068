"""What is proved about bursts: those of the load engine and of the output buffer."""

from __future__ import annotations

from typing import ClassVar

from amaranth.hdl import Module, Signal
from request_rules import REQUESTS, legal_runs, request_rules
from rules import Bench
from small_configurations import NARROW_BUS, page_bits

from wingrid.hw.bus.bursts import Bursts, descriptor_layout
from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.registers import BASE_ALIGNMENT_BITS

BEATS_BITS, RUNS_BITS = 6, 3
"""Enough for runs of several bursts and beyond a page's end; rules do not depend on sizes."""


class BurstsBench(Bench):
    """The bursts of any runs that are legal, as the two that have them prove theirs to be."""

    rules: ClassVar = {**REQUESTS, "apart": "a burst says whether its beats lie apart"}
    witnesses: ClassVar = {"second descriptor": "two descriptors of several bursts were asked for"}

    def __init__(self, config: AcceleratorConfig = NARROW_BUS) -> None:
        self.config = config
        layout = descriptor_layout(BEATS_BITS, RUNS_BITS)
        super().__init__(
            {"descriptor_valid": 1, "descriptor": layout.size, "burst_ready": 1, "page": page_bits(config)}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self.begin(m)
        m.submodules.device = device = Bursts(self.config, BEATS_BITS, RUNS_BITS)
        descriptor, burst = device.descriptor, device.burst
        m.d.comb += [
            device.base.eq(self.page << BASE_ALIGNMENT_BITS),
            descriptor.valid.eq(self.descriptor_valid),
            descriptor.payload.as_value().eq(self.descriptor),
            burst.ready.eq(self.burst_ready),
        ]
        self.assume(legal_runs(self.config, descriptor.valid, descriptor.payload))
        request_rules(self, m, self.config, burst.valid, burst.p.address, burst.p.beats, ~burst.p.apart)
        self.rule(m, "apart", ~burst.valid | (burst.p.apart == (burst.p.beat_pitch != 1)))
        count, asked = Signal(3), burst.valid & burst.ready
        with m.If(asked & ~burst.p.final & (count[0] == 0)):
            m.d.sync += count.eq(count + 1)
        with m.Elif(asked & burst.p.final & (count[0] == 1) & (count != 7)):
            m.d.sync += count.eq(count + 1)
        self.witness(m, "second descriptor", count == 4)
        self.conclude(m)
        return m
