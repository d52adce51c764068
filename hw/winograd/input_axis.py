"""Winograd's input transform along one axis, B^T d, a vector in and a vector out per cycle."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from wingrid.hw.winograd.vectors import register, vector_layout


class InputAxis(wiring.Component):
    """Transform groups of n vectors d[b] lane by lane into n results v[p], by sums that results share.

    With g(b) = d[b] - d[b-2] and e(b) = d[b] - 4 d[b-2] in F(4x4), or d[b] alone in F(2x2), each an adder on the
    stream, B^T of ``WinogradTransform`` is

        F(4x4): v0 = g(4) - 4 g(2), v1, v2 = e(4) +- e(3), v3, v4 = g(4) +- 2 g(3), v5 = g(5) - 4 g(3)
        F(2x2): v0 = -g(2),         v1, v2 = e(2) +- e(1),                          v3 = g(3)

    Two more adders make the ends and the pairs. Exact, if results fit. Up to one vector enters per cycle, gaps do
    no harm, no back-pressure.

    Members
    -------
    four : In, 1
        F(4x4) instead of F(2x2). May only change while no group is inside.
    input : In, ``vector_layout(input_bits, lanes)``
        d[0], d[1], ... of group after group.
    ends : Out, 1
        The last one of a group enters.
    output : Out, ``vector_layout(output_bits, lanes)``
        A group's results, one per cycle without gaps, from ``latency`` cycles after its last input on.
    """

    latency = 3
    """Cycles from a group's last input to its first result; its second one takes operands, a sum, and a choice."""

    def __init__(self, *, lanes: int, input_bits: int, output_bits: int) -> None:
        self._lanes = lanes
        self._bits = input_bits, output_bits
        super().__init__(
            {
                "four": In(1),
                "input": In(vector_layout(input_bits, lanes)),
                "ends": Out(1),
                "output": Out(vector_layout(output_bits, lanes)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        (bits, to_bits), four, valid = self._bits, self.four, self.input.valid
        b = Signal(3)
        at_last = Signal()
        with m.If(valid):
            m.d.sync += [b.eq(Mux(at_last, 0, b + 1)), at_last.eq(b == Mux(four, 4, 2))]
        # g and e of an input are there in the cycle after it.
        pairs_arrive = Signal()
        end_arrives = Signal()
        m.d.comb += self.ends.eq(valid & at_last)
        m.d.sync += [pairs_arrive.eq(valid & (b == Mux(four, 4, 2))), end_arrives.eq(self.ends)]

        # Step i is i cycles after the last input: the operands of v1 to v4 are taken in steps 1 to 4.
        steps = [self.ends, *(Signal(name=f"step_{i}") for i in range(1, 6))]
        for i in range(1, 6):
            m.d.sync += steps[i].eq(steps[i - 1] & four if i == 4 else steps[i - 1])
        of_g = Signal()
        negative = Signal()
        carry = Signal()
        m.d.sync += [
            of_g.eq((steps[2] | steps[3]) & four),
            negative.eq(steps[1] | (steps[3] & four)),
            carry.eq(negative),
        ]
        taken = Signal()
        summed = Signal()
        at_end = Signal()
        is_end = Signal()
        m.d.sync += [
            taken.eq(Cat(*steps).any()),
            summed.eq(taken),
            self.output.valid.eq(summed),
            at_end.eq(steps[0] | Mux(four, steps[5], steps[3])),
            is_end.eq(at_end),
        ]

        for lane in range(self._lanes):
            value = self.input.lanes[lane]
            one, two, two_of_four = (register(name, bits, lane) for name in ("one", "two", "two_of_four"))
            g, g_before, g_second = (register(name, bits + 1, lane) for name in ("g", "g_before", "g_second"))
            e, e_before = register("e", bits + 3, lane), register("e_before", bits + 3, lane)
            with m.If(valid):
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
            with m.Elif(valid):
                m.d.sync += two_of_four.eq(one)

            # The operands of the pairs wait for their steps, the first end is complete when it is chosen.
            g_high, g_low = register("g_high", bits + 1, lane), register("g_low", bits + 1, lane)
            e_high, e_low = register("e_high", bits + 3, lane), register("e_low", bits + 3, lane)
            minuend, subtrahend = register("minuend", bits + 1, lane), register("subtrahend", bits + 3, lane)
            with m.If(pairs_arrive):
                m.d.sync += [g_high.eq(g), g_low.eq(g_before), e_high.eq(e), e_low.eq(e_before)]
            with m.If(pairs_arrive & ~four):
                m.d.sync += minuend.eq(0)
            with m.Elif(pairs_arrive | end_arrives):
                m.d.sync += minuend.eq(g)
            with m.If(end_arrives & ~four):
                m.d.sync += subtrahend.eq(0)
            with m.Elif(pairs_arrive | end_arrives):
                m.d.sync += subtrahend.eq(Mux(four, g_second << 2, g))
            end, pair, result = (register(name, to_bits, lane) for name in ("end", "pair", "result"))
            left, right = register("left", bits + 3, lane), register("right", bits + 3, lane)
            m.d.sync += [
                end.eq(minuend - subtrahend),
                left.eq(Mux(of_g, g_high, e_high)),
                right.eq(Mux(of_g, g_low << 1, e_low) ^ negative.replicate(bits + 3)),
                # The one that makes a complement negative enters as a carry.
                pair.eq((Cat(1, left).as_signed() + Cat(carry, right).as_signed()) >> 1),
                result.eq(Mux(is_end, end, pair)),
            ]
            m.d.comb += self.output.lanes[lane].eq(result)
        return m
