"""Winograd's input transform B^T d B of patches of vectors, as a stream: a vector in, a vector out."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from wingrid.hw.ram_style import RamStyle
from wingrid.hw.winograd.input_axis import InputAxis
from wingrid.hw.winograd.vectors import vector_layout
from wingrid.hw.winograd_matrices import INT8, element_bits, signed_bits, span, winograd


class InputTransform(wiring.Component):
    """Transform patches lane by lane: v = B^T d B, exactly.

    d and v have n x n elements, for the transform that ``select`` picks from ``tiles``. ``d[a][b]`` enters with b
    running fastest, ``v[p][q]`` leaves with p running fastest. Up to one vector enters per cycle, gaps do no harm, and
    there is no back-pressure.

    A half transforms along b, a memory turns the patch, a half transforms along a. Rows and columns of the memory
    change places with every patch, so that an element is written where one of the patch before has been read.

    Members
    -------
    select : In, range(max(2, len(tiles)))
        May only change while ``empty`` is high.
    input : In, ``vector_layout(8, lanes)``
    output : Out, ``vector_layout(element_bits(max(tiles))[0], lanes)``
        A patch's outputs, one per cycle without gaps, from ``latency_for(tile)`` cycles after its last input on. Lanes
        have a meaning only together with ``valid``.
    empty : Out, 1
        High from the cycle after a patch's last output to that of the next one's first input, that one included.
    """

    def __init__(self, tiles: Sequence[int], *, lanes: int) -> None:
        self._tiles = tiles
        self._lanes = lanes
        self._output_bits = element_bits(max(tiles))[0]
        super().__init__(
            {
                "select": In(range(max(2, len(tiles)))),
                "input": In(vector_layout(8, lanes)),
                "output": Out(vector_layout(self._output_bits, lanes)),
                "empty": Out(1, init=1),
            }
        )

    @staticmethod
    def latency_for(tile: int) -> int:
        """Cycles from a patch's last input to its first output: n + 4.

        One to begin to read, n to read a column, and the second half.
        """
        return 1 + winograd(tile).patch + InputAxis.latency

    @property
    def _middle_bits(self) -> int:
        """Signed width of B^T d."""
        rows = [row for tile in self._tiles for row in winograd(tile).input_matrix]
        return max(signed_bits(span(row, INT8)) for row in rows)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        lanes, middle_bits = self._lanes, self._middle_bits
        four = Signal()
        last = Signal(3)
        if 4 in self._tiles:
            m.d.comb += four.eq(self.select == self._tiles.index(4))
        m.d.comb += last.eq(Mux(four, 5, 3))
        m.submodules.first = first = InputAxis(lanes=lanes, input_bits=8, output_bits=middle_bits)
        m.submodules.second = second = InputAxis(lanes=lanes, input_bits=middle_bits, output_bits=self._output_bits)
        m.d.comb += [half.four.eq(four) for half in (first, second)]

        depth = 8 * max(winograd(tile).patch for tile in self._tiles)
        memory = Memory(shape=middle_bits * lanes, depth=depth, init=[], attrs=RamStyle.DISTRIBUTED.attributes)
        m.submodules.memory = memory
        write, read = memory.write_port(), memory.read_port()
        reading = Signal()
        row = Signal(3)
        last_row = Signal()
        complete = Signal()
        read_ends = Signal()
        write_address, _ = self._walk(m, "write", first.output.valid, last, turned=0)
        read_address, ends = self._walk(m, "read", reading, last, turned=1)
        m.d.comb += [
            first.input.eq(self.input),
            write.en.eq(first.output.valid),
            write.addr.eq(write_address),
            write.data.eq(first.output.lanes.as_value()),
            read.en.eq(1),
            read.addr.eq(read_address),
            read_ends.eq(ends),
            second.input.lanes.as_value().eq(read.data),
            self.output.eq(second.output),
            complete.eq(first.ends & last_row),
        ]
        m.d.sync += second.input.valid.eq(reading)
        # Reading begins as the last row enters; its first element is there when the column's others are read.
        with m.If(first.ends):
            m.d.sync += [row.eq(Mux(last_row, 0, row + 1)), last_row.eq(row + 1 == last)]
        with m.If(complete):
            m.d.sync += reading.eq(1)
        with m.Elif(read_ends):
            m.d.sync += reading.eq(0)

        # From a patch's last input on it takes a fixed time until it is out.
        partial = Signal()
        remaining = Signal(range(max(self._stay_for(tile) for tile in self._tiles) + 1))
        with m.If(complete):
            m.d.sync += [partial.eq(0), remaining.eq(Mux(four, self._stay_for(4), self._stay_for(2)))]
        with m.Else():
            with m.If(self.input.valid):
                m.d.sync += partial.eq(1)
            with m.If(remaining != 0):
                m.d.sync += remaining.eq(remaining - 1)
        m.d.sync += self.empty.eq(~complete & ~partial & ~self.input.valid & (remaining <= 1))
        return m

    def _stay_for(self, tile: int) -> int:
        """Cycles from a patch's last input to its last output."""
        return self.latency_for(tile) + winograd(tile).patch ** 2 - 1

    def _walk(self, m: Module, name: str, step: Value, last: Value, *, turned: int) -> tuple[Value, Value]:
        """An address whose low or, ``turned``, high half runs faster, alternately; and whether it is a patch's last."""
        low, high = Signal(3, name=f"{name}_low"), Signal(3, name=f"{name}_high")
        is_turned = Signal(name=f"{name}_turned", init=turned)
        low_ends, high_ends = low == last, high == last
        with m.If(step & (~is_turned | high_ends)):
            m.d.sync += low.eq(Mux(low_ends, 0, low + 1))
        with m.If(step & (is_turned | low_ends)):
            m.d.sync += high.eq(Mux(high_ends, 0, high + 1))
        with m.If(step & low_ends & high_ends):
            m.d.sync += is_turned.eq(~is_turned)
        return Cat(low, high), low_ends & high_ends
