"""The accelerator with register slices on all channels of both of its buses."""

from __future__ import annotations

from amaranth.hdl import Module
from amaranth.lib import data, wiring
from amaranth.lib.wiring import Out

from wingrid.hw.accelerator import Accelerator
from wingrid.hw.bus import axi
from wingrid.hw.bus.register_slice import RegisterSlice


class SlicedAccelerator(Accelerator):
    """An accelerator with a ``RegisterSlice`` on each of its ten AXI channels.

    Nothing but registers drives a bus, READY among them, and what it brings goes into registers: it may be far away.
    Full throughput. To the accelerator, memory answers reads and writes two cycles later, one of them on the way there
    and one on the way back (``added_latency``), and so does it to the host. As the accelerator takes every beat and
    response at once, that is all: nothing collects in the slices of its master.

    Hold ``rst`` for two cycles: in the first, the accelerator's bus may still say anything, which the slices do not
    listen to while it lasts. A soft reset does not touch them: it waits until the bus is quiet.
    """

    added_latency = 2 * RegisterSlice.latency
    """Cycles that a memory's latency grows by, that of reads and that of writes."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.accelerator = accelerator = Accelerator(self.config)
        for bus, signature in (("m_axi", axi.memory_master(self.config)), ("s_axil", axi.register_slave())):
            for channel in axi.CHANNELS:
                self._slice(m, accelerator, f"{bus}_{channel}", axi.payload(channel, signature))
        m.d.comb += [self.interrupt.eq(accelerator.interrupt), self.events.eq(accelerator.events)]
        return m

    def _slice(self, m: Module, inside: Accelerator, channel: str, payload: dict[str, wiring.Member]) -> None:
        """A slice between a channel's ports, whose VALID tells the direction, and the accelerator's."""
        source, sink = inside, self
        if self.signature.members[f"{channel}valid"].flow != Out:
            source, sink = sink, source
        m.submodules[channel] = middle = RegisterSlice(
            data.StructLayout({name: member.shape for name, member in payload.items()})
        )
        m.d.comb += [
            middle.input.valid.eq(getattr(source, f"{channel}valid")),
            getattr(source, f"{channel}ready").eq(middle.input.ready),
            getattr(sink, f"{channel}valid").eq(middle.output.valid),
            middle.output.ready.eq(getattr(sink, f"{channel}ready")),
        ]
        for name in payload:
            m.d.comb += [
                middle.input.payload[name].eq(getattr(source, channel + name)),
                getattr(sink, channel + name).eq(middle.output.payload[name]),
            ]
