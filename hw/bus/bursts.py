"""The AXI4 bursts of runs of beats, one after the other."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from wingrid.hw.bus.relocation import Relocation
from wingrid.hw.config import AXI_PAGE_BYTES, OFFSET_BITS, AcceleratorConfig
from wingrid.hw.isa import PIXEL_PITCH_BITS


def burst_layout(config: AcceleratorConfig) -> data.StructLayout:
    """A burst of 1 to 256 beats within one 4 KiB page; or, if ``apart``, that is with a ``beat_pitch`` above 1, as
    many bursts of one beat each, so many beats apart. ``final`` marks the last one of its descriptor.

    ``address`` is that on the bus.
    """
    return data.StructLayout(
        {"address": config.address_bits, "beats": 9, "beat_pitch": PIXEL_PITCH_BITS, "apart": 1, "final": 1}
    )


def descriptor_layout(beats_bits: int, runs_bits: int) -> data.StructLayout:
    """``runs`` runs of ``beats`` beats each, at least 1 of both, ``pitch`` bytes apart; the first one at ``address``.

    Address and pitch are multiples of the bus width; the address is an offset from BASE. From a beat of a run to the
    next it is ``beat_pitch`` beats, at least 1; with more, a run has ``config.burst_beats`` beats at most.
    """
    return data.StructLayout(
        {
            "address": OFFSET_BITS,
            "beats": beats_bits,
            "beat_pitch": PIXEL_PITCH_BITS,
            "pitch": OFFSET_BITS,
            "runs": runs_bits,
        }
    )


class Bursts(wiring.Component):
    """Cuts runs into bursts: as long as the run, ``config.burst_beats`` and the next 4 KiB boundary (AMBA AXI4, A3.4.1)
    allow. A run whose beats lie apart goes as it is.

    Two cycles a burst, with a register after each: how many beats may go, and from which address on the bus
    (``Relocation``); then how many go and what is left. The first burst is offered ``latency`` cycles after its
    descriptor was taken; each further one in the cycle after the one before was taken, or ``interval`` cycles after
    that one was offered, if that is later. The next descriptor is taken when all bursts have been.

    Members
    -------
    base : In, address_bits
        Byte address of offset 0, a multiple of 4096; steady while bursts are under way.
    descriptor : In, stream of ``descriptor_layout(beats_bits, runs_bits)``
        ``ready`` is a register.
    burst : Out, stream of ``burst_layout(config)``
        Registers.
    idle : Out, 1
        No burst is under way.
    """

    latency = 2 + Relocation.latency
    """Cycles from a descriptor to its first burst."""
    interval = 1 + Relocation.latency
    """Least cycles from the offer of a burst to that of the next one."""

    def __init__(self, config: AcceleratorConfig, beats_bits: int, runs_bits: int) -> None:
        self._config = config
        super().__init__(
            {
                "base": In(config.address_bits),
                "descriptor": In(stream.Signature(descriptor_layout(beats_bits, runs_bits))),
                "burst": Out(stream.Signature(burst_layout(config))),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        config = self._config
        m = Module()
        given = self.descriptor.payload
        busy = Signal()
        # Of the burst to come: ``fresh`` until it is known how many beats may go at most, and from which address.
        working = Signal()
        fresh = Signal()
        address = Signal(OFFSET_BITS)
        left = Signal(given.beats.shape())
        m.submodules.relocation = relocation = Relocation(config)
        m.d.comb += [relocation.base.eq(self.base), relocation.offset.eq(address)]
        # Of the run to come.
        next_run = Signal(OFFSET_BITS)
        pitch = Signal(OFFSET_BITS)
        beats = Signal(given.beats.shape())
        runs = Signal(given.runs.shape())
        last_run = Signal()

        page_beats = AXI_PAGE_BYTES // config.bus_bytes
        to_boundary = Signal(range(page_beats + 1))
        most = Signal(range(config.burst_beats + 1))
        m.d.comb += to_boundary.eq(
            page_beats - address[(config.bus_bytes - 1).bit_length() : (AXI_PAGE_BYTES - 1).bit_length()]
        )
        # While ``fresh``: the most beats that may go, and whether that is all that is left of the run.
        ends_run = Signal()
        taken = Signal()
        step = Signal()
        m.d.sync += [
            most.eq(Mux(to_boundary > config.burst_beats, config.burst_beats, to_boundary)),
            ends_run.eq(self.burst.p.apart | ((left <= to_boundary) & (left <= config.burst_beats))),
        ]
        m.d.comb += [
            self.descriptor.ready.eq(~busy),
            self.idle.eq(~busy),
            taken.eq(self.burst.valid & self.burst.ready),
            step.eq(working & ~fresh & (~self.burst.valid | self.burst.ready)),
        ]
        m.d.sync += fresh.eq(0)
        with m.If(taken):
            m.d.sync += [self.burst.valid.eq(0), busy.eq(~self.burst.p.final)]
        with m.If(step):
            m.d.sync += [
                self.burst.valid.eq(1),
                self.burst.p.address.eq(relocation.address),
                self.burst.p.beats.eq(Mux(ends_run, left, most)),
                self.burst.p.final.eq(ends_run & last_run),
                fresh.eq(1),
            ]
            with m.If(ends_run):
                m.d.sync += [
                    address.eq(next_run),
                    next_run.eq(next_run + pitch),
                    left.eq(beats),
                    runs.eq(runs - 1),
                    last_run.eq(runs == 2),
                    working.eq(~last_run),
                ]
            with m.Else():
                m.d.sync += [address.eq(address + most * config.bus_bytes), left.eq(left - most)]
        with m.If(self.descriptor.valid & self.descriptor.ready):
            m.d.sync += [
                busy.eq(1),
                working.eq(1),
                fresh.eq(1),
                address.eq(given.address),
                next_run.eq(given.address + given.pitch),
                pitch.eq(given.pitch),
                left.eq(given.beats),
                beats.eq(given.beats),
                runs.eq(given.runs),
                last_run.eq(given.runs == 1),
                self.burst.p.beat_pitch.eq(given.beat_pitch),
                self.burst.p.apart.eq(given.beat_pitch != 1),
            ]
        return m
