"""One lane of Winograd's output transform along an axis."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from wingrid.hw.winograd.vectors import register


class OutputLane(wiring.Component):
    """The registers and adders of ``OutputAxis`` for one channel, which has the arithmetic; the axis has the steps.

    Members
    -------
    two : In, 1
        F(2x2) instead of F(4x4).
    valid : In, 1
        ``value`` is the next element of a group.
    value : In, signed(bits)
    opens, first_pair, second_pair, ends : In, 1
        It is m[0], m[2], m[4], the last one.
    is_odd : In, 1
        The operands that are taken are differences, of y1 and y3, instead of sums.
    is_upper : In, 1
        They are those of y2 or y3.
    is_lower : In, 1
        They are those of y0 or y1 of F(4x4).
    takes_first_of_two, takes_first_of_four, takes_last : In, 1
        The end's share of the sum that is complete is the first element, of F(2x2) or F(4x4), or the last one.
    result : Out, signed(bits + 2)
        Eight times the result.
    """

    def __init__(self, *, bits: int) -> None:
        self._bits = bits
        super().__init__(
            {
                "two": In(1),
                "valid": In(1),
                "value": In(signed(bits)),
                "opens": In(1),
                "first_pair": In(1),
                "second_pair": In(1),
                "ends": In(1),
                "is_odd": In(1),
                "is_upper": In(1),
                "is_lower": In(1),
                "takes_first_of_two": In(1),
                "takes_first_of_four": In(1),
                "takes_last": In(1),
                "result": Out(signed(bits + 2)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bits, two, value = self._bits, self.two, self.value
        previous, last = register("previous", bits), register("last", bits)
        p, q, r, s = (register(name, bits) for name in "pqrs")
        total, difference = Signal(bits), Signal(bits)
        m.d.comb += [total.eq(previous + value), difference.eq(previous - value)]
        first = register("first", bits)
        with m.If(self.valid):
            m.d.sync += previous.eq(value)
        with m.If(self.opens):
            m.d.sync += first.eq(value)
        with m.If(self.first_pair):
            m.d.sync += [p.eq(total), q.eq(difference)]
        with m.If(self.second_pair):
            m.d.sync += [r.eq(total), s.eq(difference)]
        with m.If(self.ends):
            m.d.sync += last.eq(value)

        # What a result takes of each pair. F(2x2) is computed four times as large, so that the same three bits go.
        from_second = register("from_second", bits)
        # Below what the first pair reaches.
        lowest = register("lowest", 2)
        half = Signal(bits + 1)
        m.d.comb += half.eq(Mux(self.is_odd, s << 1, r))
        # Four times as much for y2 and y3; the two bits that are zero then need no choice behind the step's register.
        m.d.sync += lowest.eq(half[:2] & self.is_lower.replicate(2))
        with m.If(two):
            m.d.sync += from_second.eq(0)
        with m.Else():
            m.d.sync += from_second.eq(Mux(self.is_upper, half, half[2:]))
        from_first = self._taken(m, "taken_sum", p, ~self.is_odd) | self._taken(m, "taken_difference", q, self.is_odd)
        end = (
            (self._taken(m, "first_of_four", first, self.takes_first_of_four) << 1)
            | (self._taken(m, "first_of_two", first, self.takes_first_of_two) << 3)
            | (self._taken(m, "taken_last", last, self.takes_last) << 3)
        )
        inner, result = register("inner", bits + 2), register("result", bits + 2)
        # The one that makes a complement negative enters as a carry.
        m.d.sync += [
            inner.eq(Cat(lowest, _plus(from_second, from_first ^ ~two.replicate(bits), carry=~two))),
            result.eq(_plus(inner, end, carry=Const(0))),
        ]
        m.d.comb += self.result.eq(result)
        return m

    def _taken(self, m: Module, name: str, operand: Signal, taken: Value) -> Signal:
        """A register of the operand if it is taken, else of zero: a sum that takes one of several needs no choice."""
        held = register(name, self._bits)
        with m.If(taken):
            m.d.sync += held.eq(operand)
        with m.Else():
            m.d.sync += held.eq(0)
        return held


def _plus(register: Value, operand: Value, *, carry: Value) -> Value:
    """``register + operand + carry``, modulo two to the register's width, written as a difference.

    On 7-series what a sum adds first passes by the look-up tables of its carry chain, and what it adds second can be
    made in them. Yosys puts the operands of a sum in an order of its own, and leaves a difference's as they are.
    """
    return (Cat(Const(0, 1), register) - Cat(~carry, ~operand))[1 : len(register) + 1]
