"""Max pooling behind a convolution: whatever the windows, and however the layer is cut, golden's result comes out."""

import dataclasses

import numpy as np
import pytest
from layer_cases import CONFIGS, SQUARE, TINY, WIDE, pooled_layer, random_case, random_layer, run_functional

from wingrid.host.compiler.algorithms import usable_tiles
from wingrid.host.compiler.compile_layer import CompiledLayer, compile_layer
from wingrid.host.networks.golden import golden
from wingrid.host.networks.layer import Convolution, Layer, LayerError, Pool
from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.isa import Execute, Store

WINOGRAD = {
    "4x4 with little room": dataclasses.replace(SQUARE, winograd=4, accumulators=128, weight_buffer=256),
    "2x3 with tiles of 2": dataclasses.replace(WIDE, winograd=2, accumulators=64, weight_buffer=64),
}


def stores(compiled: CompiledLayer) -> list[Store]:
    return [instruction for instruction in compiled.instructions if isinstance(instruction, Store)]


def check(layer: Layer, config: AcceleratorConfig, seed: int, tiles: tuple[int, ...] | None = (0,)) -> CompiledLayer:
    """Compile and run a layer, with the Winograd tiles that are exact for ``None``, and compare it with golden."""
    random = np.random.default_rng([seed, 5])
    operands, x = random_case(random, layer)
    compiled = compile_layer(layer, config, tiles=usable_tiles(layer, operands, config) if tiles is None else tiles)
    output, _ = run_functional(compiled, operands, x, seed)
    expected = golden(layer, operands, x)
    assert expected.shape == layer.output_shape
    assert np.array_equal(output, expected), (seed, layer)
    return compiled


@pytest.mark.slow
@pytest.mark.parametrize("name", CONFIGS)
def test_random_pooled_layers_equal_golden(name: str) -> None:
    config = CONFIGS[name]
    for seed in range(60):
        layer = pooled_layer(np.random.default_rng([seed, len(name), 1]))
        assert layer.pool is not None
        if layer.pool.side**2 <= config.accumulators:
            check(layer, config, seed)
        else:
            with pytest.raises(LayerError, match=r"^a pooling window of 3x3 does not fit into 4 accumulators$"):
                compile_layer(layer, config)


@pytest.mark.parametrize("name", WINOGRAD)
def test_random_pooled_winograd_layers_equal_golden(name: str) -> None:
    config = WINOGRAD[name]
    for tile in config.tiles:
        for seed in range(25):
            random = np.random.default_rng([seed, tile, 2])
            groups = int(random.choice([1, 1, 2]))
            shape = Convolution(
                channels=groups * int(random.integers(1, 7)),
                height=int(random.integers(2, 20)),
                width=int(random.integers(2, 20)),
                kernels=groups * int(random.integers(1, 9)),
                kernel=(3, 3),
                padding=tuple(int(margin) for margin in random.integers(1, 3, 4)),
                groups=groups,
                images=int(random.choice([1, 1, 2])),
            )
            layer = dataclasses.replace(random_layer(random, shape), pool=Pool(2, 2))
            compiled = check(layer, config, seed, (tile,))
            assert {(store.tile, store.pool) for store in stores(compiled)} == {(tile, 2)}


@pytest.mark.parametrize(
    ("shape", "pool", "config"),
    [
        # More columns than the accumulators hold: strips, whose windows overlap.
        (Convolution(4, 9, 90, 5, kernel=(3, 3), padding=(1, 1, 1, 1)), Pool(3, 2), SQUARE),
        (Convolution(4, 9, 90, 5, kernel=(3, 3), padding=(1, 1, 1, 1)), Pool(3, 1), WIDE),
        (Convolution(2, 5, 40, 3), Pool(2, 1), TINY),
        # One window at a time, far apart, and one that is the whole image.
        (Convolution(2, 30, 30, 3), Pool(2, 28), TINY),
        (Convolution(3, 5, 5, 6), Pool(5, 200), SQUARE),
        (Convolution(2, 40, 6, 3), Pool(4, 9), WIDE),
        # Outputs that lie in the padding alone.
        (Convolution(2, 2, 2, 3, padding=(5, 4, 3, 6)), Pool(3, 3), SQUARE),
        # A kernel whose pixels are not all in the input buffer together.
        (Convolution(9, 25, 25, 7, kernel=(11, 11), stride=(4, 4)), Pool(3, 2), WIDE),
        (Convolution(90, 8, 8, 20, kernel=(3, 3), padding=(1, 1, 1, 1), images=2), Pool(3, 2), SQUARE),
        (Convolution(8, 17, 15, 8, kernel=(3, 3), dilation=(2, 3)), Pool(2, 3), SQUARE),
        (Convolution(12, 9, 9, 12, kernel=(3, 3), padding=(1, 1, 1, 1), groups=12), Pool(2, 2), WIDE),
    ],
)
def test_extreme_pooled_layers_equal_golden(shape: Convolution, pool: Pool, config: AcceleratorConfig) -> None:
    layer = dataclasses.replace(random_layer(np.random.default_rng(4), shape), pool=pool)
    for seed in (1, 2):
        check(layer, config, seed)


def test_windows_that_span_winograd_tiles_are_computed_directly() -> None:
    shape = Convolution(8, 12, 12, 8, kernel=(3, 3), padding=(1, 1, 1, 1))
    for pool, tiles in ((Pool(2, 2), {2, 4}), (Pool(3, 2), {0}), (Pool(2, 1), {0}), (Pool(3, 3), {0})):
        layer = dataclasses.replace(random_layer(np.random.default_rng(6), shape), pool=pool)
        config = WINOGRAD["4x4 with little room"]
        compiled = check(layer, config, 1, None if pool == Pool(2, 2) else (2, 4))
        assert {store.tile for store in stores(compiled)} <= tiles
        assert {(store.pool, store.pool_stride) for store in stores(compiled)} == {(pool.side, pool.stride)}


def test_what_no_window_needs_is_not_computed() -> None:
    config = dataclasses.replace(SQUARE, accumulators=256, input_buffer=1024)
    for size in (11, 13):
        layer = Layer("odd", "conv", Convolution(4, size, size, 4), pool=Pool(2, 3))
        compiled = check(layer, config, 1)
        counts = [instruction.count for instruction in compiled.instructions if isinstance(instruction, Execute)]
        # Four rows of windows reach over 11 rows; two tiles of them leave out the row in between as well.
        assert counts == [5 * 11, 5 * 11]


def test_pooled_results_alone_cross_the_bus() -> None:
    shape = Convolution(8, 14, 14, 8, kernel=(3, 3), padding=(1, 1, 1, 1))
    layer = Layer("pooled", "conv", shape, pool=Pool(2, 2))
    operands, x = random_case(np.random.default_rng(1), layer)
    _, traffic = run_functional(compile_layer(layer, SQUARE), operands, x)
    assert traffic["results"] == layer.output_bytes == 8 * 7 * 7


@pytest.mark.parametrize(
    ("shape", "pool", "message"),
    [
        (Convolution(1, 9, 9, 1), Pool(3, 2), "a pooling window of 3x3 does not fit into 4 accumulators"),
        (Convolution(1, 600, 9, 1), Pool(2, 256), "pooling stride 256 is more than the 255 that hardware steps"),
    ],
)
def test_pools_that_the_accelerator_cannot_take_are_refused(shape: Convolution, pool: Pool, message: str) -> None:
    with pytest.raises(LayerError) as caught:
        compile_layer(Layer("refused", "conv", shape, pool=pool), TINY)
    assert str(caught.value) == message


def test_pools_without_a_window_are_refused() -> None:
    with pytest.raises(LayerError, match=r"^a pooling window of 3x3 does not fit into 2x9 pixels$"):
        Layer("small", "conv", Convolution(1, 4, 11, 1, kernel=(3, 3)), pool=Pool(3, 2))
    with pytest.raises(LayerError, match=r"^a pooling window's side 1 must be at least 2, its stride 2 1$"):
        Pool(1, 2)
