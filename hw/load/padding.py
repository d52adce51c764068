"""Padding, filled in where a window reaches past the image."""

from __future__ import annotations

from itertools import pairwise

from amaranth.hdl import Module, Mux, Signal, Value, ValueLike, signed

from wingrid.hw.load.operand_buffers import OperandBuffers


def padded_pixel(m: Module, read: ValueLike, inside: Value, zero_point: Value, entry: Value) -> list[Value]:
    """The int8 lanes of a pixel: ``entry`` of the input buffer inside of the image, else ``zero_point``.

    ``inside`` and ``zero_point`` come with the cycle of the ``read``, ``entry`` ``OperandBuffers.read_latency`` cycles
    later, as the buffer answers; the lanes hold, as ``entry`` does, until the next one.
    """
    # A register each beside that of the address, the memory, and its output register.
    inside_past = [Signal(name=f"inside_{cycle}") for cycle in range(OperandBuffers.read_latency)]
    padding_past = [Signal(signed(8), name=f"padding_{cycle}") for cycle in range(OperandBuffers.read_latency)]
    with m.If(read):
        m.d.sync += [inside_past[0].eq(inside), padding_past[0].eq(zero_point)]
    for past in (inside_past, padding_past):
        m.d.sync += [later.eq(earlier) for earlier, later in pairwise(past)]
    is_inside, padding = inside_past[-1], padding_past[-1]
    return [Mux(is_inside, entry.word_select(lane, 8).as_signed(), padding) for lane in range(len(entry) // 8)]
