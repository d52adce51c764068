"""What bounds a layer, its place under the roofline, and the energy that it takes, as fields of a report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wingrid.host.compiler.algorithms import TILES
from wingrid.host.execution.layer_result import LayerResult
from wingrid.host.execution.setup import Setup
from wingrid.host.reports.energy import Energy, layer_energy
from wingrid.host.reports.roofline import Bound, attainable, bound_by

_LAYER = ("utilisation", "bound", "macs_per_byte", "macs_per_cycle", "attainable_macs_per_cycle", "energy_uj")
_TOTAL = ("utilisation", "bound_cycles", "macs_per_byte", "macs_per_cycle", "energy_uj", "energy_per_image_uj")


def layer_limits(result: LayerResult, setup: Setup) -> dict[str, Any]:
    """A layer's fields, all ``None`` if it had no hardware; energy is in microjoules and for the whole batch."""
    measurement, activity = result.measurement, result.activity
    if measurement is None or activity is None or result.algorithm is None:
        return dict.fromkeys(_LAYER)
    config, timing, tile = setup.config, setup.timing, TILES.get(result.algorithm)
    macs = result.layer.shape.macs
    intensity = macs / measurement.dram_bytes
    values = (
        round(measurement.busy / measurement.cycles, 4),
        bound_by(measurement, activity, config, timing).value,
        round(intensity, 4),
        round(macs / measurement.cycles, 4),
        round(attainable(intensity, tile, config, timing), 4),
        _microjoules(layer_energy(activity, measurement, tile or 0, config)),
    )
    return dict(zip(_LAYER, values, strict=True))


def total_limits(results: Sequence[LayerResult], setup: Setup, images: int) -> dict[str, Any]:
    """The fields of all layers together; ``bound_cycles`` are the cycles of the layers bound by each resource."""
    if not results:
        return dict.fromkeys(_TOTAL)
    config, timing = setup.config, setup.timing
    bounds, energy = {bound.value: 0 for bound in Bound}, Energy(0, 0, 0)
    macs = cycles = busy = moved = 0
    for result in results:
        measurement, activity = result.measurement, result.activity
        if measurement is None or activity is None or result.algorithm is None:
            return dict.fromkeys(_TOTAL)
        macs += result.layer.shape.macs
        cycles += measurement.cycles
        busy += measurement.busy
        moved += measurement.dram_bytes
        bounds[bound_by(measurement, activity, config, timing).value] += measurement.cycles
        energy += layer_energy(activity, measurement, TILES.get(result.algorithm, 0), config)
    values = (
        round(busy / cycles, 4),
        bounds,
        round(macs / moved, 4),
        round(macs / cycles, 4),
        _microjoules(energy),
        _microjoules(energy.shared(images)) if images else None,
    )
    return dict(zip(_TOTAL, values, strict=True))


def _microjoules(energy: Energy) -> dict[str, float]:
    parts = {"multiply_add": energy.multiply_add, "buffers": energy.buffers, "dram": energy.dram}
    return {name: round(picojoules / 1e6, 3) for name, picojoules in (*parts.items(), ("total", energy.total))}
