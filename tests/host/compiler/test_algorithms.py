"""The algorithm that a layer gets: the one asked for if it is sure to be exact, else one that is."""

import numpy as np
import pytest
from layer_cases import SQUARE, random_case, run_functional

from wingrid.host.compiler.algorithms import TILES, algorithm_name, require_algorithm, usable_tiles
from wingrid.host.compiler.compile_layer import compile_layer
from wingrid.host.errors import UserError
from wingrid.host.execution.layer_run import Job, run_layer
from wingrid.host.execution.setup import Setup, forced_algorithm
from wingrid.host.networks.golden import golden
from wingrid.host.networks.layer import Convolution, Layer, Operands
from wingrid.hw.config import AcceleratorConfig
from wingrid.sim.memory import MemoryTiming

MOST_CHANNELS = (2**27 - 1) // (9 * 128 * 128)
"""Channels of nothing but -128 whose sums still fit into the 28 bits that F(4x4) brings back."""


def heavy_layer(channels: int) -> tuple[Layer, Operands, np.ndarray]:
    """A layer whose sum is as large as int8 can make it, and a scale that shows it."""
    shape = Convolution(channels, 4, 4, 2, kernel=(3, 3))
    weights = np.full((2, channels, 3, 3), -128, np.int8)
    x = np.full((1, channels, 4, 4), -128, np.int8)
    largest = 9 * channels * 128 * 128
    operands = Operands(weights, np.zeros(2, np.int32), np.array([100 / largest, 1 / largest], np.float32))
    return Layer("heavy", "conv", shape), operands, x


def setup_for(config: AcceleratorConfig, algorithm: str | None) -> Setup:
    return Setup("rtl", config, MemoryTiming.for_bus(config.bus_bytes), algorithm=algorithm)


def test_names_and_tiles_belong_together() -> None:
    assert [algorithm_name(tile) for tile in (0, 2, 4)] == list(TILES) == ["direct", "winograd2", "winograd4"]


def test_all_algorithms_of_the_accelerator_may_be_used_if_the_weights_allow_it() -> None:
    layer, operands, _ = heavy_layer(MOST_CHANNELS)
    assert MOST_CHANNELS == 910
    for winograd, tiles in ((0, (0,)), (2, (0, 2)), (4, (0, 2, 4))):
        assert usable_tiles(layer, operands, AcceleratorConfig(winograd=winograd)) == tiles


def test_an_algorithm_that_is_asked_for_leaves_no_choice() -> None:
    layer, operands, _ = heavy_layer(10)
    for name, tile in TILES.items():
        assert usable_tiles(layer, operands, AcceleratorConfig(), name) == (tile,)


def test_weights_that_could_exceed_the_accumulators_leave_algorithms_out() -> None:
    layer, operands, _ = heavy_layer(MOST_CHANNELS + 1)
    assert usable_tiles(layer, operands, AcceleratorConfig()) == (0, 2)
    assert usable_tiles(layer, operands, AcceleratorConfig(), "winograd4") == (0,)
    # One kernel that is too heavy is enough.
    operands.weights[0, 0] = 0
    assert usable_tiles(layer, operands, AcceleratorConfig()) == (0, 2)
    operands.weights[1, 0] = 0
    assert usable_tiles(layer, operands, AcceleratorConfig()) == (0, 2, 4)


@pytest.mark.parametrize(("winograd", "bits"), [(2, 30), (4, 32)])
def test_the_smaller_tile_brings_back_more_the_wider_the_accumulators(winograd: int, bits: int) -> None:
    most = (2 ** (bits - 1) - 1) // (9 * 128 * 128)
    for channels, tiles in ((most, (0, 2)), (most + 1, (0,))):
        layer, operands, _ = heavy_layer(channels)
        assert usable_tiles(layer, operands, AcceleratorConfig(winograd=winograd)) == tiles


@pytest.mark.rtl
@pytest.mark.parametrize(
    ("channels", "asked", "used"),
    [
        (MOST_CHANNELS, "winograd4", "winograd4"),
        (MOST_CHANNELS + 1, "winograd4", "direct"),
        (MOST_CHANNELS + 1, "winograd2", "winograd2"),
        (MOST_CHANNELS + 1, "direct", "direct"),
    ],
)
def test_the_heaviest_weights_are_exact_whatever_is_asked_for(channels: int, asked: str, used: str) -> None:
    layer, operands, x = heavy_layer(channels)
    result = run_layer(Job(layer, operands, x), setup_for(SQUARE, asked))
    assert (result.algorithm, result.exact) == (used, True)
    assert sorted(set(result.output.flat)) == [1, 100]


def test_without_the_refusal_the_heaviest_weights_would_be_wrong() -> None:
    layer, operands, x = heavy_layer(MOST_CHANNELS + 1)
    output, _ = run_functional(compile_layer(layer, SQUARE, tiles=(4,)), operands, x)
    assert not np.array_equal(output, golden(layer, operands, x))


@pytest.mark.rtl
def test_layers_that_winograd_does_not_suit_are_computed_directly() -> None:
    for shape in (
        Convolution(4, 6, 6, 4, kernel=(3, 3), dilation=(2, 1)),
        Convolution(4, 6, 6, 4, kernel=(1, 3)),
        Convolution(4, 6, 6, 4),
    ):
        layer = Layer("other", "conv", shape)
        operands, x = random_case(np.random.default_rng(6), layer)
        result = run_layer(Job(layer, operands, x), setup_for(SQUARE, "winograd4"))
        assert (result.algorithm, result.exact) == ("direct", True), shape


@pytest.mark.parametrize(
    ("name", "winograd", "message"),
    [
        ("winograd8", 4, "unknown algorithm 'winograd8'; there are direct, winograd2, winograd4, sparse"),
        ("", 4, "unknown algorithm ''; there are direct, winograd2, winograd4, sparse"),
        ("winograd4", 2, "algorithm winograd4 needs winograd = 4 or more, not 2"),
        ("winograd2", 0, "algorithm winograd2 needs winograd = 2 or more, not 0"),
        ("sparse", 4, "algorithm sparse needs sparse = 1"),
    ],
)
def test_an_algorithm_that_cannot_be_is_refused(name: str, winograd: int, message: str) -> None:
    config = AcceleratorConfig(winograd=winograd)
    for attempt in (lambda: require_algorithm(name, config), lambda: setup_for(config, name)):
        with pytest.raises(UserError) as caught:
            attempt()
        assert str(caught.value) == message


def test_an_algorithm_that_the_accelerator_has_is_accepted() -> None:
    for winograd, names in ((0, ("direct",)), (2, ("direct", "winograd2")), (4, TILES)):
        for name in names:
            assert setup_for(AcceleratorConfig(winograd=winograd), name).algorithm == name


def test_the_algorithm_is_told_from_the_fields_of_the_configuration() -> None:
    assert forced_algorithm(None) == (None, [])
    assert forced_algorithm(["rows=4", "cols=8"]) == (None, ["rows=4", "cols=8"])
    assert forced_algorithm(["algorithm=direct", "rows=4", "algorithm = winograd2"]) == ("winograd2", ["rows=4"])
