"""Vectors of signed numbers on their way through the transforms."""

from __future__ import annotations

from amaranth.hdl import Signal, signed
from amaranth.lib import data


def vector_layout(bits: int, lanes: int) -> data.StructLayout:
    """A vector with its valid bit."""
    return data.StructLayout({"valid": 1, "lanes": data.ArrayLayout(signed(bits), lanes)})


def register(name: str, bits: int, lane: int | None = None) -> Signal:
    """A register of that signed width, of the lane of that number or of a component that is one lane.

    Its valid bit has a reset, so it needs none.
    """
    return Signal(signed(bits), name=name if lane is None else f"{name}_{lane}", reset_less=True)
