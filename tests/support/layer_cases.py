"""Random layers and small, odd accelerators, and how to run the one on the other's executable specification."""

from __future__ import annotations

import dataclasses

import numpy as np
from random_convolutions import RandomConvolution

from wingrid.host.compiler.compile_layer import CompiledLayer
from wingrid.host.compiler.subkernels import saves
from wingrid.host.execution.driver import fill_memory, read_output
from wingrid.host.networks.layer import Combination, Convolution, Layer, LayerError, Lookup, Operands, Pool, Surface
from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.isa import ADDITION_FRACTION_BITS, LARGEST_PIXEL_PITCH, PRODUCT_FRACTION_BITS, Combining
from wingrid.sim.functional import FunctionalMachine

# Simulators of these two are built for the tests, so all layers that are to run on the RTL share them: they
# have little more than what two tiles of F(4x4) need, and no powers of two where none are asked for.
SQUARE = AcceleratorConfig(
    winograd=4,
    rows=4,
    cols=4,
    input_buffer=256,
    weight_buffer=120,
    accumulators=117,
    parameter_blocks=4,
    decoders=2,
    addends=128,
    output_buffer=32,
    burst_beats=8,
)
WIDE = AcceleratorConfig(
    winograd=4,
    rows=2,
    cols=3,
    input_buffer=64,
    weight_buffer=50,
    accumulators=100,
    parameter_blocks=2,
    tables=2,
    addends=128,
    sparse=1,
    output_buffer=32,
    burst_beats=8,
)
TINY = AcceleratorConfig(
    winograd=0,
    rows=3,
    cols=2,
    input_buffer=16,
    weight_buffer=16,
    accumulators=4,
    parameter_blocks=2,
    tables=2,
    addends=16,
    output_buffer=16,
    burst_beats=8,
)
CONFIGS = {"4x4": SQUARE, "2x3": WIDE, "3x2 with tiny buffers": TINY}
RTL_CONFIGS = {"4x4": SQUARE, "2x3": WIDE}


def random_convolution(random: np.random.Generator) -> Convolution:
    """A small layer of any kind: kernels to 11, strides to 4, uneven padding, dilation, groups, batches."""
    while True:
        groups = int(random.choice([1, 1, 1, 2, 3, 8]))
        kernel = int(random.choice([1, 1, 2, 3, 3, 5, 7, 11])), int(random.choice([1, 1, 2, 3, 3, 5, 11]))
        try:
            return Convolution(
                channels=groups * int(random.integers(1, 7)),
                height=int(random.integers(1, 14)),
                width=int(random.integers(1, 14)),
                kernels=groups * int(random.integers(1, 7)),
                kernel=kernel,
                stride=(int(random.integers(1, 5)), int(random.integers(1, 5))),
                padding=tuple(int(margin) for margin in random.integers(0, 4, 4)),
                dilation=(int(random.choice([1, 1, 2, 3])), int(random.choice([1, 1, 2, 3]))),
                groups=groups,
                images=int(random.choice([1, 1, 1, 2])),
            )
        except LayerError:
            continue


def random_winograd_convolution(random: np.random.Generator, most: int = 9) -> Convolution:
    """A small 3x3 layer of stride 1: sizes that tiles don't divide, uneven padding, groups, batches.

    A group has ``most`` channels and kernels at most.
    """
    while True:
        groups = int(random.choice([1, 1, 1, 2, 3]))
        try:
            return Convolution(
                channels=groups * int(random.integers(1, most + 1)),
                height=int(random.choice([7, 13, 15, *range(1, 18)])),
                width=int(random.choice([7, 13, 15, *range(1, 18)])),
                kernels=groups * int(random.integers(1, most + 1)),
                kernel=(3, 3),
                padding=tuple(int(margin) for margin in random.integers(0, 3, 4)),
                groups=groups,
                images=int(random.choice([1, 1, 2])),
            )
        except LayerError:
            continue


def random_sum_of_kernels(random: np.random.Generator) -> Convolution:
    """A small layer that Winograd tiles compute as a sum of 3x3 kernels: kernels to 7x7, strides to 3, any groups."""
    while True:
        groups = int(random.choice([1, 1, 2, 3, 7]))
        try:
            shape = Convolution(
                channels=groups * int(random.integers(1, 4 if groups < 7 else 2)),
                height=int(random.integers(5, 15)),
                width=int(random.integers(5, 15)),
                kernels=groups * int(random.integers(1, 3)),
                kernel=(int(random.choice([1, 2, 4, 5, 7])), int(random.choice([1, 2, 3, 5, 5, 7]))),
                stride=(int(random.choice([1, 1, 2, 3])), int(random.choice([1, 1, 2]))),
                padding=tuple(int(margin) for margin in random.integers(-1, 4, 4)),
                groups=groups,
                images=int(random.choice([1, 1, 1, 2])),
            )
        except LayerError:
            continue
        if saves(shape):
            return shape


def random_layer(random: np.random.Generator, shape: Convolution | None = None) -> Layer:
    """The shape, or a random one, with zero points and a clamp."""
    x_zero_point, y_zero_point = (int(value) for value in random.integers(-128, 128, 2))
    minimum, maximum = sorted(int(value) for value in random.integers(-128, 128, 2))
    shape = shape or random_convolution(random)
    return Layer("case", "conv", shape, x_zero_point, y_zero_point, min(minimum, -1), max(maximum, 1))


def pooled_layer(random: np.random.Generator) -> Layer:
    """A random layer with max pooling behind it, windows of 2 or 3 at strides to 3."""
    while True:
        pool = Pool(int(random.integers(2, 4)), int(random.integers(1, 4)))
        try:
            return dataclasses.replace(random_layer(random), pool=pool)
        except LayerError:
            continue


def with_lookup(random: np.random.Generator, layer: Layer, config: AcceleratorConfig) -> Layer:
    """The layer, on an accelerator with tables half of the time with one for all channels or one for each."""
    lookup = (None, None, Lookup.LAYER, Lookup.CHANNEL)[int(random.integers(4))]
    return dataclasses.replace(layer, lookup=lookup) if config.tables else layer


def with_combination(random: np.random.Generator, layer: Layer, config: AcceleratorConfig) -> Layer:
    """The layer, on an accelerator with addends half of the time with a combination of any kind that it can have."""
    if not config.addends or random.integers(2):
        return layer
    overlaps = bool(layer.pool and layer.pool.side != layer.pool.stride)
    return dataclasses.replace(layer, combination=random_combination(random, broadcast=overlaps or None))


def within_a_surface(random: np.random.Generator, layer: Layer) -> Layer:
    """The layer with its results in a larger tensor, or one just large enough.

    Columns may lie too far apart for a STORE.
    """
    height, width = layer.output_shape[2:]
    down, across = int(random.choice([1, 1, 2, 3])), int(random.choice([1, 1, 2, 3, LARGEST_PIXEL_PITCH + 1]))
    room = random.integers(0, 4, 2) * int(random.integers(2))
    surface = Surface((height - 1) * down + 1 + int(room[0]), (width - 1) * across + 1 + int(room[1]), down, across)
    return dataclasses.replace(layer, surface=surface)


def random_combination(random: np.random.Generator, broadcast: bool | None = None) -> Combination:
    """A sum or a product that does not saturate most results, for as many pixels as said, or for one or all."""
    one = 1 << ADDITION_FRACTION_BITS
    kind = Combining(int(random.integers(1, len(Combining))))
    largest = (1 << PRODUCT_FRACTION_BITS) // 64
    if kind is Combining.PRODUCT:
        factors, zeros = (int(random.integers(-largest, largest)), 0), random.integers(-128, 128, 2)
    else:
        first, second = random.integers(-one // 2, 2 * one, 2)
        factors, zeros = (int(first), int(second)), np.zeros(2, np.int64)
    offset = int(random.integers(-64 * one, 64 * one))
    chosen = bool(random.integers(2)) if broadcast is None else broadcast
    return Combination(kind, *factors, offset, *map(int, zeros), broadcast=chosen)


def random_addend(random: np.random.Generator, layer: Layer) -> np.ndarray | None:
    """What the layer adds, if it does."""
    return random.integers(-128, 128, layer.addend_shape, np.int8) if layer.combination else None


def random_table(random: np.random.Generator, layer: Layer) -> np.ndarray | None:
    """What the layer looks its results up in, if it does."""
    if layer.lookup is None:
        return None
    channels = (layer.shape.kernels,) if layer.lookup is Lookup.CHANNEL else ()
    return random.integers(-128, 128, (*channels, 256), np.int8)


def random_case(random: np.random.Generator, layer: Layer) -> tuple[Operands, np.ndarray]:
    """Operands and input for a layer, all int8 values in use, most outputs not saturated."""
    shape = layer.shape
    weights = random.integers(-128, 128, (shape.kernels, shape.channels // shape.groups, *shape.kernel), np.int8)
    bias = random.integers(-10000, 10000, shape.kernels).astype(np.int32)
    typical = 80 * 80 * np.sqrt(weights[0].size)
    scales = (random.uniform(0.2, 2, shape.kernels) * 60 / typical).astype(np.float32)
    x = random.integers(-128, 128, (shape.images, shape.channels, shape.height, shape.width), np.int8)
    return Operands(weights, bias, scales, random_table(random, layer)), x


def judged_case(case: RandomConvolution) -> tuple[Layer, Operands, np.ndarray]:
    """The layer, operands and input of a case whose golden output onnxruntime has confirmed."""
    shape = Convolution(
        case.channels,
        case.height,
        case.width,
        case.kernels,
        kernel=case.kernel,
        stride=case.stride,
        padding=case.padding,
        dilation=case.dilation,
        groups=case.groups,
    )
    layer = Layer("case", "conv", shape, case.x_zero_point, case.y_zero_point)
    return layer, Operands(case.weights, case.bias, case.scales), case.x[None]


def run_functional(
    compiled: CompiledLayer, operands: Operands, x: np.ndarray, seed: int = 1, addend: np.ndarray | None = None
) -> tuple[np.ndarray, dict[str, int]]:
    """Output and bytes per class of a compiled layer on the executable specification."""
    machine = FunctionalMachine(compiled.config, compiled.memory_bytes, seed)
    fill_memory(machine.memory, compiled, operands, x, addend)
    machine.run(compiled.memory.program, compiled.length)
    return read_output(machine.memory, compiled), machine.traffic
