"""A package for tests: of a small accelerator, and of one with more than 32 address bits."""

from __future__ import annotations

import dataclasses
import functools
import json
from typing import Any

from wingrid.host.package.package import package_files
from wingrid.hw.config import AcceleratorConfig

CONFIG = AcceleratorConfig(
    winograd=0,
    rows=2, cols=3, bus_bytes=8, input_buffer=64, weight_buffer=16, accumulators=16, parameter_blocks=4,
    output_buffer=32, burst_beats=4, queue_depth=2, fetch_ahead=2, reads_in_flight=2, writes_in_flight=4,
)  # fmt: skip
FAR = dataclasses.replace(CONFIG, address_bits=40)


@functools.cache
def package(config: AcceleratorConfig = CONFIG) -> dict[str, bytes]:
    """Content by file name."""
    return package_files(config)


def manifest(config: AcceleratorConfig = CONFIG) -> dict[str, Any]:
    """What the package's ``wingrid.json`` says."""
    return json.loads(package(config)["wingrid.json"])
