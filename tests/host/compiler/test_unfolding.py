"""Taps unfolded into channels: the same sums, whatever the kernel, and fewer cycles where channels are few."""

import dataclasses

import numpy as np
import pytest
from layer_cases import CONFIGS, random_case, random_convolution, random_layer, run_functional

from wingrid.host.compiler.algorithms import possible_unfoldings
from wingrid.host.compiler.compile_layer import compile_layer
from wingrid.host.compiler.plan_cost import plan_cost
from wingrid.host.compiler.unfolding import Unfolding
from wingrid.host.networks.alexnet import ALEXNET
from wingrid.host.networks.golden import golden
from wingrid.host.networks.layer import Convolution, Layer, Pool
from wingrid.host.networks.vgg16 import VGG16
from wingrid.hw.config import AcceleratorConfig

CASES = 150


def test_an_unfolded_layer_has_the_same_outputs() -> None:
    tried: set[tuple[bool, bool]] = set()
    for seed in range(CASES):
        random = np.random.default_rng([seed, 71])
        layer = random_layer(random, random_convolution(random))
        operands, x = random_case(random, layer)
        expected = golden(layer, operands, x)
        for unfolding in Unfolding.candidates(layer.shape):
            unfolded = unfolding.layer(layer)
            assert unfolded.output_shape == layer.output_shape
            pixels = unfolding.pixels(x, layer.x_zero_point)
            shape = unfolded.shape
            assert pixels.shape == (shape.images, shape.channels, shape.height, shape.width)
            actual = golden(unfolded, unfolding.operands(operands), pixels)
            np.testing.assert_array_equal(actual, expected, f"seed {seed}, {unfolding}")
            tried.add((unfolding.taps == layer.shape.stride, unfolding.taps == layer.shape.kernel))
    assert tried == {(False, False), (False, True), (True, False), (True, True)}


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
def test_unfolded_layers_run_on_the_executable_specification(config: AcceleratorConfig) -> None:
    unfolded = 0
    for seed in range(80):
        random = np.random.default_rng([seed, 72])
        layer = dataclasses.replace(random_layer(random, random_convolution(random)), prepared=True)
        operands, x = random_case(random, layer)
        for unfolding in possible_unfoldings(layer, config):
            plan = compile_layer(unfolding.layer(layer), config).plan
            compiled = dataclasses.replace(compile_layer(layer, config, plan), unfolding=unfolding)
            output, _ = run_functional(compiled, operands, x, seed)
            np.testing.assert_array_equal(output, golden(layer, operands, x), f"seed {seed}, {unfolding}")
            unfolded += 1
    assert unfolded >= 5


def chosen(layer: Layer, config: AcceleratorConfig) -> tuple[Unfolding | None, int, float]:
    """Unfolding, tile and estimated cycles of the cheapest way, and of the layer as it is."""
    unfoldings = dict.fromkeys(possible_unfoldings(layer, config), (0, *config.tiles))
    compiled = compile_layer(layer, config, tiles=(0, *config.tiles), unfoldings=unfoldings)
    estimated = plan_cost(compiled.plan)
    assert estimated is not None
    return compiled.unfolding, compiled.plan.blocking.tile, estimated.cycles


def test_first_layers_do_not_waste_the_array() -> None:
    config = AcceleratorConfig()
    # 27 taps and channels fill two blocks of rows, where F(4x4) would take 36 products for each 16 pixels.
    unfolding, tile, cycles = chosen(VGG16.layers()[0], config)
    assert unfolding is not None
    assert (unfolding.taps, tile) == ((3, 3), 0)
    assert cycles <= 1.02 * 2 * 224 * 224 * 4
    # Space to depth: 48 channels under a kernel of 3x3; the pool's windows overlap, so no Winograd.
    layer = ALEXNET.layers()[0]
    assert layer.pool == Pool(3, 2)
    unfolding, tile, _ = chosen(layer, config)
    assert unfolding is not None
    assert tile == 0
    unfolding, tile, _ = chosen(dataclasses.replace(layer, pool=None), config)
    assert unfolding is not None
    assert (unfolding.taps, tile) == ((4, 4), 4)


def test_only_what_the_host_prepares_is_unfolded() -> None:
    config = AcceleratorConfig()
    first, second, *_ = VGG16.layers()
    assert possible_unfoldings(first, config)
    assert not possible_unfoldings(second, config)
    assert not possible_unfoldings(dataclasses.replace(first, prepared=False), config)
    assert not possible_unfoldings(dataclasses.replace(second, prepared=True), config)
    grouped = Layer("grouped", "conv", Convolution(4, 8, 8, 4, kernel=(3, 3), groups=2), prepared=True)
    assert not possible_unfoldings(grouped, config)
