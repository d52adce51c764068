"""How many there are, told by one bit."""

from __future__ import annotations

from amaranth.hdl import Module, Signal, Value


def tally(m: Module, name: str, most: int, more: Value, fewer: Value, *, init: int = 0) -> Signal:
    """A register of ``most`` + 1 bits of which one is set: that of the place ``n`` while there are ``n``.

    There is one more after a cycle with ``more`` and one fewer after one with ``fewer``, of which neither may lead
    beyond 0 or ``most``. What hangs on it hangs on one bit, and neither ``more`` nor ``fewer`` meets a carry chain, at
    the cost of a flip-flop and a look-up table for each number. ``init`` is how many there are at first.
    """
    more, fewer = (Value.cast(bit).bool() for bit in (more, fewer))
    count = Signal(most + 1, name=name, init=1 << init)
    # A sum of three: from choices tools make a common enable, which is one more wire to go after more and fewer.
    m.d.sync += count.eq(
        ((count << 1) & (more & ~fewer).replicate(most + 1))
        | ((count >> 1) & (fewer & ~more).replicate(most + 1))
        | (count & ~(more ^ fewer).replicate(most + 1))
    )
    return count
