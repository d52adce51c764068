"""Lower bounds on what a network takes in cycles and energy, told without compiling it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from wingrid.host.compiler.blocking import Blocking
from wingrid.host.networks.layer import Layer
from wingrid.host.reports.energy import DRAM_32, multiply_add_energy
from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.winograd_matrices import winograd
from wingrid.sim.memory import MemoryTiming


def cycles_at_least(layers: Sequence[Layer], config: AcceleratorConfig, timing: MemoryTiming) -> int:
    """Cycles that the layers take on whatever buffers the mesh has: products on all multipliers, weights moved once.

    A Winograd tile of m x m outputs takes (m + 2)^2 products where 9 m^2 are taken directly. Layers follow each other,
    so the larger of the two bounds counts for each.
    """
    return sum(max(_multiplying(layer, config), _moving(layer, timing)) for layer in layers)


def microjoules_at_least(layers: Sequence[Layer], config: AcceleratorConfig) -> float:
    """Energy of the layers on whatever buffers the mesh has: products, and weights and outputs moved once."""
    picojoules = 0.0
    for layer in layers:
        ways = (layer.shape.macs / saved * multiply_add_energy(tile) for tile, saved in _savings(layer, config).items())
        picojoules += min(ways) + _moved(layer) * 8 * DRAM_32 / 32
    return picojoules / 1e6


def _multiplying(layer: Layer, config: AcceleratorConfig) -> int:
    return math.ceil(Fraction(layer.shape.macs, config.multipliers) / max(_savings(layer, config).values()))


def _savings(layer: Layer, config: AcceleratorConfig) -> dict[int, Fraction]:
    """By tile, 0 for none: the products of the layer by those that are taken."""
    suited = config.tiles if Blocking.suits_winograd(layer.shape, layer.pool) else ()
    return {0: Fraction(1), **{tile: Fraction(9 * tile * tile, winograd(tile).patch ** 2) for tile in suited}}


def _moving(layer: Layer, timing: MemoryTiming) -> int:
    return math.ceil(_moved(layer) / timing.bytes_per_cycle)


def _moved(layer: Layer) -> int:
    return layer.shape.weight_bytes + layer.output_bytes
