"""How long the next AXI burst of a contiguous run may be."""

from __future__ import annotations

from amaranth.hdl import Module, Signal, Value

from wingrid.hw.config import AXI_PAGE_BYTES, AcceleratorConfig


def burst_beats(m: Module, config: AcceleratorConfig, address: Value, left: Value) -> Signal:
    """Beats of a burst at byte ``address`` when ``left`` beats of the run remain.

    The least of ``left``, ``config.burst_beats`` and the beats up to the next 4 KiB boundary
    (AMBA AXI4, A3.4.1); ``address`` is a multiple of the bus width, ``left`` at least 1.
    """
    page_beats = AXI_PAGE_BYTES // config.bus_bytes
    offset = address[(config.bus_bytes - 1).bit_length() : (AXI_PAGE_BYTES - 1).bit_length()]
    to_boundary = Signal(range(page_beats + 1))
    capped = Signal(range(config.burst_beats + 1))
    beats = Signal(range(config.burst_beats + 1))
    m.d.comb += to_boundary.eq(page_beats - offset)
    with m.If(to_boundary > config.burst_beats):
        m.d.comb += capped.eq(config.burst_beats)
    with m.Else():
        m.d.comb += capped.eq(to_boundary)
    with m.If(left > capped):
        m.d.comb += beats.eq(capped)
    with m.Else():
        m.d.comb += beats.eq(left)
    return beats
