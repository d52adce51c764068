"""One lane of Winograd's weight transform."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from wingrid.hw.winograd.vectors import register
from wingrid.hw.winograd_matrices import INT8, KERNEL, WinogradTransform, signed_bits, span

LINE = data.StructLayout({"infinity": 1, "tripled": 1, "single": 1, "end": 1, "upper": 1, "negative": 1})
"""A row of G: the last; the first or last, of F(4x4), of F(2x2), of either; one with twos; one that subtracts."""


class WeightLane(wiring.Component):
    """The registers and adders of ``WeightTransform`` for one channel, which has the arithmetic; that has the steps.

    An element of a line takes two cycles: its operands, and a cycle later their sum.

    Members
    -------
    advance : In, 1
        All but the last sum move.
    taps : In, KERNEL**2 x signed(8)
        The kernel, row by row.
    down, along : In, ``LINE``
        What is asked of the columns, and of the rows that these give.
    down_carries : In, KERNEL
    along_carry : In, 1
        ``negative`` as it was a step before.
    weight : Out, signed(weight_bits)
    """

    def __init__(self, transforms: Sequence[WinogradTransform], *, weight_bits: int) -> None:
        lines = [line for transform in transforms for line in transform.kernel_matrix]
        self._middle_bits = max(signed_bits(span(line, INT8)) for line in lines)
        self._weight_bits = weight_bits
        super().__init__(
            {
                "advance": In(1),
                "taps": In(data.ArrayLayout(signed(8), KERNEL * KERNEL)),
                "down": In(LINE),
                "along": In(LINE),
                "down_carries": In(KERNEL),
                "along_carry": In(1),
                "weight": Out(signed(weight_bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        columns = []
        for kx in range(KERNEL):
            column = [self.taps[ky * KERNEL + kx] for ky in range(KERNEL)]
            total = self._combine(m, f"column_{kx}", self.down, self.down_carries[kx], column, 8)
            result = register(f"column_{kx}", self._middle_bits)
            with m.If(self.advance):
                m.d.sync += result.eq(total)
            columns.append(result)
        total = self._combine(m, "weights", self.along, self.along_carry, columns, self._middle_bits)
        weight = register("weights", self._weight_bits)
        m.d.sync += weight.eq(total)
        m.d.comb += self.weight.eq(weight)
        return m

    def _combine(
        self, m: Module, name: str, line: data.View, carry: Value, elements: Sequence[Value], bits: int
    ) -> Value:
        """Take the operands of the element that ``line`` describes of those; the sum of operands that were taken."""
        g0, g1, g2 = elements
        first = register(f"{name}_first", bits)
        second = register(f"{name}_second", bits + 2)
        third = register(f"{name}_third", bits + 1)
        chosen = Signal(signed(bits), name=f"{name}_chosen")
        m.d.comb += chosen.eq(Mux(line.infinity, g2, g0))
        with m.If(self.advance):
            m.d.sync += [
                first.eq(chosen),
                second.eq(Mux(line.tripled, chosen << 1, Mux(line.upper, g2 << 2, g2))),
                # The one that makes a complement negative enters as a carry.
                third.eq(Mux(line.upper, g1 << 1, g1) ^ line.negative.replicate(bits + 1)),
            ]
            with m.If(line.single):
                m.d.sync += second.eq(0)
            with m.If(line.end):
                m.d.sync += third.eq(0)
        return (Cat(1, first + second).as_signed() + Cat(carry, third).as_signed()) >> 1
