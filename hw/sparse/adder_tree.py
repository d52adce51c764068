"""A sum of many numbers, pair by pair."""

from __future__ import annotations

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out


class AdderTree(wiring.Component):
    """Adds up ``terms`` numbers modulo ``2**bits``, in levels with a register behind each: a sum per cycle.

    Members
    -------
    input : In, terms x signed(bits)
    output : Out, signed(bits)
        The sum, ``latency_for(terms)`` cycles later.
    """

    def __init__(self, terms: int, bits: int) -> None:
        self._bits = bits
        super().__init__({"input": In(data.ArrayLayout(signed(bits), terms)), "output": Out(signed(bits))})

    @staticmethod
    def latency_for(terms: int) -> int:
        """Levels: each halves the numbers that are left, rounded up."""
        return (terms - 1).bit_length()

    def elaborate(self, platform: object) -> Module:
        m = Module()
        level = list(self.input)
        while len(level) > 1:
            sums = []
            for place in range(0, len(level), 2):
                total = Signal(signed(self._bits), reset_less=True)
                m.d.sync += total.eq(sum(level[place : place + 2]))
                sums.append(total)
            level = sums
        m.d.comb += self.output.eq(level[0])
        return m
