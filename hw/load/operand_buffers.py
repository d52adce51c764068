"""Addresses in a buffer that is used as a ring."""

from __future__ import annotations

from amaranth.hdl import Mux, Value


def next_entry(entry: Value, depth: int) -> Value:
    """The entry after ``entry`` in a ring of ``depth`` entries, which need not be a power of two."""
    return Mux(entry == depth - 1, 0, entry + 1)
