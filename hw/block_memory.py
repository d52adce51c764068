"""Block memory in slices that have output registers of their own."""

from __future__ import annotations

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from wingrid.hw.ram_style import RamStyle

WIDE_ENTRIES = 512
"""Depth up to which tools take ECP5's blocks of 36 bits, which have no register for what is read."""
SLICE_BITS = 16
"""Of a slice at most: two bytes."""


class BlockMemory(wiring.Component):
    """Words of ``bits`` in ``depth`` entries, with a write port and a read port.

    A block answers late; a register behind it, where its clock, enable and reset allow, is one within the block and
    takes no time on the way. Tools put a shallow memory into blocks that are as wide as there are, and those of ECP5
    have no such register then: 36 bits take the outputs of both ports (Lattice FPGA-TN-02204, sysMEM). So words of a
    memory of up to ``WIDE_ENTRIES`` entries are cut into slices; deeper ones lie in narrower blocks anyway.

    Members
    -------
    write_enable : In, 1
    write_address : In, range(depth)
    write_data : In, bits
    read_enable : In, 1
        Asks for an entry; a cycle after it is low, ``read_data`` holds.
    read_address : In, range(depth)
    read_data : Out, bits
        The entry, a cycle after its address. What is read while it is written is unknown.
    """

    def __init__(self, bits: int, depth: int) -> None:
        self._bits = bits
        self._depth = depth
        super().__init__(
            {
                "write_enable": In(1),
                "write_address": In(range(depth)),
                "write_data": In(bits),
                "read_enable": In(1),
                "read_address": In(range(depth)),
                "read_data": Out(bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        width = SLICE_BITS if self._depth <= WIDE_ENTRIES else self._bits
        for low in range(0, self._bits, width):
            part = slice(low, min(low + width, self._bits))
            memory = Memory(shape=part.stop - low, depth=self._depth, init=[], attrs=RamStyle.BLOCK.without_bypass)
            m.submodules[f"bits_{low}"] = memory
            write, read = memory.write_port(), memory.read_port()
            m.d.comb += [
                write.addr.eq(self.write_address),
                write.data.eq(self.write_data[part]),
                write.en.eq(self.write_enable),
                read.addr.eq(self.read_address),
                read.en.eq(self.read_enable),
                self.read_data[part].eq(read.data),
            ]
        return m
