"""Random Winograd layers with compressed weights of all densities, and how one is compiled for decoders."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt
from layer_cases import SQUARE, random_case, random_layer, random_winograd_convolution

from wingrid.host.compiler.coded_weights import CodedWeights
from wingrid.host.compiler.compile_layer import CompiledLayer, PlannedLayer, plan_layer
from wingrid.host.compiler.tiler import coded_plan
from wingrid.host.networks.layer import Layer, Operands, Pool
from wingrid.hw.config import AcceleratorConfig

SMALL = {
    "input_buffer": 256, "accumulators": 117, "parameter_blocks": 4, "output_buffer": 32, "burst_beats": 8,
}  # fmt: skip
CONFIGS = {
    "4x4": SQUARE,
    "2x2": AcceleratorConfig(rows=2, cols=2, decoders=1, weight_buffer=50, **SMALL),
    "3x4": AcceleratorConfig(rows=3, cols=4, decoders=1, weight_buffer=90, **SMALL),
    "2x12": AcceleratorConfig(rows=2, cols=12, decoders=3, weight_buffer=60, **SMALL),
    "4x16": AcceleratorConfig(rows=4, cols=16, decoders=8, winograd=2, weight_buffer=100, **SMALL),
}
"""Lanes from 1 to 8, of 2 columns and 4; little room, so that layers come in many pieces."""


def random_weights(random: np.random.Generator, shape: tuple[int, ...]) -> npt.NDArray[np.int8]:
    """Of any spread and density, from zeros alone to all bytes."""
    spread, density = 2 ** random.uniform(-2, 7), random.choice([0, 0.1, 0.5, 0.9, 1])
    values = np.clip(np.rint(random.laplace(0, spread, shape)), -127, 127)
    return np.where(random.random(shape) < density, values, 0).astype(np.int8)


def random_coded_layer(
    random: np.random.Generator, config: AcceleratorConfig, most: int = 9
) -> tuple[PlannedLayer, Operands, npt.NDArray[np.int8]]:
    """A layer planned for decoders, operands, and an input; ``most`` channels and kernels in a group at most."""
    while True:
        layer = random_layer(random, random_winograd_convolution(random, most))
        if random.random() < 0.3:
            height, width = layer.shape.out_height, layer.shape.out_width
            layer = dataclasses.replace(layer, pool=Pool(2, 2)) if min(height, width) > 1 else layer
        operands, x = random_case(random, layer)
        operands = dataclasses.replace(operands, weights=random_weights(random, operands.weights.shape))
        planned = planned_coded(layer, operands, config, int(random.choice(config.tiles)))
        if planned:
            return planned, operands, x


def planned_coded(layer: Layer, operands: Operands, config: AcceleratorConfig, tile: int) -> PlannedLayer | None:
    """With compressed weights, whether or not that is cheaper, if lanes can stay together."""
    planned = plan_layer(layer, config, tiles=(tile,))
    if not planned.plan.blocking.tile or planned.unfolding:
        return None
    coded = CodedWeights.of(operands.weights, planned.plan.blocking, config)
    plan = coded_plan(planned.plan.blocking, coded.largest, planned.plan.config) if coded else None
    return planned.with_codes(plan, coded) if coded and plan else None


def compile_coded(layer: Layer, operands: Operands, config: AcceleratorConfig, tile: int = 4) -> CompiledLayer:
    """A layer that can be."""
    planned = planned_coded(layer, operands, config, tile)
    assert planned is not None, "lanes can stay together"
    return planned.compiled()
