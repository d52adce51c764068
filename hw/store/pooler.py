"""Max pooling of requantised results, as a stream."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.store.pooler_lane import PoolerLane
from wingrid.hw.store.requantiser import results_layout


class Pooler(wiring.Component):
    """The lane-wise maximum over windows of results; int8, so it commutes with requantisation and clamp.

    With ``window`` 0 or 1 results pass. Else, with ``tile`` 0, each ``window`` x ``window`` results in a row
    become one. With a tile, results come in raster order of tile x tile pixels, and each 2 x 2 of them
    become one, in raster order again. One result enters per cycle.

    Three steps with a register behind each: a result and its place; the larger one of it and what came before (of its
    window so far, or of its pair in a line of a tile); the larger one of a pair and the pair above.

    Members
    -------
    window : In, 8
    tile : In, 8
        Both may only change between whole windows and tiles, two cycles before the next result or earlier, and once all
        maxima have left.
    input : In, ``results_layout(config)``
    output : Out, ``results_layout(config)``
        A maximum, ``latency`` cycles after the result that completes its window.
    """

    latency = 3
    """Cycles from the result that completes a window to the maximum."""

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        super().__init__(
            {
                "window": In(8),
                "tile": In(8),
                "input": In(results_layout(config)),
                "output": Out(results_layout(config)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        config = self._config
        m = Module()

        # Where a result stands in its window or tile.
        last_window = Signal(8)
        last_tile = Signal(8)
        passes = Signal()
        tiled = Signal()
        m.d.sync += [
            last_window.eq(self.window - 1),
            last_tile.eq(self.tile - 1),
            passes.eq(self.window <= 1),
            tiled.eq((self.window > 1) & (self.tile != 0)),
        ]
        x = Signal(8)
        y = Signal(8)
        last = Mux(tiled, last_tile, last_window)
        ends_line = Signal()
        ends = Signal()
        m.d.comb += [ends_line.eq(passes | (x == last)), ends.eq(passes | (ends_line & (y == last)))]
        with m.If(self.input.valid):
            m.d.sync += x.eq(x + 1)
            with m.If(ends_line):
                m.d.sync += [x.eq(0), y.eq(Mux(ends, 0, y + 1))]

        valid = Signal()
        opens = Signal()
        completes = Signal()
        completed = Signal()
        m.d.sync += [
            valid.eq(self.input.valid),
            opens.eq(passes | ((x == 0) & (y == 0))),
            # Of a tile each second result in each second line.
            completes.eq(self.input.valid & Mux(tiled, x[0] & y[0], ends)),
            completed.eq(completes),
            self.output.valid.eq(completed),
        ]
        # Pairs in a line of a tile; without tiles nobody asks for theirs.
        columns = config.winograd // 2
        column = Signal(range(max(2, columns)))
        is_odd = Signal()
        is_below = Signal()
        if columns:
            m.d.sync += [column.eq(x[1:]), is_odd.eq(x[0]), is_below.eq(y[0])]
        for number in range(config.cols):
            m.submodules[f"lane_{number}"] = lane = PoolerLane(columns)
            m.d.comb += [
                lane.value.eq(self.input.lanes[number]),
                lane.valid.eq(valid),
                lane.opens.eq(opens),
                lane.tiled.eq(tiled),
                lane.is_odd.eq(is_odd),
                lane.is_below.eq(is_below),
                lane.column.eq(column),
                self.output.lanes[number].eq(lane.maximum),
            ]
        return m
