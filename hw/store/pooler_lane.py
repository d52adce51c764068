"""One lane of max pooling."""

from __future__ import annotations

from amaranth.hdl import Array, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class PoolerLane(wiring.Component):
    """The registers and comparisons of ``Pooler`` for one channel; the pooler knows where a result stands.

    Members
    -------
    value : In, signed(8)
        The result.
    valid : In, 1
        There was a result in the cycle before, and all that follows is about that one.
    opens : In, 1
        It is the first one of its window.
    tiled : In, 1
        Maxima are those of squares of a tile, not of windows in a row.
    is_odd, is_below : In, 1
        It is the second one of its pair in a line, and in the second line of its square.
    column : In, range(max(2, columns))
        Its pair's place in a line.
    maximum : Out, signed(8)
    """

    def __init__(self, columns: int) -> None:
        self._columns = columns
        super().__init__(
            {
                "value": In(signed(8)),
                "valid": In(1),
                "opens": In(1),
                "tiled": In(1),
                "is_odd": In(1),
                "is_below": In(1),
                "column": In(range(max(2, columns))),
                "maximum": Out(signed(8)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        result, maximum = _register("result"), _register("maximum")
        m.d.sync += result.eq(self.value)
        m.d.comb += self.maximum.eq(maximum)

        # Direct: the running maximum of the window.
        running = _register("running")
        with m.If(self.valid):
            m.d.sync += running.eq(Mux(self.opens, result, _larger(running, result)))
        if not self._columns:
            m.d.sync += maximum.eq(running)
            return m

        # Tiles: the maximum of a pair in a line waits for the pair below.
        above = Array(_register(f"above_{number}") for number in range(self._columns))
        left, pair, chosen = (_register(name) for name in ("left", "pair", "chosen"))
        larger = Signal(signed(8))
        m.d.comb += larger.eq(_larger(left, result))
        with m.If(self.valid & ~self.is_odd):
            m.d.sync += left.eq(result)
        with m.If(self.valid & self.is_odd & ~self.is_below):
            m.d.sync += above[self.column].eq(larger)
        m.d.sync += [
            pair.eq(larger),
            chosen.eq(above[self.column]),
            maximum.eq(Mux(self.tiled, _larger(chosen, pair), running)),
        ]
        return m


def _register(name: str) -> Signal:
    return Signal(signed(8), name=name, reset_less=True)


def _larger(a: Value, b: Value) -> Value:
    return Mux(b > a, b, a)
