"""One lane of Winograd's input transform along an axis."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from wingrid.hw.winograd.vectors import register


class InputLane(wiring.Component):
    """The registers and adders of ``InputAxis`` for one channel, which has the arithmetic; the axis has the steps.

    Members
    -------
    four : In, 1
        F(4x4) instead of F(2x2).
    valid : In, 1
        ``value`` is the next element of a group.
    value : In, signed(input_bits)
    pairs_arrive : In, 1
        g and e are those that v1 to v4 are made of.
    end_arrives : In, 1
        g is that of the last element.
    of_g : In, 1
        The operands that are taken are g, of v3 and v4, instead of e, of v1 and v2.
    negative : In, 1
        The second operand that is taken is subtracted.
    carry : In, 1
        What ``negative`` was a cycle ago.
    is_end : In, 1
        The result is v0 or the last one, not one of a pair.
    result : Out, signed(output_bits)
    """

    def __init__(self, *, input_bits: int, output_bits: int) -> None:
        self._bits = input_bits, output_bits
        super().__init__(
            {
                "four": In(1),
                "valid": In(1),
                "value": In(signed(input_bits)),
                "pairs_arrive": In(1),
                "end_arrives": In(1),
                "of_g": In(1),
                "negative": In(1),
                "carry": In(1),
                "is_end": In(1),
                "result": Out(signed(output_bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        (bits, to_bits), four, value = self._bits, self.four, self.value
        one, two, two_of_four = (register(name, bits) for name in ("one", "two", "two_of_four"))
        g, g_before, g_second = (register(name, bits + 1) for name in ("g", "g_before", "g_second"))
        e, e_before = register("e", bits + 3), register("e_before", bits + 3)
        with m.If(self.valid):
            m.d.sync += [
                one.eq(value),
                two.eq(one),
                g.eq(value - two),
                e.eq(value - (two_of_four << 2)),
                g_before.eq(g),
                g_second.eq(g_before),
                e_before.eq(e),
            ]
        with m.If(~four):
            m.d.sync += two_of_four.eq(0)
        with m.Elif(self.valid):
            m.d.sync += two_of_four.eq(one)

        # The operands of the pairs wait for their steps, the first end is complete when it is chosen.
        g_high, g_low = register("g_high", bits + 1), register("g_low", bits + 1)
        e_high, e_low = register("e_high", bits + 3), register("e_low", bits + 3)
        minuend, subtrahend = register("minuend", bits + 1), register("subtrahend", bits + 3)
        with m.If(self.pairs_arrive):
            m.d.sync += [g_high.eq(g), g_low.eq(g_before), e_high.eq(e), e_low.eq(e_before)]
        with m.If(self.pairs_arrive & ~four):
            m.d.sync += minuend.eq(0)
        with m.Elif(self.pairs_arrive | self.end_arrives):
            m.d.sync += minuend.eq(g)
        with m.If(self.end_arrives & ~four):
            m.d.sync += subtrahend.eq(0)
        with m.Elif(self.pairs_arrive | self.end_arrives):
            m.d.sync += subtrahend.eq(Mux(four, g_second << 2, g))
        outer, pair, result = (register(name, to_bits) for name in ("outer", "pair", "result"))
        left, right = register("left", bits + 3), register("right", bits + 3)
        m.d.sync += [
            outer.eq(minuend - subtrahend),
            left.eq(Mux(self.of_g, g_high, e_high)),
            right.eq(Mux(self.of_g, g_low << 1, e_low) ^ self.negative.replicate(bits + 3)),
            # The one that makes a complement negative enters as a carry.
            pair.eq((Cat(1, left).as_signed() + Cat(self.carry, right).as_signed()) >> 1),
            result.eq(Mux(self.is_end, outer, pair)),
        ]
        m.d.comb += self.result.eq(result)
        return m
