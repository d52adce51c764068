"""Winograd's input transform along one axis, B^T d, a vector in and a vector out per cycle."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from wingrid.hw.winograd.input_lane import InputLane
from wingrid.hw.winograd.vectors import vector_layout


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

        for number in range(self._lanes):
            m.submodules[f"lane_{number}"] = lane = InputLane(input_bits=bits, output_bits=to_bits)
            m.d.comb += [
                lane.four.eq(four),
                lane.valid.eq(valid),
                lane.value.eq(self.input.lanes[number]),
                lane.pairs_arrive.eq(pairs_arrive),
                lane.end_arrives.eq(end_arrives),
                lane.of_g.eq(of_g),
                lane.negative.eq(negative),
                lane.carry.eq(carry),
                lane.is_end.eq(is_end),
                self.output.lanes[number].eq(lane.result),
            ]
        return m
