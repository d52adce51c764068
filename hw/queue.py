"""A first-in first-out queue between two streams."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, ShapeLike, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from wingrid.hw.ram_style import RamStyle
from wingrid.hw.tally import tally

SLICE_BITS = 60
"""Of a payload, behind one pointer: a multiple of what small memories are made of (4 bits on ECP5, 6 on 7-series)."""


class Queue(wiring.Component):
    """Holds up to ``depth`` payloads (a power of two, at least 2), in order.

    One payload enters and one leaves per cycle; ``input.ready`` depends on registers only.

    A wide payload lies in slices, as a pointer that hundreds of bits hear has long wires, and what is offered comes
    behind it. Each slice has pointers of its own, which begin at entries of their own: tools make one of all that are
    equal.

    It does what ``amaranth.lib.fifo.SyncFIFO`` does, with stream ports and for payloads of any shape. That one carries
    plain bits: a wrapper would have to cast structures and arrays on both sides, and be no shorter.

    Members
    -------
    input : In, stream of ``shape``
    output : Out, stream of ``shape``
        What enters in one cycle is offered from the next one on, when all that came before has left.
    holds : Out, depth + 1
        The bit of the place n is set while n payloads are held.
    """

    latency = 1
    """Cycles from entering to the first cycle in which a payload can leave, and from leaving to the room it makes."""

    def __init__(self, shape: ShapeLike, depth: int) -> None:
        if depth < 2 or depth & (depth - 1):
            raise ValueError(f"queue depth {depth} must be a power of two of at least 2")
        self._shape = shape
        self.depth = depth
        super().__init__(
            {
                "input": In(stream.Signature(shape)),
                "output": Out(stream.Signature(shape)),
                "holds": Out(depth + 1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        enter = self.input.valid & self.input.ready
        leave = self.output.valid & self.output.ready

        m.d.comb += [
            self.holds.eq(tally(m, "held", self.depth, enter, leave)),
            self.input.ready.eq(~self.holds[-1]),
            self.output.valid.eq(~self.holds[0]),
        ]
        payload = Value.cast(self.input.payload)
        # There are at most as many slices as entries, so that each begins at one of its own.
        bits = SLICE_BITS * -(-len(payload) // (SLICE_BITS * min(-(-len(payload) // SLICE_BITS), self.depth)))
        offered = []
        for number, first in enumerate(range(0, len(payload), bits)):
            piece = payload[first : first + bits]
            memory = Memory(shape=len(piece), depth=self.depth, init=[], attrs=RamStyle.DISTRIBUTED.attributes)
            m.submodules[f"memory_{number}"] = memory
            write = memory.write_port()
            read = memory.read_port(domain="comb")
            head = Signal(range(self.depth), init=number, name=f"head_{number}")
            tail = Signal(range(self.depth), init=number, name=f"tail_{number}")
            m.d.comb += [write.addr.eq(tail), write.data.eq(piece), write.en.eq(enter), read.addr.eq(head)]
            with m.If(enter):
                m.d.sync += tail.eq(tail + 1)
            with m.If(leave):
                m.d.sync += head.eq(head + 1)
            offered.append(read.data)
        m.d.comb += Value.cast(self.output.payload).eq(Cat(offered))
        return m
