"""Amaranth's simulator for components whose benches think in cycles."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import numpy as np
import numpy.typing as npt
from amaranth.back import rtlil
from amaranth.hdl import Value, ValueCastable
from amaranth.lib import wiring
from amaranth.sim import Simulator, SimulatorContext
from signed_numbers import wrapped


class Pins:
    """Sets signals where they change: each ``ctx.set`` makes the simulator settle the whole design."""

    def __init__(self, ctx: SimulatorContext) -> None:
        self._ctx = ctx
        self._set: dict[int, tuple[Value, int]] = {}

    def set(self, signal: Value, value: int) -> None:
        value = int(value)
        if self._set.get(id(signal), (signal, None))[1] != value:
            # Kept, so that no other signal gets its number.
            self._set[id(signal)] = signal, value
            self._ctx.set(signal, value)


def simulate(component: wiring.Component, testbench: Callable[[SimulatorContext], Awaitable[None]]) -> None:
    """Run the testbench to its end, on one clock."""
    simulator = Simulator(component)
    simulator.add_clock(1e-8)
    simulator.add_testbench(testbench)
    simulator.run()


def pack(lanes: Sequence[int] | npt.NDArray[np.integer], bits: int) -> int:
    """Signed lanes side by side, the first one lowest."""
    return sum((int(lane) & (1 << bits) - 1) << i * bits for i, lane in enumerate(lanes))


def unpack(word: int, bits: int, lanes: int) -> list[int]:
    """The signed lanes of a packed word."""
    return [int(wrapped(word >> i * bits & (1 << bits) - 1, bits)) for i in range(lanes)]


def offer(ctx: SimulatorContext, vector: ValueCastable, lanes: Sequence[int] | None, bits: int, idle: int = -1) -> None:
    """Drive a ``vector_layout`` input: these lanes, or none and ``idle`` in all their bits."""
    word = idle & (1 << Value.cast(vector).shape().width - 1) - 1 if lanes is None else pack(lanes, bits)
    ctx.set(Value.cast(vector), word << 1 | (lanes is not None))


def seen(ctx: SimulatorContext, vector: ValueCastable, bits: int) -> list[int] | None:
    """The lanes of a ``vector_layout`` output, if it is valid."""
    word = ctx.get(Value.cast(vector))
    return unpack(word >> 1, bits, (Value.cast(vector).shape().width - 1) // bits) if word & 1 else None


def multipliers(component: wiring.Component) -> int:
    """Multiplications in the component's netlist."""
    return rtlil.convert(component).count("cell $mul ")
