"""What is proved about the combination of results with another tensor."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from rules import Bench, past
from small_configurations import SMALL

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.isa import ADDITION_FRACTION_BITS, Combining
from wingrid.hw.store.combination import Combination

WITH_ADDENDS = dataclasses.replace(SMALL, addends=16)
ADDRESS_BITS = 4

WATCHED = 11
"""The entry that is watched, one that stands for all; the base may be any."""


class CombinationBench(Bench):
    """Instructions whose results pass, or give way to what they are combined with, one after the other.

    The sum is that of no result and one addend, so that it shows which entry a result meets. Entries are written at any
    time, but the watched one only between instructions. Of one column.
    """

    rules: ClassVar = {
        "when": "a result leaves `latency` cycles after it came, and at no other time",
        "passes": "what is not combined leaves as it came",
        "in order": "results meet entries one after the other, from the base on and around, or all the same one",
    }
    witnesses: ClassVar = {
        "around": "a result met the entry behind the last one, which is the first",
        "broadcast": "two results met the same entry",
        "next": "an instruction followed one that was combined, and passed",
    }

    def __init__(self, config: AcceleratorConfig = WITH_ADDENDS) -> None:
        self.config = config
        super().__init__(
            {
                "write": 1, "address": ADDRESS_BITS, "data": 8, "rewind": 1, "summed": 1, "base": ADDRESS_BITS,
                "broadcast": 1, "coming": 1, "result": signed(8),
            }
        )  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self.begin(m)
        m.submodules.device = device = Combination(self.config)
        lane = self.config.cols - 1
        # An instruction rewinds when the results of the one before have left, and a cycle before its own come.
        flight, begun = Signal(device.lead + device.latency), Signal()
        rewind, coming = Signal(), Signal()
        m.d.comb += [
            rewind.eq(self.rewind & ~flight.any()),
            coming.eq(self.coming & begun & ~rewind & ~past(m, rewind, "last_rewind")),
        ]
        m.d.sync += [flight.eq(Cat(coming, flight)), begun.eq(begun | rewind)]
        # What it is holds from the last cycle of that on.
        held = Signal(2 + ADDRESS_BITS)
        fields = Mux(rewind, Cat(self.summed, self.broadcast, self.base), held)
        m.d.sync += held.eq(fields)
        summed, broadcast, base = fields[0], fields[1], fields[2:]

        written = self.write & (self.address == WATCHED) & rewind
        came = coming
        for age in range(device.lead):
            came = past(m, came, f"came_{age}")
        m.d.comb += [
            device.write_enable.eq(written | (self.write & (self.address != WATCHED))),
            device.write_address.eq(self.address),
            device.write_data.word_select(lane, 8).eq(self.data),
            device.combination.eq(Mux(summed, Combining.SUM, Combining.NONE)),
            device.addend_factor.eq(1 << ADDITION_FRACTION_BITS),
            device.base.eq(base),
            device.broadcast.eq(broadcast),
            device.rewind.eq(rewind),
            device.coming.eq(coming),
            device.input.valid.eq(came),
            device.input.lanes[lane].eq(self.result),
        ]
        known, content = Signal(), Signal(signed(8))
        with m.If(written):
            m.d.sync += [known.eq(1), content.eq(self.data)]
        place = Signal(ADDRESS_BITS)
        with m.If(rewind):
            m.d.sync += place.eq(base)
        with m.Elif(coming & ~broadcast):
            m.d.sync += place.eq(place + 1)

        due, meets, passed = coming, known & (place == WATCHED), self.result
        for age in range(device.lead + device.latency):
            due, meets = past(m, due, f"due_{age}"), past(m, meets, f"meets_{age}")
        for age in range(device.latency):
            passed = past(m, passed, f"passed_{age}")
        left = device.output
        self.rule(m, "when", left.valid == due)
        self.rule(m, "passes", ~left.valid | summed | (left.lanes[lane] == passed))
        self.rule(m, "in order", ~(left.valid & summed & meets) | (left.lanes[lane] == content))

        combined = left.valid & summed & meets
        summed_once = Signal()
        with m.If(combined):
            m.d.sync += summed_once.eq(1)
        self.witness(m, "around", combined & (base > WATCHED))
        self.witness(m, "broadcast", combined & past(m, combined, "last_combined") & broadcast)
        self.witness(m, "next", left.valid & ~summed & summed_once)
        self.conclude(m)
        return m
