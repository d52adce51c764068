"""Winograd layers are exact: whatever the size, the padding, the channels and the values."""

import dataclasses
import math

import numpy as np
import pytest
from layer_cases import (
    RTL_CONFIGS,
    SQUARE,
    random_case,
    random_layer,
    random_sum_of_kernels,
    random_winograd_convolution,
    run_functional,
)

from wingrid.host.compiler.compile_layer import CompiledLayer, compile_layer
from wingrid.host.execution.driver import run_on_rtl
from wingrid.host.execution.layer_run import timing_difference
from wingrid.host.networks.golden import golden
from wingrid.host.networks.layer import Convolution, Layer, Operands
from wingrid.host.networks.vgg16 import VGG16_CONVOLUTIONS
from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.isa import Execute, Store
from wingrid.sim.memory import MemoryTiming

TILES = (2, 4)
RANDOM_LAYERS = 100
SMALLEST = AcceleratorConfig(
    winograd=2,
    rows=3,
    cols=2,
    input_buffer=16,
    weight_buffer=64,
    accumulators=32,
    parameter_blocks=2,
    output_buffer=16,
    burst_beats=8,
)

on_both_arrays = pytest.mark.parametrize("array", RTL_CONFIGS)
with_both_tiles = pytest.mark.parametrize("tile", TILES)


def compiled_with(layer: Layer, config: AcceleratorConfig, tile: int) -> CompiledLayer:
    """The layer on this tile and no other."""
    compiled = compile_layer(layer, config, tiles=(tile,))
    assert {i.tile for i in compiled.instructions if isinstance(i, Execute | Store)} == {tile}
    return compiled


def random_winograd_case(seed: int) -> tuple[np.random.Generator, Layer, Operands, np.ndarray]:
    random = np.random.default_rng([seed, 33])
    layer = random_layer(random, random_winograd_convolution(random))
    return random, layer, *random_case(random, layer)


def test_the_random_layers_are_of_every_kind() -> None:
    shapes = [random_winograd_case(seed)[1].shape for seed in range(RANDOM_LAYERS)]
    sizes = [size for shape in shapes for size in (shape.out_height, shape.out_width)]
    for tile in TILES:
        assert {size % tile for size in sizes} == set(range(tile))
    assert {7, 13, 15} <= {size for shape in shapes for size in (shape.height, shape.width)}
    assert {shape.groups for shape in shapes} == {1, 2, 3}
    assert {shape.images for shape in shapes} == {1, 2}
    assert {margin for shape in shapes for margin in shape.padding} == {0, 1, 2}
    assert any(len(set(shape.padding)) > 2 for shape in shapes)
    assert any(shape.channels % 2 and shape.channels % 4 and shape.kernels % 3 for shape in shapes)


@pytest.mark.slow
@with_both_tiles
@pytest.mark.parametrize("array", ["4x4", "2x3"])
def test_random_layers_on_the_executable_specification_equal_golden(array: str, tile: int) -> None:
    for seed in range(RANDOM_LAYERS):
        _, layer, operands, x = random_winograd_case(seed)
        output, _ = run_functional(compiled_with(layer, RTL_CONFIGS[array], tile), operands, x, seed)
        assert np.array_equal(output, golden(layer, operands, x)), (seed, layer)


@pytest.mark.slow
def test_the_smallest_buffers_suffice() -> None:
    for seed in range(20):
        _, layer, operands, x = random_winograd_case(seed)
        output, _ = run_functional(compiled_with(layer, SMALLEST, 2), operands, x, seed)
        assert np.array_equal(output, golden(layer, operands, x)), (seed, layer)


@pytest.mark.rtl
@with_both_tiles
@on_both_arrays
def test_random_layers_on_the_rtl_equal_golden(array: str, tile: int) -> None:
    config = RTL_CONFIGS[array]
    for seed in range(RANDOM_LAYERS):
        random, layer, operands, x = random_winograd_case(seed)
        timing = MemoryTiming(int(random.integers(1, 80)), int(random.integers(1, config.bus_bytes + 1)))
        compiled = compiled_with(layer, config, tile)
        run = run_on_rtl(compiled, operands, x, timing=timing, seed=seed + 1)
        assert np.array_equal(run.output, golden(layer, operands, x)), (seed, layer)
        measured = run.measurement
        assert measured.cycles == measured.busy + sum(measured.stalls.values()), seed
        if seed % 20 == 0:
            assert measured.bytes == run_functional(compiled, operands, x)[1], seed


@pytest.mark.rtl
@with_both_tiles
def test_sums_of_kernels_on_the_rtl_equal_golden_and_timing_model(tile: int) -> None:
    for seed in range(12):
        random = np.random.default_rng([seed, tile, 34])
        layer = random_layer(random, random_sum_of_kernels(random))
        operands, x = random_case(random, layer)
        timing = MemoryTiming(int(random.integers(1, 80)), int(random.integers(1, SQUARE.bus_bytes + 1)))
        compiled = compiled_with(layer, SQUARE, tile)
        run = run_on_rtl(compiled, operands, x, timing=timing, seed=seed + 1)
        assert np.array_equal(run.output, golden(layer, operands, x)), (seed, layer)
        assert timing_difference(compiled, compiled.program, timing, run.counters, run.events) is None, (seed, layer)
        if seed % 4 == 0:
            output, traffic = run_functional(compiled, operands, x, seed)
            assert np.array_equal(run.output, output), (seed, layer)
            assert run.measurement.bytes == traffic, (seed, layer)


def cut_down(layer: Layer) -> Layer:
    """A quarter as high and wide, a sixteenth of the channels."""
    shape = layer.shape
    small = dataclasses.replace(
        shape,
        channels=math.ceil(shape.channels / 16),
        kernels=math.ceil(shape.kernels / 16),
        height=math.ceil(shape.height / 4),
        width=math.ceil(shape.width / 4),
    )
    return dataclasses.replace(layer, shape=small)


@pytest.mark.rtl
@with_both_tiles
@on_both_arrays
def test_vgg_layers_cut_down_on_the_rtl_equal_golden(array: str, tile: int) -> None:
    layers = VGG16_CONVOLUTIONS.layers()
    assert len(layers) == 13
    for number, full in enumerate(layers):
        layer = cut_down(full)
        operands, x = random_case(np.random.default_rng([number, 5]), layer)
        run = run_on_rtl(compiled_with(layer, RTL_CONFIGS[array], tile), operands, x)
        assert np.array_equal(run.output, golden(layer, operands, x)), layer.name


def extreme_patterns(channels: int, size: int) -> np.ndarray:
    """int8 [pattern, channels, size, size]: all lowest, all highest, alternating by position, and by channel too."""
    channel, row, column = np.indices((channels, size, size))
    lowest = [np.ones_like(channel), np.zeros_like(channel), (row + column) % 2, (channel + row + column) % 2]
    return np.where(lowest, np.int8(-128), np.int8(127))


@pytest.mark.rtl
@with_both_tiles
@on_both_arrays
@pytest.mark.parametrize("zero_point", [-128, 127])
def test_extreme_values_over_512_channels_on_the_rtl_equal_golden(array: str, tile: int, zero_point: int) -> None:
    channels, size = 512, 6
    x, kernels = extreme_patterns(channels, size), extreme_patterns(channels, 3)
    # Each kernel once for each image, and a bias that takes the sum in the middle of that image to a small number:
    # a scale of 1 then shows every bit of the sum, which is as large as can be.
    weights = np.repeat(kernels, len(x), axis=0)
    middle = np.einsum("icyx,kcyx->ki", x[:, :, 1:4, 1:4].astype(np.int64), kernels.astype(np.int64)).reshape(-1)
    assert middle.max() == 9 * 512 * 128**2
    offsets = np.random.default_rng(4).integers(-100, 100, len(weights))
    total = weights.sum(axis=(1, 2, 3), dtype=np.int64)
    operands = Operands(
        weights, (offsets + zero_point * total - middle).astype(np.int32), np.ones(len(weights), np.float32)
    )
    shape = Convolution(channels, size, size, len(weights), kernel=(3, 3), padding=(1, 1, 1, 1), images=len(x))
    layer = Layer("extreme", "conv", shape, x_zero_point=zero_point)
    expected = golden(layer, operands, x)
    assert all(expected[i, k * len(x) + i, 2, 2] == offsets[k * len(x) + i] for i in range(4) for k in range(4))
    run = run_on_rtl(compiled_with(layer, RTL_CONFIGS[array], tile), operands, x)
    assert np.array_equal(run.output, expected)
