"""The counting semaphores through which the engines meet."""

from __future__ import annotations

from functools import reduce
from operator import or_

from amaranth.hdl import Cat, Const, Module, Signal, Value, ValueLike
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from wingrid.hw.isa import SEMAPHORE_BITS, Semaphore


class Semaphores(wiring.Component):
    """One counter per ``Semaphore``; masks have its bit positions.

    Members
    -------
    signal : In, len(Semaphore)
        Counters to raise by one. A register holds it for a cycle.
    late_signal : In, len(Semaphore)
        The same of the cycle before, of a unit that has that register itself, before its logic; never what that cycle's
        ``signal`` has.
    take : In, len(Semaphore)
        Counters to lower by one, of those that are ``available``. A register holds it for a cycle, too, in which
        ``available`` knows of it already.
    late_take : In, len(Semaphore)
        The same of the cycle before, as ``late_signal``.
    clear : In, 1
        Sets all counters to zero; nothing is signalled or taken in that cycle and in the one before, nor late.
    available : Out, len(Semaphore)
        Counters that are not zero.
    moving : Out, 1
        A counter was signalled or taken in the cycle before.
    overflow : Out, 1
        A full counter was signalled in the cycle before, and not taken in the same one.
    """

    latency = 2
    """Cycles from a signal to the first cycle in which it can be taken."""

    def __init__(self) -> None:
        mask = len(Semaphore)
        super().__init__(
            {
                "signal": In(mask),
                "late_signal": In(mask),
                "take": In(mask),
                "late_take": In(mask),
                "clear": In(1),
                "available": Out(mask),
                "moving": Out(1),
                "overflow": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        overflows = []
        signals = Signal.like(self.signal)
        takes = Signal.like(self.take)
        m.d.sync += [signals.eq(self.signal), takes.eq(self.take)]
        for semaphore in Semaphore:
            count = Signal(SEMAPHORE_BITS, name=f"count_{semaphore.name.lower()}")
            signal = signals[semaphore] | self.late_signal[semaphore]
            take = takes[semaphore] | self.late_take[semaphore]
            m.d.comb += self.available[semaphore].eq(count[1:].any() | (count[0] & ~take))
            with m.If(self.clear):
                m.d.sync += count.eq(0)
            with m.Elif(signal & ~take):
                m.d.sync += count.eq(count + 1)
            with m.Elif(take & ~signal):
                m.d.sync += count.eq(count - 1)
            overflows.append(signal & ~take & count.all())
        m.d.comb += [
            self.moving.eq(Cat(signals, self.late_signal, takes, self.late_take).any()),
            self.overflow.eq(Cat(overflows).any()),
        ]
        return m


ARMING_LATENCY = 1
"""Cycles from the first one in which an instruction at the head of a queue has all that it waits for to its start."""


def armed(m: Module, can_start: Value, start: Value) -> Signal:
    """A register that says whether the instruction at the head of a queue has all that it waits for.

    ``can_start`` says so of this cycle, and stays true until ``start`` takes the instruction: nobody else takes its
    semaphores.
    """
    result = Signal(name="armed")
    m.d.sync += result.eq(can_start & ~start)
    return result


def satisfied(wait: ValueLike, available: ValueLike, of: frozenset[Semaphore]) -> ValueLike:
    """Whether every semaphore of the set ``of`` that the mask ``wait`` names is available."""
    missing = [wait[semaphore] & ~available[semaphore] for semaphore in sorted(of)]
    return ~reduce(or_, missing, Const(0, 1))
