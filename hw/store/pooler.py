"""Max pooling of requantised results, as a stream."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.store.requantiser import results_layout


class Pooler(wiring.Component):
    """The lane-wise maximum over windows of results; int8, so it commutes with requantisation and clamp.

    With ``window`` 0 or 1 results pass. Else, with ``tile`` 0, each ``window`` x ``window`` results in a row
    become one. With a tile, results come in raster order of tile x tile pixels, and each 2 x 2 of them
    become one, in raster order again. One result enters per cycle.

    Members
    -------
    window : In, 8
    tile : In, 8
        Both may only change between whole windows and tiles.
    input : In, ``results_layout(config)``
    output : Out, ``results_layout(config)``
        A maximum, ``latency`` cycles after the result that completes its window.
    """

    latency = 1
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
        lanes = data.ArrayLayout(signed(8), config.cols)
        result = self.input.lanes
        passes = self.window <= 1

        # Direct: a running maximum.
        x, y = Signal(8), Signal(8)
        running, longest = Signal(lanes), Signal(lanes)
        ends_line, opens, ends = Signal(), Signal(), Signal()
        m.d.comb += [
            ends_line.eq(passes | (x == self.window - 1)),
            opens.eq(passes | ((x == 0) & (y == 0))),
            ends.eq(passes | (ends_line & (y == self.window - 1))),
        ]
        self._larger(m, longest, running, result, opens)
        m.d.sync += self.output.valid.eq(0)
        if not config.tiles:
            with m.If(self.input.valid):
                self._count(m, x, y, ends_line, ends)
                m.d.sync += [running.eq(longest), self.output.lanes.eq(longest), self.output.valid.eq(ends)]
            return m

        # Tiles: the maximum of a pair in a line waits for the pair below.
        columns = config.winograd // 2
        above = [Signal(lanes, name=f"above_{column}") for column in range(columns)]
        left, pair, square = Signal(lanes), Signal(lanes), Signal(lanes)
        chosen = Signal(lanes)
        last = Signal(8)
        m.d.comb += last.eq(self.tile - 1)
        with m.Switch(x[1 : max(2, columns.bit_length())]):
            for column, register in enumerate(above):
                with m.Case(column):
                    m.d.comb += chosen.eq(register)
        self._larger(m, pair, left, result, Value.cast(0))
        self._larger(m, square, chosen, pair, Value.cast(0))
        with m.If(self.input.valid):
            with m.If((self.tile == 0) | passes):
                self._count(m, x, y, ends_line, ends)
                m.d.sync += [running.eq(longest), self.output.lanes.eq(longest), self.output.valid.eq(ends)]
            with m.Else():
                self._count(m, x, y, x == last, (x == last) & (y == last))
                with m.If(~x[0]):
                    m.d.sync += left.eq(result)
                with m.Elif(~y[0]), m.Switch(x[1 : max(2, columns.bit_length())]):
                    for column, register in enumerate(above):
                        with m.Case(column):
                            m.d.sync += register.eq(pair)
                with m.Else():
                    m.d.sync += [self.output.lanes.eq(square), self.output.valid.eq(1)]
        return m

    def _count(self, m: Module, x: Signal, y: Signal, ends_line: Value, ends: Value) -> None:
        """Move on by one in a window or tile."""
        m.d.sync += x.eq(x + 1)
        with m.If(ends_line):
            m.d.sync += [x.eq(0), y.eq(Mux(ends, 0, y + 1))]

    def _larger(self, m: Module, larger: Value, a: Value, b: Value, ignore_a: Value) -> None:
        for lane in range(self._config.cols):
            m.d.comb += larger[lane].eq(Mux(ignore_a | (b[lane] > a[lane]), b[lane], a[lane]))
