"""A two-dimensional linear transform T x T^t of small tiles of vectors, as a stream: a vector in, a vector out."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from wingrid.hw.shift_add import combination
from wingrid.hw.winograd.vectors import vector_layout

Matrix = Sequence[Sequence[int]]


class SeparableTransform(wiring.Component):
    """Transform tiles lane by lane: y = T x T^t, exactly modulo ``2**output_bits``.

    x has n x n elements and y m x m, for the m x n matrix T that ``select`` picks from ``matrices``.
    Elements are vectors of ``lanes`` signed numbers. x[a][b] enters with b running fastest; y[p][q]
    leaves with p running fastest, so a transform that follows another sees rows and columns swapped
    back. Up to one vector enters per cycle, gaps do no harm, and there is no back-pressure.

    The first half collects n inputs, transforms them along b at once and hands the m results on one by
    one; the second half keeps them in n small memories (two tiles each), reads one q of all n together
    and transforms along a. Needs m <= n, so that the results of one group are gone before those
    of the next arrive.

    Members
    -------
    select : In, range(max(2, len(matrices)))
        May only change while ``empty`` is high.
    input : In, ``vector_layout(input_bits, lanes)``
    output : Out, ``vector_layout(output_bits, lanes)``
        A tile's outputs, one per cycle without gaps, from ``latency_for(m)`` cycles after its last input on. Lanes
        have a meaning only together with ``valid``.
    empty : Out, 1
        High from the cycle after a tile's last output to that of the next one's first input, that one included.
    """

    def __init__(
        self, matrices: Sequence[Matrix], *, lanes: int, input_bits: int, middle_bits: int, output_bits: int
    ) -> None:
        self._matrices = matrices
        self._lanes = lanes
        self._bits = input_bits, middle_bits, output_bits
        self._most_inputs = max(len(matrix[0]) for matrix in matrices)
        self._most_outputs = max(len(matrix) for matrix in matrices)
        super().__init__(
            {
                "select": In(range(max(2, len(matrices)))),
                "input": In(vector_layout(input_bits, lanes)),
                "output": Out(vector_layout(output_bits, lanes)),
                "empty": Out(1),
            }
        )

    @staticmethod
    def latency_for(outputs: int) -> int:
        """Cycles from a tile's last input to its first output, for m = ``outputs``.

        m for the last group to leave the first half into the memories, and one each to start reading, to read,
        and to transform again.
        """
        return outputs + 3

    def elaborate(self, platform: object) -> Module:
        m = Module()
        input_bits, middle_bits, output_bits = self._bits
        sizes = [(len(matrix[0]), len(matrix)) for matrix in self._matrices]
        last_input, last_output = Signal(range(self._most_inputs)), Signal(range(self._most_outputs))
        m.d.comb += [
            last_input.eq(Array([n - 1 for n, _ in sizes])[self.select]),
            last_output.eq(Array([count - 1 for _, count in sizes])[self.select]),
        ]

        # First half: along b.
        history = [Signal(input_bits * self._lanes, name=f"history_{i}") for i in range(self._most_inputs - 1)]
        b = Signal(range(self._most_inputs))
        group_complete = Signal()
        m.d.comb += group_complete.eq(self.input.valid & (b == last_input))
        with m.If(self.input.valid):
            m.d.sync += [older.eq(newer) for newer, older in pairwise([self.input.lanes.as_value(), *history])]
            m.d.sync += b.eq(Mux(b == last_input, 0, b + 1))
        recent = [self.input.lanes.as_value(), *history]
        groups = [[recent[n - 1 - i] for i in range(n)] for n, _ in sizes]
        middle = self._transform(m, "middle", group_complete, groups, input_bits, middle_bits)

        q = Signal(range(self._most_outputs))
        a = Signal(range(self._most_inputs))
        half = Signal()
        emitting = Signal()
        stored = Signal()
        m.d.comb += stored.eq(emitting & (q == last_output) & (a == last_input))
        with m.If(group_complete):
            m.d.sync += emitting.eq(1)
        with m.Elif(q == last_output):
            m.d.sync += emitting.eq(0)
        with m.If(emitting):
            m.d.sync += q.eq(q + 1)
            with m.If(q == last_output):
                m.d.sync += [q.eq(0), a.eq(Mux(a == last_input, 0, a + 1)), half.eq(half ^ stored)]

        # Second half: along a.
        reading = Signal()
        read_half = Signal()
        read_q, p = Signal(range(self._most_outputs)), Signal(range(self._most_outputs))
        with m.If(stored):
            m.d.sync += [reading.eq(1), read_half.eq(half)]
        with m.Elif((p == last_output) & (read_q == last_output)):
            m.d.sync += reading.eq(0)
        with m.If(reading):
            m.d.sync += p.eq(p + 1)
            with m.If(p == last_output):
                m.d.sync += [p.eq(0), read_q.eq(Mux(read_q == last_output, 0, read_q + 1))]
        columns = []
        index_bits = (self._most_outputs - 1).bit_length()
        for i in range(self._most_inputs):
            memory = Memory(shape=middle_bits * self._lanes, depth=2 << index_bits, init=[])
            m.submodules[f"transpose_{i}"] = memory
            write, read = memory.write_port(), memory.read_port()
            m.d.comb += [
                write.en.eq(emitting & (a == i)),
                write.addr.eq(Cat(q, half)),
                write.data.eq(middle[0]),
                read.en.eq(reading & (p == 0)),
                read.addr.eq(Cat(read_q, read_half)),
            ]
            columns.append(read.data)
        column_read, leaving = Signal(), Signal()
        m.d.sync += [column_read.eq(reading & (p == 0)), leaving.eq(reading)]
        m.d.sync += self.output.valid.eq(leaving)
        results = self._transform(m, "result", column_read, [columns[:n] for n, _ in sizes], middle_bits, output_bits)
        m.d.comb += [
            self.output.lanes.eq(results[0]),
            self.empty.eq((b == 0) & (a == 0) & ~emitting & ~reading & ~leaving & ~self.output.valid),
        ]
        return m

    def _transform(
        self, m: Module, name: str, load: Value, groups: list[list[Value]], from_bits: int, to_bits: int
    ) -> list[Signal]:
        """Registers that take the transformed group on ``load`` and move down by one in every other cycle."""
        registers = [Signal(to_bits * self._lanes, name=f"{name}_{i}") for i in range(self._most_outputs)]
        with m.If(load), m.Switch(self.select):
            for choice, (matrix, group) in enumerate(zip(self._matrices, groups, strict=True)):
                with m.Case(choice):
                    for register, row in zip(registers, matrix, strict=False):
                        for lane in range(self._lanes):
                            values = [vector.word_select(lane, from_bits).as_signed() for vector in group]
                            m.d.sync += register.word_select(lane, to_bits).eq(combination(row, values))
        with m.Else():
            m.d.sync += [before.eq(after) for before, after in pairwise(registers)]
        return registers
