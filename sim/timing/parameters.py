"""What the time of a program depends on, as the C++ of the timing model takes it.

Most of it is said by the gateware's components (``wingrid.sim.timing.gateware``), which with Amaranth take longer to
import than an estimate to make. So what they say of an accelerator is kept in the cache, under a key of their sources.
"""

from __future__ import annotations

import ctypes
import functools
import json
import sys
from collections.abc import Callable
from pathlib import Path

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.winograd_matrices import POINTS
from wingrid.sim import cache
from wingrid.sim.memory import DramTiming, MemoryTiming

TILE_ENTRIES = max(POINTS) + 1
"""Length of the lists with an entry for each Winograd tile, and entry 0 for direct convolution."""

GATEWARE = "wingrid.sim.timing.gateware"

MEMORY: dict[str, Callable[[MemoryTiming], int]] = {
    "memory_latency": lambda timing: timing.latency,
    "memory_write_latency": lambda timing: timing.write_latency,
    "memory_bytes_per_cycle": lambda timing: timing.bytes_per_cycle,
    "bridge_read_beat": lambda timing: timing.bridge.read_beat if timing.bridge else 0,
    "bridge_write_beat": lambda timing: timing.bridge.write_beat if timing.bridge else 0,
}
"""Each number that the model needs of the memory."""


@functools.lru_cache(maxsize=1024)
def gateware_numbers(config: AcceleratorConfig) -> dict[str, int | list[int]]:
    """``wingrid.sim.timing.gateware.numbers``, without its imports where it was asked for this accelerator before."""
    if GATEWARE in sys.modules:
        # It costs nothing any more; searches would keep a file for each of their accelerators.
        return _told(config)

    def tell(folder: Path) -> Path:
        result = folder / "result.json"
        result.write_text(json.dumps(_told(config)))
        return result

    kept = cache.cached(f"gateware/{cache.key('gateware', repr(config), *_sources())}.json", tell)
    numbers: dict[str, int | list[int]] = json.loads(kept.read_text())
    return numbers


def _told(config: AcceleratorConfig) -> dict[str, int | list[int]]:
    from wingrid.sim.timing.gateware import numbers

    return numbers(config)


@functools.cache
def _sources() -> list[bytes]:
    """Of all gateware, and of what asks it."""
    here = Path(__file__).resolve()
    hardware = here.parents[2] / "hw"
    return [path.read_bytes() for path in [*sorted(hardware.rglob("*.py")), here.with_name("gateware.py")]]


def output_latency(config: AcceleratorConfig, tile: int) -> int:
    """Cycles from accumulators to results, for a Winograd tile or 0."""
    latencies = gateware_numbers(config)["output_latency"]
    assert isinstance(latencies, list)
    return latencies[tile]


@functools.cache
def structure() -> list[tuple[str, bool]]:
    """Names of the numbers in the C++ structure ``Parameters``, and whether each is a list of ``TILE_ENTRIES``.

    The DRAM's stand before them.
    """
    numbers = gateware_numbers(AcceleratorConfig())
    return [*((name, False) for name in MEMORY), *((name, isinstance(value, list)) for name, value in numbers.items())]


@functools.cache
def _parameters_type() -> type[ctypes.Structure]:
    """The C++ structure ``Parameters``: unsigned 32-bit numbers, and arrays of them by tile."""
    fields = [(name, ctypes.c_uint32 * TILE_ENTRIES if listed else ctypes.c_uint32) for name, listed in structure()]
    return type("Parameters", (ctypes.Structure,), {"_fields_": [("dram", DramTiming), *fields]})


@functools.lru_cache(maxsize=1024)
def parameters(config: AcceleratorConfig, timing: MemoryTiming) -> ctypes.Structure:
    """The numbers that the time of a program depends on, for this accelerator and this memory."""
    timing.check(config.bus_bytes)
    result = _parameters_type()(dram=DramTiming.of(timing.dram))
    for name, number in MEMORY.items():
        setattr(result, name, number(timing))
    for name, value in gateware_numbers(config).items():
        setattr(result, name, type(getattr(result, name))(*value) if isinstance(value, list) else value)
    return result
