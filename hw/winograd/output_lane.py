"""One lane of Winograd's output transform along an axis."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from wingrid.hw.winograd.vectors import register


class OutputLane(wiring.Component):
    """The registers and adders of ``OutputAxis`` for one channel, which has the arithmetic; the axis has the steps.

    Members
    -------
    four : In, 1
        F(4x4) instead of F(2x2).
    valid : In, 1
        ``value`` is the next element of a group.
    value : In, signed(bits)
    opens, first_pair, second_pair, ends : In, 1
        It is m[0], m[2], m[4], the last one.
    is_odd : In, 1
        The operands that are taken are differences, of y1 and y3, instead of sums.
    is_upper : In, 1
        The operands that are taken are those of y2 or y3, and the sum that is complete is that of y1 or y2.
    is_lower : In, 1
        They are those of y0 or y1 of F(4x4).
    takes_last : In, 1
        The last element is the end's share of the sum that is complete, not the first one.
    result : Out, signed(bits + 2)
        Eight times the result.
    """

    def __init__(self, *, bits: int) -> None:
        self._bits = bits
        super().__init__(
            {
                "four": In(1),
                "valid": In(1),
                "value": In(signed(bits)),
                "opens": In(1),
                "first_pair": In(1),
                "second_pair": In(1),
                "ends": In(1),
                "is_odd": In(1),
                "is_upper": In(1),
                "is_lower": In(1),
                "takes_last": In(1),
                "result": Out(signed(bits + 2)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bits, four, value = self._bits, self.four, self.value
        previous, last = register("previous", bits), register("last", bits)
        p, q, r, s = (register(name, bits) for name in "pqrs")
        total, difference = Signal(bits), Signal(bits)
        m.d.comb += [total.eq(previous + value), difference.eq(previous - value)]
        # The first one in two registers, either zero in the other transform: that saves a choice.
        first_of_two, first_of_four = register("first_of_two", bits), register("first_of_four", bits)
        with m.If(self.valid):
            m.d.sync += previous.eq(value)
        with m.If(self.first_pair):
            m.d.sync += [p.eq(total), q.eq(difference)]
        with m.If(self.second_pair):
            m.d.sync += [r.eq(total), s.eq(difference)]
        with m.If(four):
            m.d.sync += first_of_two.eq(0)
        with m.Elif(self.opens):
            m.d.sync += first_of_two.eq(value)
        with m.If(~four):
            m.d.sync += first_of_four.eq(0)
        with m.Elif(self.opens):
            m.d.sync += first_of_four.eq(value)
        with m.If(self.ends):
            m.d.sync += last.eq(value)

        # What a result takes of each pair. F(2x2) is computed four times as large, so that the same three bits go.
        from_second, from_first = register("from_second", bits), register("from_first", bits)
        # Below what the first pair reaches.
        lowest = register("lowest", 2)
        inner, outer = register("inner", bits + 2), register("outer", bits + 2)
        result = register("result", bits + 2)
        half = Signal(bits + 1)
        m.d.comb += half.eq(Mux(self.is_odd, s << 1, r))
        # Four times as much for y2 and y3; the two bits that are zero then need no choice behind the step's register.
        m.d.sync += lowest.eq(half[:2] & self.is_lower.replicate(2))
        with m.If(~four):
            m.d.sync += from_second.eq(0)
        with m.Else():
            m.d.sync += from_second.eq(Mux(self.is_upper, half, half[2:]))
        # The one that makes a complement negative enters as a carry.
        m.d.sync += [
            from_first.eq(Mux(self.is_odd, q, p) ^ four.replicate(bits)),
            inner.eq(Cat(lowest, (Cat(1, from_first) + Cat(four, from_second))[1 : bits + 1])),
            result.eq(inner + outer),
        ]
        # The inner sums of y1 and y2 are complete two cycles after their operands are taken.
        with m.If(self.is_upper):
            m.d.sync += outer.eq(0)
        with m.Else():
            m.d.sync += outer.eq(Mux(self.takes_last, last << 3, (first_of_four << 1) | (first_of_two << 3)))
        m.d.comb += self.result.eq(result)
        return m
