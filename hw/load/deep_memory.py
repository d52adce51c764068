"""A memory of any depth without a multiplexer of many blocks behind it."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Shape, ShapeLike, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from wingrid.hw.block_memory import BlockMemory


class DeepMemory(wiring.Component):
    """Block memory with a write port, a read port and an output register.

    Tools build a memory whose depth is no power of two from many shallow blocks, and choose between all of them in the
    cycle in which they answer. Here it is two memories: one as deep as the largest power of two in ``depth``, for which
    there are blocks that are deep and narrow, and one for the rest. Each has an output register of its own, and the
    choice comes after those.

    Members
    -------
    write_enable : In, 1
    write_address : In, range(depth)
    write_data : In, ``shape``
    read_enable : In, 1
        Asks for an entry; ``read_latency`` cycles after it is low, ``read_data`` holds.
    read_address : In, range(depth)
    read_data : Out, ``shape``
        The entry, ``read_latency`` cycles after its address. What is written in the cycle before is read; what is read
        while it is written is unknown.
    """

    read_latency = 2
    """Cycles from an address to its data: the memory and its output register."""

    def __init__(self, shape: ShapeLike, depth: int) -> None:
        self._shape = shape
        self._depth = depth
        super().__init__(
            {
                "write_enable": In(1),
                "write_address": In(range(depth)),
                "write_data": In(shape),
                "read_enable": In(1),
                "read_address": In(range(depth)),
                "read_data": Out(shape),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bits = self._depth.bit_length() - 1
        rest = self._depth - (1 << bits)
        write_above, read_above = (Signal(name=name) for name in ("write_above", "read_above"))
        if rest:
            m.d.comb += [write_above.eq(self.write_address[bits]), read_above.eq(self.read_address[bits])]
        parts = [("lower", 1 << bits, ~write_above, ~read_above), ("upper", rest, write_above, read_above)]
        outputs = []
        for name, depth, writes, reads in parts if rest else parts[:1]:
            m.submodules[name] = memory = BlockMemory(Shape.cast(self._shape).width, depth)
            output = Signal(self._shape, name=f"{name}_output", reset_less=True)
            m.d.comb += [
                memory.write_address.eq(self.write_address),
                memory.write_data.eq(self.write_data),
                memory.write_enable.eq(self.write_enable & writes),
                memory.read_address.eq(self.read_address),
                memory.read_enable.eq(self.read_enable & reads),
            ]
            m.d.sync += output.eq(memory.read_data)
            outputs.append(output)
        if not rest:
            m.d.comb += self.read_data.eq(outputs[0])
            return m
        read_was_above = Signal()
        chosen = Signal()
        with m.If(self.read_enable):
            m.d.sync += read_was_above.eq(read_above)
        m.d.sync += chosen.eq(read_was_above)
        m.d.comb += self.read_data.eq(Mux(chosen, outputs[1], outputs[0]))
        return m
