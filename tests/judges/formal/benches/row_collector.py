"""What is proved about the sums of sparse rows on their way to the accumulators."""

from __future__ import annotations

import dataclasses
from itertools import pairwise
from typing import ClassVar

from amaranth.hdl import Cat, Module, Mux, Signal
from rules import Bench
from small_configurations import SMALL

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.sparse.row_collector import RowCollector, destination_layout
from wingrid.hw.sparse.sparse_lane import SUM_BITS

LANES = dataclasses.replace(SMALL, sparse=1)


class RowCollectorBench(Bench):
    """Any sums at any time, and runs to any place that begin whenever no sum comes."""

    rules: ClassVar = {
        "whole": "a vector comes a cycle after each cols-th sum of a run until it has all of them, at no other time",
        "place": "a run's vectors go to its bank, one after the other from its address on",
        "order": "the sums of a vector lie in the order in which they came",
        "plain": "vectors neither accumulate nor are the last of anything",
    }
    witnesses: ClassVar = {
        "full": "a run had all of its vectors, more than one",
        "beyond": "sums came that would have made a vector beyond the run's",
        "dropped": "a run began amid a vector",
    }

    def __init__(self, config: AcceleratorConfig = LANES) -> None:
        self.config = config
        where = destination_layout(config).size
        super().__init__({"run_begins": 1, "where": where, "sum_valid": 1, "sum": SUM_BITS})

    def elaborate(self, platform: object) -> Module:
        config = self.config
        cols = config.cols
        m = Module()
        self.begin(m)
        m.submodules.device = device = RowCollector(config)
        m.d.comb += [
            device.begin.eq(self.run_begins),
            device.destination.as_value().eq(self.where),
            device.valid.eq(self.sum_valid),
            device.sum.eq(self.sum),
        ]
        self.assume(~(device.begin & device.valid))
        # What a run's sums must become, counted and not shifted.
        run = Signal(destination_layout(config))
        sums, vectors = Signal(range(cols)), Signal(range(config.accumulators + 1))
        latest = [Signal(SUM_BITS, name=f"latest_{age}") for age in range(cols)]
        completes = Signal()
        due, place, bank = Signal(), Signal.like(run.address), Signal()
        beyond, dropped = Signal(), Signal()
        m.d.comb += completes.eq(device.valid & (sums == cols - 1))
        m.d.sync += [
            due.eq(completes & (vectors < run.count)),
            place.eq(run.address + vectors),
            bank.eq(run.bank),
        ]
        with m.If(device.valid):
            m.d.sync += [
                sums.eq(Mux(completes, 0, sums + 1)),
                latest[0].eq(self.sum),
                *(later.eq(earlier) for earlier, later in pairwise(latest)),
            ]
        with m.If(completes & (vectors < run.count)):
            m.d.sync += vectors.eq(vectors + 1)
        with m.If(completes & (vectors >= run.count)):
            m.d.sync += beyond.eq(1)
        with m.If(device.begin):
            m.d.sync += [run.eq(device.destination), sums.eq(0), vectors.eq(0), dropped.eq(dropped | (sums != 0))]
        left = device.sums
        self.rule(m, "whole", left.valid == due)
        self.rule(m, "place", ~left.valid | ((left.tag.address == place) & (left.tag.bank == bank)))
        in_order = Cat(left.lanes[cols - 1 - age].as_unsigned() == latest[age] for age in range(cols)).all()
        self.rule(m, "order", ~left.valid | in_order)
        self.rule(m, "plain", ~(left.tag.accumulate | left.tag.last))
        self.witness(m, "full", (vectors == run.count) & (vectors > 1))
        self.witness(m, "beyond", beyond)
        self.witness(m, "dropped", dropped)
        self.conclude(m)
        return m
