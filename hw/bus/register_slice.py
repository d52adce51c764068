"""A register slice: a stop on the way of a stream at which no wire goes through."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, ShapeLike, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out


class RegisterSlice(wiring.Component):
    """Hands on what it is given a cycle later, in order, as often as once a cycle.

    ``input.ready``, ``output.valid`` and ``output.payload`` are registers, each without logic behind it: what stands
    on both sides may be far away. As ``ready`` comes a cycle late, there is room for the payload that it could not stop
    (a skid buffer; the "fully registered" slice of AMBA designs).

    Members
    -------
    input : In, stream of ``shape``
    output : Out, stream of ``shape``
    """

    latency = 1
    """Cycles from entering to the first cycle in which a payload can leave, and from leaving to the room it makes."""

    def __init__(self, shape: ShapeLike) -> None:
        self._shape = shape
        super().__init__({"input": In(stream.Signature(shape)), "output": Out(stream.Signature(shape))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        offered = Signal(self._shape, reset_less=True)
        skid = Signal(self._shape, reset_less=True)
        offers = Signal()
        skids = Signal()
        m.d.comb += [
            self.input.ready.eq(~skids),
            self.output.valid.eq(offers),
            self.output.payload.eq(offered),
        ]
        with m.If(self.output.ready | ~offers):
            m.d.sync += [
                offers.eq(self.input.valid | skids),
                offered.eq(Mux(skids, skid, self.input.payload)),
                skids.eq(0),
            ]
        with m.Elif(self.input.valid & ~skids):
            m.d.sync += [skid.eq(self.input.payload), skids.eq(1)]
        return m
