"""Registers of one value for many listeners, which tools do not merge into one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from amaranth.hdl import Module, Signal, Value

KINDS: tuple[Mapping[str, Any], ...] = ({"init": 0}, {"init": 1}, {"reset_less": True})
"""What the reset makes of a copy: in this they differ, and so they stay apart."""


def copies(m: Module, name: str, value: Value, listeners: int) -> list[Signal]:
    """For each of so many listeners the register of one bit that it hears, which is ``value`` a cycle later.

    Neighbours share one; there are as many as ``KINDS``, if there are listeners enough. A bit that thousands of look-up
    tables hear comes to them over long wires, and tools make one register of all that are equal. Until the first cycle
    after the reset the copies differ, so nothing may hang on them then.
    """
    made = [Signal(name=f"{name}_{number}", **kind) for number, kind in enumerate(KINDS[:listeners])]
    m.d.sync += [copy.eq(value) for copy in made]
    return [made[number * len(made) // listeners] for number in range(listeners)]
