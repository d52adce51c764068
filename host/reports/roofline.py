"""What holds a layer up: the resource that it asks most of, and its place under the roofline.

The roofline is that of Williams, Waterman and Patterson (Communications of the ACM, 2009), in multiply-adds: as many
per cycle as the multipliers do, or as the bytes moved for each of them let through, whichever is less.
"""

from __future__ import annotations

import enum
import math

from wingrid.host.execution.measurement import Activity, Measurement
from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.winograd_matrices import KERNEL, winograd
from wingrid.sim.memory import MemoryTiming


class Bound(enum.StrEnum):
    """What a layer is bound by."""

    COMPUTE = "compute"
    """The mesh, which a vector enters in most cycles, or the sparse lanes, which take an entry of weights."""
    BANDWIDTH = "bandwidth"
    """The memory's data bus, which carries something in most cycles."""
    WEIGHTS = "weights"
    """The mesh's weights, which enter it a row per cycle: taps have fewer vectors than the mesh has rows. Or decoders,
    which make a row of compressed weights in ``decoder_columns`` cycles."""
    LATENCY = "latency"
    """None of these: most cycles go by while engines wait for memory's answers or for each other."""


def demands(
    measurement: Measurement, activity: Activity, config: AcceleratorConfig, timing: MemoryTiming
) -> dict[Bound, int]:
    """Cycles that each resource is in use, at least; for LATENCY those in which the busiest of the others is not."""
    beats = measurement.dram_bytes // config.bus_bytes
    used = {
        Bound.COMPUTE: measurement.busy,
        Bound.BANDWIDTH: timing.bus_cycles(beats, config.bus_bytes),
        Bound.WEIGHTS: max(activity.weight_tiles, activity.decoded_tiles * config.decoder_columns) * config.rows,
    }
    return {**used, Bound.LATENCY: measurement.cycles - max(used.values())}


def bound_by(measurement: Measurement, activity: Activity, config: AcceleratorConfig, timing: MemoryTiming) -> Bound:
    """The largest of the ``demands``, the first among equals."""
    asked = demands(measurement, activity, config, timing)
    return max(asked, key=lambda bound: asked[bound])


def gain(tile: int | None) -> float:
    """Multiply-adds of the layer that a multiplication stands for: 1, 2.25 for F(2x2,3x3), 4 for F(4x4,3x3).

    Without limit for ``None``, sparse lanes: they pass over any number of zeros.
    """
    if tile is None:
        return math.inf
    return (KERNEL * tile / winograd(tile).patch) ** 2 if tile else 1.0


def attainable(macs_per_byte: float, tile: int | None, config: AcceleratorConfig, timing: MemoryTiming) -> float:
    """Multiply-adds per cycle under the roofline."""
    return min(config.multipliers * gain(tile), macs_per_byte * timing.bytes_per_cycle)
