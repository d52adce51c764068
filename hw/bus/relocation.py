"""From the offsets that programs hold to addresses on the bus."""

from __future__ import annotations

from amaranth.hdl import Cat, Value

from wingrid.hw.registers import BASE_ALIGNMENT_BITS


def relocated(base: Value, offset: Value) -> Value:
    """The byte address ``base + offset``, as wide as ``base`` and modulo that width.

    ``base`` is the address of offset 0, a multiple of 4096. So a burst lies in its page as its offset says, and what
    is worked out on offsets (``wingrid.hw.bus.bursts``) holds for addresses; only the number of the page is added.
    """
    pages = (base[BASE_ALIGNMENT_BITS:] + offset[BASE_ALIGNMENT_BITS:])[: len(base) - BASE_ALIGNMENT_BITS]
    return Cat(offset[:BASE_ALIGNMENT_BITS], pages)
