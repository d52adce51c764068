"""Winograd's output transform A^T M A of tiles of vectors, as a stream: a vector in, a vector out."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from wingrid.hw.copies import copies
from wingrid.hw.ram_style import RamStyle
from wingrid.hw.winograd.output_axis import OutputAxis
from wingrid.hw.winograd.vectors import register, vector_layout
from wingrid.hw.winograd_matrices import winograd


class OutputTransform(wiring.Component):
    """Transform tiles lane by lane: y = A^T M A / 2**shift, exactly modulo ``2**(bits - shift)``.

    M has n x n elements, sums of Winograd products modulo ``2**bits``, and y m x m, for the transform that ``select``
    picks from ``tiles``. ``M[a][b]`` enters with b running fastest, ``y[p][q]`` leaves with p running fastest. Up to
    one vector enters per cycle, gaps do no harm, and there is no back-pressure.

    A half transforms along b, a memory turns the tile, a half transforms along a. Elements of the memory lie
    in the order in which they come, tile after tile around it; a tile's columns are read before the next tile's
    rows get there. A column takes n cycles to read, so m results leave in a row, every n cycles.

    Members
    -------
    select : In, range(max(2, len(tiles)))
        May only change while no tile is inside.
    input : In, ``vector_layout(bits, lanes)``
    output : Out, ``vector_layout(bits - 2, lanes)``
        A tile's outputs, m of them every n cycles, from ``latency_for(m)`` to ``latency_for(m) + span_for(m)``
        cycles after its last input. Lanes have a meaning only together with ``valid``, and the upper four bits only for
        F(2x2).
    """

    def __init__(self, tiles: Sequence[int], *, lanes: int, bits: int) -> None:
        self._tiles = tiles
        self._lanes = lanes
        self._bits = bits
        super().__init__(
            {
                "select": In(range(max(2, len(tiles)))),
                "input": In(vector_layout(bits, lanes)),
                "output": Out(vector_layout(bits - 2, lanes)),
            }
        )

    @staticmethod
    def latency_for(tile: int) -> int:
        """Cycles from a tile's last input to its first output: n + 5.

        One until its lanes are at the first half, one to begin to read, n to read a column, and the second half.
        """
        return 2 + winograd(tile).patch + OutputAxis.latency

    @staticmethod
    def span_for(tile: int) -> int:
        """Cycles from a tile's first output to its last."""
        return (tile - 1) * winograd(tile).patch + tile - 1

    def elaborate(self, platform: object) -> Module:
        m = Module()
        lanes, bits = self._lanes, self._bits
        chosen = Signal()
        four = Signal()
        if 4 in self._tiles:
            m.d.comb += chosen.eq(self.select == self._tiles.index(4))
        m.d.sync += four.eq(chosen)
        m.submodules.first = first = OutputAxis(lanes=lanes, bits=bits)
        m.submodules.second = second = OutputAxis(lanes=lanes, bits=bits - 1)
        # Long before anything comes there, and a cycle apart, as tools make one of registers that are equal.
        m.d.comb += [first.four.eq(chosen), second.four.eq(four)]
        m.d.comb += first.input.valid.eq(self.input.valid)
        for lane in range(lanes):
            arrived = register("arrived", bits, lane)
            m.d.sync += arrived.eq(self.input.lanes[lane])
            m.d.comb += first.input.lanes[lane].eq(arrived)

        # The memories hold a tile and what of the next one arrives before its places are read.
        depth = 32 if 4 in self._tiles else 16
        place = Signal(range(depth))
        with m.If(first.output.valid):
            m.d.sync += place.eq(place + 1)

        # Reading begins as the last row is complete; its first element is there when the column's others are read.
        row = Signal(3)
        last_row = Signal(3)
        complete = Signal()
        m.d.comb += [last_row.eq(Mux(four, 5, 3)), complete.eq(first.ends & (row == last_row))]
        with m.If(first.ends):
            m.d.sync += row.eq(Mux(complete, 0, row + 1))
        reading, addresses = self._read(m, four, complete, last_row, depth)
        for lane, address in enumerate(addresses):
            memory = Memory(shape=bits - 1, depth=depth, init=[], attrs=RamStyle.DISTRIBUTED.attributes)
            m.submodules[f"memory_{lane}"] = memory
            write, read = memory.write_port(), memory.read_port()
            m.d.comb += [
                write.en.eq(first.output.valid),
                write.addr.eq(place),
                write.data.eq(first.output.lanes[lane]),
                read.en.eq(1),
                read.addr.eq(address),
                second.input.lanes[lane].eq(read.data.as_signed()),
            ]
        m.d.comb += [second.input.valid.eq(reading), self.output.eq(second.output)]
        return m

    def _read(self, m: Module, four: Value, start: Value, last_row: Value, depth: int) -> tuple[Signal, list[Signal]]:
        """Read a tile column by column: whether an element is read, which is there a cycle later, and where by lane."""
        reading = Signal()
        row = Signal(3)
        column = Signal(2)
        element, next_element, top = (Signal(range(depth), name=name) for name in ("element", "next_element", "top"))
        ends_column = Signal()
        last_column = Signal()
        ends_tile = Signal()
        m.d.comb += [ends_tile.eq(ends_column & last_column), next_element.eq(element)]
        m.d.sync += element.eq(next_element)
        with m.If(start):
            m.d.sync += reading.eq(1)
        with m.Elif(ends_tile):
            m.d.sync += reading.eq(0)
        with m.If(reading):
            with m.If(~ends_column):
                m.d.sync += [row.eq(row + 1), ends_column.eq(row + 1 == last_row)]
                m.d.comb += next_element.eq(element + Mux(four, 4, 2))
            with m.Else():
                m.d.sync += [row.eq(0), ends_column.eq(0)]
                with m.If(~last_column):
                    m.d.sync += [
                        column.eq(column + 1),
                        last_column.eq(column == Mux(four, 2, 0)),
                        top.eq(top + 1),
                    ]
                    m.d.comb += next_element.eq(top + 1)
                with m.Else():
                    # The next tile follows the last element.
                    m.d.sync += [column.eq(0), last_column.eq(0), top.eq(element + 1)]
                    m.d.comb += next_element.eq(element + 1)
        return reading, copies(m, "read_address", next_element, self._lanes)
