"""What is proved about tables behind requantisation."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from amaranth.hdl import Cat, Module, Mux, Signal
from rules import Bench, past
from small_configurations import SMALL

from wingrid.hw.config import TABLE_ENTRIES, AcceleratorConfig
from wingrid.hw.store.table_lookup import TableLookup

WITH_TABLES = dataclasses.replace(SMALL, tables=2)

ENTRY = TABLE_ENTRIES + 0xA5
"""The entry that is watched, of the second table: one that stands for all, as proofs for any entry take too long."""


class TableLookupBench(Bench):
    """Results at any time, tables that are written whenever the watched entry is not looked up, of one column."""

    rules: ClassVar = {
        "when": "a result leaves `latency` cycles after it came, and at no other time",
        "passes": "without a table it leaves as it came",
        "looked up": "with one, what was last written for it leaves in its place",
    }
    witnesses: ClassVar = {
        "back to back": "the watched entry was looked up twice on end, as another than the result itself",
        "rewritten": "it was looked up, written again, and looked up again",
    }

    def __init__(self, config: AcceleratorConfig = WITH_TABLES, entry: int = ENTRY) -> None:
        self.config = config
        self._entry = entry
        super().__init__({"write": 1, "address": 9, "data": 8, "change": 1, "chosen": 2, "valid": 1, "result": 8})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self.begin(m)
        m.submodules.device = device = TableLookup(self.config)
        lane = self.config.cols - 1
        # A table stays until results have left, and what is looked up is not written while it is.
        flight, chosen, valid = Signal(device.latency), Signal(2), Signal()
        m.d.sync += flight.eq(Cat(valid, flight))
        changes = self.change & ~flight.any()
        with m.If(changes):
            m.d.sync += chosen.eq(Mux(self.chosen == 3, 0, self.chosen))
        m.d.comb += valid.eq(self.valid & ~changes)
        write = self.write & ((self.address != self._entry) | ~(flight.any() | valid))
        written = write & (self.address == self._entry)
        m.d.comb += [
            device.write_enable.eq(write),
            device.write_address.eq(self.address),
            device.write_data.word_select(lane, 8).eq(self.data),
            device.table.eq(chosen),
            device.input.valid.eq(valid),
            device.input.lanes[lane].eq(self.result),
        ]
        known, content = Signal(), Signal(8)
        with m.If(written):
            m.d.sync += [known.eq(1), content.eq(self.data)]

        met = known & (self.result == self._entry % TABLE_ENTRIES) & (chosen == self._entry // TABLE_ENTRIES + 1)
        due, meets, passed, passes = valid, met, self.result, chosen == 0
        for age in range(device.latency):
            due, meets, passed, passes = (
                past(m, value, f"{name}_{age}")
                for name, value in (("due", due), ("meets", meets), ("passed", passed), ("passes", passes))
            )
        left = device.output
        lanes = left.lanes[lane].as_unsigned()
        self.rule(m, "when", left.valid == due)
        self.rule(m, "passes", ~(left.valid & passes) | (lanes == passed))
        self.rule(m, "looked up", ~(left.valid & meets) | (lanes == content))
        looked = left.valid & meets & (lanes != passed)
        self.witness(m, "back to back", looked & past(m, looked, "last_looked"))
        again = Signal(2)
        with m.If(Cat(looked, written).any() & (Cat(looked, written) == Cat(~again[0], again[0]))):
            m.d.sync += again.eq(again + (again != 3))
        self.witness(m, "rewritten", again == 3)
        self.conclude(m)
        return m
