"""Configurations that are quick to prove something about."""

from __future__ import annotations

import dataclasses

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.registers import BASE_ALIGNMENT_BITS

SMALL = AcceleratorConfig(
    winograd=0, rows=2, cols=2, bus_bytes=16, input_buffer=16, weight_buffer=16, accumulators=4, parameter_blocks=2,
    output_buffer=16, queue_depth=2, fetch_ahead=2, burst_beats=8, reads_in_flight=2, writes_in_flight=2,
)  # fmt: skip
"""An instruction is four beats, so that it is dispatched soon."""


BROAD_ADDRESSES = dataclasses.replace(SMALL, address_bits=36)
"""Addresses that BASE and its carry reach beyond 32 bits."""

NARROW_BUS = dataclasses.replace(SMALL, bus_bytes=4)
"""With few bits of alignment, which are dear to prove."""


def page_bits(config: AcceleratorConfig) -> int:
    """Bits of BASE that are not always zero."""
    return config.address_bits - BASE_ALIGNMENT_BITS
