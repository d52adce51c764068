"""How many there are, told by one bit."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value


def tally(m: Module, name: str, most: int, more: Value, fewer: Value, *, init: int = 0) -> Signal:
    """A register of ``most`` + 1 bits of which one is set: that of the place ``n`` while there are ``n``.

    There is one more after a cycle with ``more`` and one fewer after one with ``fewer``, of which neither may lead
    beyond 0 or ``most``. What hangs on it hangs on one bit, and neither ``more`` nor ``fewer`` meets a carry chain, at
    the cost of a flip-flop and a look-up table for each number. ``init`` is how many there are at first.
    """
    count = Signal(most + 1, name=name, init=1 << init)
    with m.If(more != fewer):
        m.d.sync += count.eq(Mux(more, count << 1, count >> 1))
    return count
