"""Registers of one value for many listeners, which tools do not merge into one."""

from __future__ import annotations

from amaranth.hdl import Module, Signal, Value

KINDS = ((0, False), (-1, False), (0, True))
"""What each bit of a copy begins with, and whether the reset leaves it alone: they differ, and so they stay apart."""


def copies(m: Module, name: str, value: Value, listeners: int) -> list[Signal]:
    """For each of so many listeners the register that it hears, which is ``value``, unsigned, a cycle later.

    Neighbours share one; there are as many as ``KINDS``, if there are listeners enough. A bit that thousands of look-up
    tables hear comes to them over long wires, and tools make one register of all that are equal. Until the first cycle
    after the reset the copies differ, so nothing may hang on them then.
    """
    made = [
        Signal(len(value), name=f"{name}_{number}", init=init & (1 << len(value)) - 1, reset_less=reset_less)
        for number, (init, reset_less) in enumerate(KINDS[:listeners])
    ]
    m.d.sync += [copy.eq(value) for copy in made]
    return [made[number * len(made) // listeners] for number in range(listeners)]
