"""Sums of rows, one by one, as vectors for the accumulators."""

from __future__ import annotations

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.mesh.accumulators import accumulator_tag
from wingrid.hw.mesh.matrix_unit import sums_layout
from wingrid.hw.sparse.sparse_lane import SUM_BITS


def destination_layout(config: AcceleratorConfig) -> data.StructLayout:
    """Where the vectors of a run go: ``count`` accumulators of a bank, from ``address`` on."""
    return data.StructLayout(
        {"bank": 1, "address": range(config.accumulators), "count": range(config.accumulators + 1)}
    )


class RowCollector(wiring.Component):
    """Puts ``cols`` sums side by side, the first one in lane 0, and sends each such vector to the next accumulator.

    Vectors beyond the run's ``count`` go nowhere, and so do sums that do not fill one when the next run begins.

    Members
    -------
    begin : In, 1
        A run begins; comes with no sum.
    destination : In, ``destination_layout(config)``
        Of the run that begins.
    valid : In, 1
    sum : In, signed(32)
    sums : Out, ``sums_layout(config, accumulator_tag(config))``
        A cycle after the vector's last sum; never tagged ``accumulate`` or ``last``.
    """

    latency = 1
    """Cycles from the last sum of a vector to the vector."""

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        super().__init__(
            {
                "begin": In(1),
                "destination": In(destination_layout(config)),
                "valid": In(1),
                "sum": In(signed(SUM_BITS)),
                "sums": Out(sums_layout(config, accumulator_tag(config))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        cols = self._config.cols
        lanes = [Signal(signed(SUM_BITS), name=f"lane_{lane}", reset_less=True) for lane in range(cols)]
        filled = Signal(range(cols))
        current = Signal(destination_layout(self._config))
        address = Signal.like(current.address)
        completes = Signal()
        m.d.comb += [
            completes.eq(self.valid & (filled == cols - 1)),
            *(self.sums.lanes[lane].eq(value) for lane, value in enumerate(lanes)),
            self.sums.tag.bank.eq(current.bank),
            self.sums.tag.address.eq(address),
        ]
        m.d.sync += [self.sums.valid.eq(completes & (current.count != 0)), address.eq(current.address)]
        with m.If(self.valid):
            m.d.sync += [
                *(lane.eq(value) for lane, value in zip(lanes, [*lanes[1:], self.sum], strict=True)),
                filled.eq(filled + 1),
            ]
        with m.If(completes):
            m.d.sync += filled.eq(0)
            with m.If(current.count != 0):
                m.d.sync += [current.address.eq(current.address + 1), current.count.eq(current.count - 1)]
        with m.If(self.begin):
            m.d.sync += [filled.eq(0), current.eq(self.destination)]
        return m
