"""Random layers for sparse lanes, with weights of all densities, and how one is compiled for them."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt
from layer_cases import WIDE, random_case, random_layer, with_lookup
from sparse_matrices import random_matrix

from wingrid.host.compiler.compile_layer import CompiledLayer, plan_layer
from wingrid.host.compiler.sparse_streams import SparseShape, SparseStreams
from wingrid.host.networks.layer import Convolution, Layer, Operands, fully_connected, matrix_product
from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.isa import SPARSE_FORMATS, SparseFormat

SMALL = {
    "winograd": 0, "sparse": 1, "input_buffer": 64, "weight_buffer": 90, "accumulators": 20, "parameter_blocks": 4,
    "output_buffer": 32, "burst_beats": 8,
}  # fmt: skip
CONFIGS = {
    "2x3": WIDE,
    "2x2": AcceleratorConfig(rows=2, cols=2, **SMALL),
    "3x5": AcceleratorConfig(rows=3, cols=5, bus_bytes=16, **SMALL),
    "4x4": AcceleratorConfig(rows=4, cols=4, **SMALL),
    "4x12": AcceleratorConfig(rows=4, cols=12, **SMALL),
    "32x2": AcceleratorConfig(rows=32, cols=2, **SMALL),
}
"""Lanes from 2 to 32, fewer than columns and more; little room, so that layers come in many pieces."""


def random_sparse_layer(
    random: np.random.Generator, config: AcceleratorConfig, form: SparseFormat, scale: int = 1
) -> tuple[Layer, Operands, npt.NDArray[np.int8]]:
    """A layer that lanes can compute, operands with no more values than the format takes, and an input.

    ``scale`` times as many channels and outputs as usual make several blocks on a larger array.
    """
    while True:
        shape: Convolution
        if random.random() < 0.7:
            channels, outputs = int(random.integers(1, 30 * scale)), int(random.integers(1, 40 * scale))
            height, width = (int(size) for size in random.integers(1, 4, 2))
            shape = fully_connected(channels, height, width, outputs, int(random.choice([1, 1, 2, 3])))
        else:
            shape = matrix_product(*(int(size) for size in random.integers(1, 25 * scale, 3)))
        layer = with_lookup(random, random_layer(random, shape), config)
        if SparseShape.of(layer, config):
            break
    operands, x = random_case(random, layer)
    matrix = random_matrix(random, shape.kernels, operands.weights[0].size, form)
    return layer, dataclasses.replace(operands, weights=matrix.reshape(operands.weights.shape)), x


def compile_sparse(layer: Layer, operands: Operands, config: AcceleratorConfig, *forms: SparseFormat) -> CompiledLayer:
    """The layer from sparse streams, in one of these formats or any, whether or not they are the cheapest."""
    streams = SparseStreams.cheapest(layer, operands, config, forms or SPARSE_FORMATS)
    return plan_layer(layer, config).by(streams).compiled()
