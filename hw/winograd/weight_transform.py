"""Winograd's weight transform U = G g G^t: raw 3x3 weight tiles in, transformed tiles out."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.mesh.matrix_unit import weights_layout
from wingrid.hw.ram_style import RamStyle
from wingrid.hw.winograd.vectors import register
from wingrid.hw.winograd_matrices import INT8, KERNEL, signed_bits, span, winograd

LINE = data.StructLayout({"infinity": 1, "tripled": 1, "single": 1, "end": 1, "upper": 1, "negative": 1})
"""A row of G: the last; the first or last, of F(4x4), of F(2x2), of either; one with twos; one that subtracts."""


class WeightTransform(wiring.Component):
    """Transform the weight tiles of a 3x3 kernel on their way to the mesh.

    A raw tile is nine weight tiles of the direct algorithm as they lie in the weight buffer: taps (ky, kx) with
    kx running fastest, each ``rows`` transfers of ``cols`` int8, last row first. It leaves as n x n tiles of
    transformed weights U[i][j], i running fastest, each ``rows`` transfers, last row first. One row leaves per cycle,
    while the next raw tile comes in.

    G of ``WinogradTransform`` is the same along either axis, for kernel elements g0, g1, g2 of a line:

        F(4x4): 3 g0, (g0 + g2) +- g1, (g0 + 4 g2) +- 2 g1, g2 + 2 g2
        F(2x2): g0,   (g0 + g2) +- g1,                      g2

    so two adders behind three operands make each element, down the three columns of a kernel and then along.

    Members
    -------
    select : In, range(max(2, len(tiles)))
        The transform, by its place in ``config.tiles``; may only change while ``empty`` is high.
    raw : In, stream of cols x signed(8)
    weights : Out, stream of ``weights_layout(config)``
        The first row ``latency`` cycles after a raw tile's last transfer. Lanes of both streams come
        ``PAYLOAD_LATENCY`` cycles after their transfer.
    empty : Out, 1
        No row is held, of a raw tile or of a transformed one.
    """

    stages = 5
    """A row is read; its operands are chosen and added, twice. All of them wait together where a row has to."""
    latency = 1 + stages
    """Cycles from a raw tile's last transfer to its first transformed row."""
    halves = 2
    """Raw tiles held: one fills while the other is transformed."""

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        self._transforms = [winograd(tile) for tile in config.tiles]
        super().__init__(
            {
                "select": In(range(max(2, len(self._transforms)))),
                "raw": In(stream.Signature(data.ArrayLayout(signed(8), config.cols))),
                "weights": Out(stream.Signature(weights_layout(config))),
                "empty": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        config = self._config
        m = Module()
        row_bits = (config.rows - 1).bit_length()
        most = max(transform.patch for transform in self._transforms)

        # Two halves: one fills with a raw tile while the other is transformed.
        held = Signal(range(self.halves + 1))
        fill_half, use_half = Signal(), Signal()
        tap, fill_row = Signal(range(KERNEL * KERNEL)), Signal(range(config.rows))
        filling = Signal()
        filled = Signal()
        m.d.comb += [
            self.raw.ready.eq(held != self.halves),
            filling.eq(self.raw.valid & self.raw.ready),
            filled.eq(filling & (fill_row == config.rows - 1) & (tap == KERNEL * KERNEL - 1)),
        ]
        with m.If(filling):
            m.d.sync += fill_row.eq(fill_row + 1)
            with m.If(fill_row == config.rows - 1):
                m.d.sync += [fill_row.eq(0), tap.eq(Mux(filled, 0, tap + 1))]
        with m.If(filled):
            m.d.sync += fill_half.eq(~fill_half)

        # Walk over the transformed tiles.
        last = Signal(range(most))
        i, j, row = Signal(range(most)), Signal(range(most)), Signal(range(config.rows))
        advance, walking, used = Signal(), Signal(), Signal()
        m.d.comb += [
            last.eq(Array([transform.patch - 1 for transform in self._transforms])[self.select]),
            walking.eq(held != 0),
            used.eq(walking & advance & (row == config.rows - 1) & (i == last) & (j == last)),
        ]
        m.d.sync += held.eq(held + filled - used)
        with m.If(walking & advance):
            m.d.sync += row.eq(row + 1)
            with m.If(row == config.rows - 1):
                m.d.sync += [row.eq(0), i.eq(i + 1)]
                with m.If(i == last):
                    m.d.sync += [i.eq(0), j.eq(Mux(j == last, 0, j + 1))]
        with m.If(used):
            m.d.sync += use_half.eq(~use_half)

        # A row's lanes come a cycle after its transfer, and are written before the walk gets to the tile's last row.
        written, write_address = Signal(KERNEL * KERNEL), Signal(row_bits + 1)
        m.d.sync += [
            written.eq(Mux(filling, 1 << tap, 0)),
            write_address.eq(Cat(fill_row, Const(0, row_bits - len(fill_row)), fill_half)),
        ]
        taps = []
        for index in range(KERNEL * KERNEL):
            memory = Memory(shape=8 * config.cols, depth=2 << row_bits, init=[], attrs=RamStyle.DISTRIBUTED.attributes)
            m.submodules[f"tap_{index}"] = memory
            write, read = memory.write_port(), memory.read_port()
            m.d.comb += [
                write.en.eq(written[index]),
                write.addr.eq(write_address),
                write.data.eq(self.raw.payload),
                read.en.eq(walking & advance),
                read.addr.eq(Cat(row, Const(0, row_bits - len(row)), use_half)),
            ]
            taps.append(read.data)

        # Down the columns of the kernel, then along its rows; a stage moves when all of those after it can.
        valid = Signal(self.stages)
        four = Signal()
        if 4 in config.tiles:
            m.d.comb += four.eq(self.select == config.tiles.index(4))
        m.d.comb += [
            advance.eq(~valid[-1] | self.weights.ready),
            self.weights.valid.eq(valid[-1]),
            self.empty.eq((held == 0) & ~valid.any() & (tap == 0) & (fill_row == 0)),
        ]
        j_read, j_chosen = Signal.like(j), Signal.like(j)
        down, along = Signal(LINE), Signal(LINE)
        with m.If(advance):
            m.d.sync += [valid.eq(Cat(walking, valid)), j_read.eq(j), j_chosen.eq(j_read)]
            self._choose(m, down, i, last, four)
            self._choose(m, along, j_chosen, last, four)
        lines = [line for transform in self._transforms for line in transform.kernel_matrix]
        middle_bits = max(signed_bits(span(line, INT8)) for line in lines)
        columns = []
        for kx in range(KERNEL):
            column = [taps[ky * KERNEL + kx] for ky in range(KERNEL)]
            columns.append(self._combine(m, f"column_{kx}", advance, down, column, 8, middle_bits))
        weights = self._combine(m, "weights", advance, along, columns, middle_bits, config.weight_bits)
        lanes = Signal(len(weights), reset_less=True)
        m.d.sync += lanes.eq(weights)
        m.d.comb += self.weights.payload.as_value().eq(lanes)
        return m

    def _choose(self, m: Module, line: data.View, number: Value, last: Value, four: Value) -> None:
        """What a row of G, given by its number, asks of the operands."""
        infinity, end = number == last, (number == last) | (number == 0)
        m.d.sync += [
            line.infinity.eq(infinity),
            line.tripled.eq(end & four),
            line.single.eq(end & ~four),
            line.end.eq(end),
            line.upper.eq((number == 3) | (number == 4)),
            line.negative.eq(~end & ((number == 2) | (number == 4))),
        ]

    def _combine(
        self, m: Module, name: str, advance: Value, line: data.View, vectors: Sequence[Value], bits: int, to_bits: int
    ) -> Value:
        """The element that ``line`` describes of the three vectors' lanes, two stages later."""
        results = []
        carry = Signal(name=f"{name}_carry")
        with m.If(advance):
            m.d.sync += carry.eq(line.negative)
        for lane in range(self._config.cols):
            g0, g1, g2 = (vector.word_select(lane, bits).as_signed() for vector in vectors)
            first = register(f"{name}_first", bits, lane)
            second = register(f"{name}_second", bits + 2, lane)
            third = register(f"{name}_third", bits + 1, lane)
            result = register(name, to_bits, lane)
            chosen = Signal(signed(bits), name=f"{name}_chosen_{lane}")
            m.d.comb += chosen.eq(Mux(line.infinity, g2, g0))
            with m.If(advance):
                m.d.sync += [
                    first.eq(chosen),
                    second.eq(Mux(line.tripled, chosen << 1, Mux(line.upper, g2 << 2, g2))),
                    # The one that makes a complement negative enters as a carry.
                    third.eq(Mux(line.upper, g1 << 1, g1) ^ line.negative.replicate(bits + 1)),
                    result.eq((Cat(1, first + second).as_signed() + Cat(carry, third).as_signed()) >> 1),
                ]
                with m.If(line.single):
                    m.d.sync += second.eq(0)
                with m.If(line.end):
                    m.d.sync += third.eq(0)
            results.append(result)
        return Cat(*results)
