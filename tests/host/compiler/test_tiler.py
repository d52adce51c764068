"""Plans fit the buffers, load no more than they must, and keep every multiplier busy."""

import dataclasses
import itertools
import math
import time
from pathlib import Path

import numpy as np
import pytest

from wingrid.host.compiler.blocking import Blocking
from wingrid.host.compiler.compile_layer import CompiledLayer, compile_layer
from wingrid.host.compiler.group_geometry import Group
from wingrid.host.compiler.plan import Plan
from wingrid.host.compiler.plan_cost import least_cost, plan_cost
from wingrid.host.compiler.tiler import best_plan, divisions
from wingrid.host.networks.alexnet import ALEXNET
from wingrid.host.networks.layer import Convolution, Layer, fully_connected
from wingrid.host.networks.vgg16 import VGG16
from wingrid.host.reports.traffic import lower_bound_bytes
from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.isa import Buffer, Execute, Load, Store

CONFIG = AcceleratorConfig()
LAYERS = [*VGG16.layers(), *ALEXNET.layers()]


def loaded(compiled: CompiledLayer, buffer: Buffer) -> int:
    loads = [instruction for instruction in compiled.instructions if isinstance(instruction, Load)]
    return sum(load.runs * load.run_beats for load in loads if load.buffer == buffer.value)


def all_groups(plan: Plan) -> list[Group]:
    return list(itertools.chain.from_iterable(plan.region_groups()))


def execute_cycles(compiled: CompiledLayer) -> int:
    return sum(
        instruction.blocks * instruction.kernel_height * instruction.kernel_width * max(instruction.count, CONFIG.rows)
        for instruction in compiled.instructions
        if isinstance(instruction, Execute)
    )


def algorithms(shape: Convolution) -> tuple[int, ...]:
    """Tiles of the algorithms that suit the layer, 0 for direct."""
    return (0, *CONFIG.tiles) if Blocking.suits_winograd(shape) else (0,)


@pytest.mark.parametrize("layer", VGG16.layers()[2:13], ids=lambda layer: layer.name)
def test_deep_vgg_layers_keep_every_multiplier_busy(layer: Layer) -> None:
    compiled = compile_layer(layer, CONFIG)
    ideal = layer.shape.macs / CONFIG.multipliers
    assert ideal <= execute_cycles(compiled) <= 1.01 * ideal
    estimated = plan_cost(compiled.plan)
    assert estimated is not None
    assert estimated.cycles <= 1.01 * ideal


@pytest.mark.parametrize("tile", [2, 4])
@pytest.mark.parametrize("layer", VGG16.layers()[1:13], ids=lambda layer: layer.name)
def test_winograd_keeps_every_multiplier_busy_in_vgg_layers(layer: Layer, tile: int) -> None:
    compiled = compile_layer(layer, CONFIG, tiles=(tile,))
    shape = layer.shape
    tiles = math.ceil(shape.out_height / tile) * math.ceil(shape.out_width / tile)
    ideal = tiles * (tile + 2) ** 2 * shape.channels * shape.kernels // CONFIG.multipliers
    assert execute_cycles(compiled) == ideal
    estimated = plan_cost(compiled.plan)
    assert estimated is not None
    assert estimated.cycles <= 1.005 * ideal


def test_every_multiplication_is_scheduled_once() -> None:
    for layer in LAYERS:
        compiled = compile_layer(layer, CONFIG)
        blocking = compiled.plan.blocking
        tiles = sum(blocking.tap_box(block).taps for block in range(blocking.output_blocks))
        pixels = sum(tile.count for tile in all_groups(compiled.plan))
        if layer.pool is None:
            assert pixels == layer.shape.images * layer.shape.out_height * layer.shape.out_width
        else:
            # What two tiles' windows share is computed twice; what no window needs, not at all.
            assert 0.9 <= pixels / (layer.shape.out_height * layer.shape.out_width) <= 1.1
        executes = [instruction for instruction in compiled.instructions if isinstance(instruction, Execute)]
        scheduled = sum(i.blocks * i.kernel_height * i.kernel_width * i.count for i in executes)
        assert scheduled == tiles * pixels, layer.name
        stores = [instruction for instruction in compiled.instructions if isinstance(instruction, Store)]
        _, _, height, width = layer.output_shape
        stored = blocking.output_blocks * layer.shape.images * height * width
        assert sum(store.count for store in stores) == stored, layer.name


def test_tile_groups_are_of_even_size() -> None:
    shape = Convolution(256, 28, 28, 512, kernel=(3, 3), padding=(1, 1, 1, 1))
    compiled = compile_layer(Layer("conv4_1", "conv", shape), CONFIG, tiles=(4,))
    # 49 tiles where accumulators hold 25: two groups of 25 and 24 would serve as well here, but with 15 tiles
    # beside 16, say, the mesh would wait for weights.
    assert CONFIG.accumulators // 36 == 25
    counts = [tile.count for tile in all_groups(compiled.plan)]
    assert sum(counts) == 49
    assert max(counts) - min(counts) <= 1
    assert {i.count for i in compiled.instructions if isinstance(i, Execute)} == set(counts)
    for layer in VGG16.layers()[:13]:
        plan = best_plan(layer.shape, CONFIG, (4,))
        assert min(tile.count for tile in all_groups(plan)) >= CONFIG.rows, layer.name


def same_size(channels: int, size: int, kernels: int, kernel: int = 3) -> Convolution:
    return Convolution(channels, size, size, kernels, kernel=(kernel, kernel), padding=(kernel // 2,) * 4)


@pytest.mark.parametrize(
    ("shape", "tile"),
    [
        (same_size(512, 28, 512), 4),
        (same_size(512, 14, 512), 4),
        (same_size(3, 224, 64), 4),
        (same_size(64, 56, 64, kernel=1), 0),
        (same_size(64, 28, 64, kernel=5), 4),
        (Convolution(64, 56, 56, 64, kernel=(5, 5), stride=(2, 2), padding=(2, 2, 2, 2)), 4),
        (Convolution(64, 28, 28, 64, kernel=(5, 5), dilation=(2, 2)), 0),
        (Convolution(64, 28, 28, 64, kernel=(3, 3), stride=(2, 2)), 0),
        (Convolution(64, 28, 28, 64, kernel=(3, 3), dilation=(2, 2)), 0),
        # Four tiles of 4x4 are too few for the mesh's 16 rows, which take 16 cycles to load weights: as many as
        # there are tiles of 2x2, with 16 positions in place of 36. A single tile makes even nine taps cheaper.
        (same_size(64, 8, 64), 2),
        (same_size(64, 4, 64), 0),
        (same_size(64, 1, 64), 0),
        # So many groups that a block of 16 channels reads only itself: nothing changes.
        (Convolution(512, 28, 28, 512, kernel=(3, 3), padding=(1, 1, 1, 1), groups=32), 4),
        (fully_connected(512, 7, 7, 4096), 0),
    ],
    ids=str,
)
def test_the_cheapest_algorithm_is_chosen(shape: Convolution, tile: int) -> None:
    assert best_plan(shape, CONFIG, (0, 2, 4)).blocking.tile == tile


def test_an_algorithm_that_is_not_allowed_is_not_chosen() -> None:
    shape = same_size(512, 28, 512)
    assert best_plan(shape, CONFIG).blocking.tile == 0
    assert best_plan(shape, CONFIG, (0, 2)).blocking.tile == 2
    assert best_plan(shape, AcceleratorConfig(winograd=2), (0, 2, 4)).blocking.tile == 2
    assert best_plan(shape, AcceleratorConfig(winograd=0), (2, 4)).blocking.tile == 0
    # A weight buffer for less than two raw kernels leaves no room to load one while the other is in use.
    assert best_plan(shape, AcceleratorConfig(weight_buffer=256), (0, 2, 4)).blocking.tile == 0


def random_plan(random: np.random.Generator, blocking: Blocking) -> Plan:
    """Any way to cut the layer, sensible or not, whose groups fit the accumulators."""
    walk, held = blocking.walk, CONFIG.accumulators // blocking.positions
    strips = int(random.integers(1, min(walk.out_width, 8), endpoint=True))
    fewest = math.ceil(math.ceil(walk.out_width / strips) * walk.out_height / held)
    most = max(fewest, min(3 * fewest, walk.out_width // strips * walk.out_height))
    tiles = int(random.integers(fewest, most, endpoint=True))
    passes = int(random.integers(1, blocking.output_blocks, endpoint=True))
    regions = int(random.choice([1, strips, strips * tiles]))
    plan = Plan(blocking, CONFIG, regions, passes, strips, tiles, 1, bool(random.integers(2)))
    most = max(1, min(held // plan.largest, math.ceil(blocking.output_blocks / passes)))
    return dataclasses.replace(plan, batch=int(random.integers(1, most, endpoint=True)))


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: f"{layer.name}-{layer.shape.channels}")
def test_no_plan_drawn_at_random_is_better(layer: Layer) -> None:
    random = np.random.default_rng(6)
    least = plan_cost(best_plan(layer.shape, CONFIG, (0, 2, 4)))
    assert least is not None
    for tile in algorithms(layer.shape):
        blocking = Blocking.of(layer.shape, CONFIG, tile)
        for plan in (random_plan(random, blocking) for _ in range(100)):
            if estimated := plan_cost(plan):
                assert least.cost <= 1.001 * estimated.cost, plan
                # What the search relies on when it leaves plans out unseen.
                tiles = plan.blocking.walk.images * plan.strips * plan.groups
                assert least_cost(blocking, CONFIG, tiles) <= estimated.cost, plan


def test_pixels_of_a_sliding_window_are_loaded_once() -> None:
    shape = Convolution(64, 100, 100, 16, kernel=(5, 5), padding=(2, 2, 2, 2))
    compiled = compile_layer(Layer("blur", "conv", shape), CONFIG)
    rows_again = 1.0 if compiled.plan.strips == 1 else 1.0 + 4 * (compiled.plan.strips - 1) / 100
    assert loaded(compiled, Buffer.INPUTS) <= 4 * 100 * 100 * rows_again


def test_weights_that_fit_are_loaded_once() -> None:
    compiled = compile_layer(Layer("conv", "conv", Convolution(64, 200, 200, 48, kernel=(3, 3))), CONFIG)
    assert loaded(compiled, Buffer.WEIGHTS) == 4 * 3 * 9 * 16 < CONFIG.weight_buffer


def test_weights_on_chip_serve_the_next_region_first() -> None:
    shape = Convolution(256, 56, 56, 256, kernel=(3, 3), padding=(1, 1, 1, 1))
    compiled = compile_layer(Layer("conv3_2", "conv", shape), CONFIG, tiles=(4,))
    plan = compiled.plan
    assert plan.regions > 1
    assert plan.passes > 1
    weights = compiled.plan.blocking.first_tile[-1] * CONFIG.rows
    held = CONFIG.weight_buffer // (weights // plan.passes) * (weights // plan.passes)
    assert loaded(compiled, Buffer.WEIGHTS) == plan.regions * weights - (plan.regions - 1) * held
    # No row of pixels comes twice, except that strips of the image overlap.
    again = 1.0 if plan.strips == 1 else 1.0 + 2 * (plan.strips - 1) / shape.width
    assert loaded(compiled, Buffer.INPUTS) <= 16 * 56 * 56 * again


@pytest.mark.parametrize(("file", "on_chip", "ratio"), [("default", 512 << 10, 1.4), ("one-megabyte", 1 << 20, 1.1)])
def test_traffic_of_vgg_convolutions_is_near_its_lower_bound(file: str, on_chip: int, ratio: float) -> None:
    config = AcceleratorConfig.load(Path(__file__).parents[3] / "configs" / f"{file}.toml")
    assert config.on_chip_bytes <= on_chip
    moved = bound = 0
    for layer in VGG16.layers()[:13]:
        compiled = compile_layer(layer, config, tiles=(0, *config.tiles))
        beats = sum(loaded(compiled, buffer) for buffer in Buffer)
        _, _, height, width = layer.output_shape
        beats += layer.shape.images * compiled.plan.blocking.output_blocks * height * width
        moved += beats * config.bus_bytes + len(compiled.program)
        bound += lower_bound_bytes(layer, config.on_chip_bytes)
    assert moved <= ratio * bound


def test_a_strided_point_convolution_skips_the_rows_between() -> None:
    shape = Convolution(16, 64, 64, 16, stride=(4, 1))
    compiled = compile_layer(Layer("point", "conv", shape), CONFIG)
    assert loaded(compiled, Buffer.INPUTS) == 16 * 64


def test_a_fully_connected_layer_moves_its_weights_and_little_else() -> None:
    compiled = compile_layer(Layer("fc", "fc", fully_connected(512, 7, 7, 1024)), CONFIG)
    weights = 512 * 7 * 7 * 1024 // 16
    assert loaded(compiled, Buffer.WEIGHTS) == weights
    estimated = plan_cost(compiled.plan)
    assert estimated is not None
    assert estimated.beats <= 1.03 * weights
    # Chunks of at most a third of the buffer keep several loads in flight.
    chunks = [i for i in compiled.instructions if isinstance(i, Load) and i.buffer == Buffer.WEIGHTS.value]
    assert max(chunk.run_beats for chunk in chunks) <= CONFIG.weight_buffer // 3


def test_planning_all_of_vgg16_is_quick() -> None:
    best_plan.cache_clear()
    started = time.process_time()
    for layer in VGG16.layers():
        best_plan(layer.shape, CONFIG, (0, 2, 4), layer.pool)
    assert time.process_time() - started < 1


@pytest.mark.parametrize(("size", "parts"), [(1, [1]), (2, [1, 2]), (5, [1, 2, 3, 4, 5]), (12, [1, 2, 3, 4, 6, 8, 12])])
def test_divisions_to_try(size: int, parts: list[int]) -> None:
    assert list(divisions(size)) == parts
