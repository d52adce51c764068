"""Winograd's weight transform U = G g G^t: raw 3x3 weight tiles in, transformed tiles out."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.mesh.matrix_unit import weights_layout
from wingrid.hw.shift_add import combination
from wingrid.hw.winograd_matrices import KERNEL, winograd


class WeightTransform(wiring.Component):
    """Transform the weight tiles of a 3x3 kernel on their way to the mesh.

    A raw tile is nine weight tiles of the direct algorithm as they lie in the weight buffer: taps (ky, kx) with
    kx running fastest, each ``rows`` transfers of ``cols`` int8, last row first. It leaves as n x n tiles of
    transformed weights U[i][j], i running fastest, each ``rows`` transfers, last row first. One row leaves per cycle,
    while the next raw tile comes in.

    Members
    -------
    select : In, range(max(2, len(tiles)))
        The transform, by its place in ``config.tiles``; may only change while ``empty`` is high.
    raw : In, stream of cols x signed(8)
    weights : Out, stream of ``weights_layout(config)``
        The first row ``latency`` cycles after a raw tile's last transfer.
    empty : Out, 1
        No row is held, of a raw tile or of a transformed one.
    """

    stages = 3
    """A row is read, and passes two adder stages. All of them wait together where a row has to."""
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
        matrices = [transform.kernel_matrix for transform in self._transforms]
        row_bits = (config.rows - 1).bit_length()
        most = max(len(matrix) for matrix in matrices)

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
            last.eq(Array([len(matrix) - 1 for matrix in matrices])[self.select]),
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

        taps = []
        for index in range(KERNEL * KERNEL):
            memory = Memory(shape=8 * config.cols, depth=2 << row_bits, init=[])
            m.submodules[f"tap_{index}"] = memory
            write, read = memory.write_port(), memory.read_port()
            m.d.comb += [
                write.en.eq(filling & (tap == index)),
                write.addr.eq(Cat(fill_row, Const(0, row_bits - len(fill_row)), fill_half)),
                write.data.eq(self.raw.payload),
                read.en.eq(walking & advance),
                read.addr.eq(Cat(row, Const(0, row_bits - len(row)), use_half)),
            ]
            taps.append(read.data)

        # Down the columns of the kernel, then along its rows; a stage moves when all of those after it can.
        valid = Signal(self.stages)
        i_1, j_1, j_2 = Signal(range(most)), Signal(range(most)), Signal(range(most))
        middle_bits = 8 + max(sum(map(abs, row)) for matrix in matrices for row in matrix).bit_length()
        middle = [Signal(middle_bits * config.cols, name=f"middle_{kx}") for kx in range(KERNEL)]
        m.d.comb += [
            advance.eq(~valid[-1] | self.weights.ready),
            self.weights.valid.eq(valid[-1]),
            self.empty.eq((held == 0) & ~valid.any() & (tap == 0) & (fill_row == 0)),
        ]
        with m.If(advance):
            m.d.sync += [valid.eq(Cat(walking, valid)), i_1.eq(i), j_1.eq(j), j_2.eq(j_1)]
            for kx in range(KERNEL):
                column = [taps[ky * KERNEL + kx] for ky in range(KERNEL)]
                self._combine(m, matrices, i_1, column, 8, middle[kx], middle_bits)
            self._combine(m, matrices, j_2, middle, middle_bits, self.weights.payload.as_value(), config.weight_bits)
        return m

    def _combine(
        self,
        m: Module,
        matrices: Sequence[Sequence[Sequence[int]]],
        row: Value,
        vectors: Sequence[Value],
        from_bits: int,
        to: Value,
        to_bits: int,
    ) -> None:
        """``to`` <= the combination of the three vectors by the selected matrix's given row, lane by lane.

        A row's coefficients are picked before the adders, so that each lane has one pair of them.
        """
        rows = [(choice, number, line) for choice, matrix in enumerate(matrices) for number, line in enumerate(matrix)]
        picks = []
        for position in range(KERNEL):
            pick = {}
            for coefficient in sorted({line[position] for _, _, line in rows} - {0}):
                wanted = Signal(name="wanted")
                m.d.comb += wanted.eq(
                    Cat(
                        (self.select == choice) & (row == number)
                        for choice, number, line in rows
                        if line[position] == coefficient
                    ).any()
                )
                pick[coefficient] = wanted
            picks.append(pick)
        for lane in range(self._config.cols):
            total: Value = Const(0)
            for vector, pick in zip(vectors, picks, strict=True):
                value = vector.word_select(lane, from_bits).as_signed()
                term: Value = Const(0, signed(from_bits + 3))
                for coefficient, wanted in pick.items():
                    term = Mux(wanted, combination([coefficient], [value]), term)
                total = total + term
            m.d.sync += to.word_select(lane, to_bits).eq(total)
