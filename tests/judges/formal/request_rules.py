"""What the masters may be asked for."""

from __future__ import annotations

from amaranth.hdl import Module, Value
from amaranth.lib import data
from rules import Bench

from wingrid.hw.config import AXI_PAGE_BYTES, AcceleratorConfig

REQUESTS = {
    "aligned": "the address of a request is a multiple of the bus width",
    "length": "a request is for one beat or more, and no longer than configured",
    "page": "A3.4.1: a request stays within 4 KiB",
}
"""Together: what the masters may be asked for."""


def request_rules(
    bench: Bench, m: Module, config: AcceleratorConfig, valid: Value, address: Value, beats: Value, whole: Value
) -> None:
    """All of ``REQUESTS``; beats that lie apart, where it is not ``whole``, may be in any pages."""
    alignment = (config.bus_bytes - 1).bit_length()
    first = address[alignment : (AXI_PAGE_BYTES - 1).bit_length()]
    bench.rule(m, "aligned", ~valid | (address[:alignment] == 0))
    bench.rule(m, "length", ~valid | ((beats != 0) & (beats <= config.burst_beats)))
    bench.rule(m, "page", ~valid | ~whole | (first + beats <= AXI_PAGE_BYTES // config.bus_bytes))


RUNS = {
    "runs": "what bursts are worked out from is aligned, neither its runs nor the beats of one nor what is between "
    "them are none, and beats that lie apart are no more than a burst's"
}
"""What ``Bursts`` may be given."""


def legal_runs(config: AcceleratorConfig, valid: Value, descriptor: data.View) -> Value:
    """``RUNS``, as an expression."""
    alignment = (config.bus_bytes - 1).bit_length()
    aligned = (descriptor.address[:alignment] == 0) & (descriptor.pitch[:alignment] == 0)
    short = (descriptor.beat_pitch == 1) | (descriptor.beats <= config.burst_beats)
    some = (descriptor.beats != 0) & (descriptor.runs != 0) & (descriptor.beat_pitch != 0)
    return ~valid | (aligned & some & short)
