"""Padding, filled in where a window reaches past the image."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value, ValueLike, signed


def padded_pixel(m: Module, read: ValueLike, inside: Value, zero_point: Value, entry: Value) -> list[Value]:
    """The int8 lanes of a pixel: ``entry`` of the input buffer inside of the image, else ``zero_point``.

    ``inside`` and ``zero_point`` come with the cycle of the ``read``, ``entry`` one cycle later, as the buffer
    answers; the lanes hold, as ``entry`` does, until the next read.
    """
    was_inside = Signal()
    padding = Signal(signed(8))
    with m.If(read):
        m.d.sync += [was_inside.eq(inside), padding.eq(zero_point)]
    return [Mux(was_inside, entry.word_select(lane, 8).as_signed(), padding) for lane in range(len(entry) // 8)]
