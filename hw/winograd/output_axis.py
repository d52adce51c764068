"""Winograd's output transform along one axis, A^T M, a vector in and a vector out per cycle."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from wingrid.hw.copies import copies
from wingrid.hw.winograd.output_lane import OutputLane
from wingrid.hw.winograd.vectors import vector_layout


class OutputAxis(wiring.Component):
    """Transform groups of n vectors m[b] lane by lane into m results y[q], by sums that results share.

    With p, q = m[1] + m[2], m[1] - m[2] and r, s = m[3] + m[4], m[3] - m[4], A^T of ``WinogradTransform`` is

        F(4x4): y0 = 2 m[0] - 4p + r, y1 = 2s - 4q, y2 = 4r - 4p, y3 = 8s - 4q + 8 m[5]
        F(2x2): y0 = 2 m[0] + p,      y1 = q + 2 m[3]

    Results are what that gives divided by 8 (F(4x4)) and by 2 (F(2x2)), for groups that Winograd products leave: those
    make multiples. Numbers are modulo powers of two: of F(2x2) all bits of a result are right, of F(4x4) all but
    the upper two. Four adders a lane. Up to one vector enters per cycle, gaps do no harm, no back-pressure.

    Members
    -------
    four : In, 1
        F(4x4) instead of F(2x2), from the next cycle on. May only change while no group is inside.
    input : In, ``vector_layout(bits, lanes)``
        m[0], m[1], ... of group after group. Lanes come a cycle after ``valid``, so that what all of them obey rests in
        registers.
    ends : Out, 1
        The lanes are those of a group's last input.
    output : Out, ``vector_layout(bits - 1, lanes)``
        A group's results, one per cycle without gaps, from ``latency`` cycles after the lanes of its last input.
    """

    latency = 3
    """Cycles from the lanes of a group's last input to its first result: operands, inner sum, and the end's share."""

    def __init__(self, *, lanes: int, bits: int) -> None:
        self._lanes = lanes
        self._bits = bits
        super().__init__(
            {
                "four": In(1),
                "input": In(vector_layout(bits, lanes)),
                "ends": Out(1),
                "output": Out(vector_layout(bits - 1, lanes)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        four, comes = Signal(), self.input.valid
        m.d.sync += four.eq(self.four)
        b = Signal(3)
        last = Signal()
        m.d.comb += last.eq(b == Mux(four, 5, 3))
        with m.If(comes):
            m.d.sync += b.eq(Mux(last, 0, b + 1))
        valid = Signal()
        opens = Signal()
        first_pair = Signal()
        second_pair = Signal()
        m.d.sync += [
            valid.eq(comes),
            opens.eq(comes & (b == 0)),
            first_pair.eq(comes & (b == 2)),
            second_pair.eq(comes & (b == 4)),
            self.ends.eq(comes & last),
        ]

        # The operands of y0 are taken as the last input arrives, those of the others in the cycles that follow.
        step_1 = Signal()
        step_2 = Signal()
        step_3 = Signal()
        m.d.sync += [step_1.eq(self.ends), step_2.eq(step_1 & four), step_3.eq(step_2)]
        # All bits of all lanes hear these.
        told = {
            "two": ~self.four,
            "is_odd": self.ends | step_2,
            "is_upper": (step_1 | step_2) & four,
            "is_lower": ~(step_1 | step_2) & four,
            "takes_first_of_two": self.ends & ~four,
            "takes_first_of_four": self.ends & four,
            "takes_last": Mux(four, step_3, step_1),
        }
        heard = {name: copies(m, name, value, self._lanes) for name, value in told.items()}
        taken = Signal()
        summed = Signal()
        m.d.sync += [
            taken.eq(self.ends | step_1 | step_2 | step_3),
            summed.eq(taken),
            self.output.valid.eq(summed),
        ]

        for number in range(self._lanes):
            m.submodules[f"lane_{number}"] = lane = OutputLane(bits=self._bits)
            m.d.comb += [
                lane.valid.eq(valid),
                lane.value.eq(self.input.lanes[number]),
                lane.opens.eq(opens),
                lane.first_pair.eq(first_pair),
                lane.second_pair.eq(second_pair),
                lane.ends.eq(self.ends),
                *(getattr(lane, name).eq(signals[number]) for name, signals in heard.items()),
                self.output.lanes[number].eq(lane.result[3:].as_signed()),
            ]
        return m
