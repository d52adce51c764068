"""From the offsets that programs hold to addresses on the bus."""

from __future__ import annotations

from amaranth.hdl import Cat, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from wingrid.hw.config import OFFSET_BITS, AcceleratorConfig
from wingrid.hw.registers import BASE_ALIGNMENT_BITS


class Relocation(wiring.Component):
    """The byte address ``base + offset`` in a register, modulo the width of addresses.

    ``base`` is a multiple of 4096. So a burst lies in its page as its offset says, and what is worked out on offsets
    holds for addresses; only the number of the page is added.

    Members
    -------
    base : In, address_bits
        Byte address of offset 0, a multiple of 4096.
    offset : In, OFFSET_BITS
    address : Out, address_bits
        The sum, ``latency`` cycles after its terms.
    """

    latency = 1
    """Cycles from an offset to its address."""

    def __init__(self, config: AcceleratorConfig) -> None:
        super().__init__(
            {
                "base": In(config.address_bits),
                "offset": In(OFFSET_BITS),
                "address": Out(config.address_bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        page = self.base[BASE_ALIGNMENT_BITS:] + self.offset[BASE_ALIGNMENT_BITS:]
        m.d.sync += self.address.eq(Cat(self.offset[:BASE_ALIGNMENT_BITS], page))
        return m
