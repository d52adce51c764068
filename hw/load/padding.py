"""Padding, filled in where a window reaches past the image."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value, ValueLike, signed


def padded_pixel(m: Module, read: ValueLike, inside: Value, zero_point: Value, entry: Value) -> list[Value]:
    """The int8 lanes of a pixel: ``entry`` of the input buffer inside of the image, else ``zero_point``.

    ``inside`` and ``zero_point`` come with the cycle of the ``read``, ``entry`` ``OperandBuffers.read_latency`` cycles
    later, as the buffer answers; the lanes hold, as ``entry`` does, until the next one.
    """
    # Beside the memory, and beside its output register.
    was_inside, is_inside = Signal(), Signal()
    was_padding, padding = Signal(signed(8)), Signal(signed(8))
    with m.If(read):
        m.d.sync += [was_inside.eq(inside), was_padding.eq(zero_point)]
    m.d.sync += [is_inside.eq(was_inside), padding.eq(was_padding)]
    return [Mux(is_inside, entry.word_select(lane, 8).as_signed(), padding) for lane in range(len(entry) // 8)]
