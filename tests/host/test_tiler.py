"""Plans fit the buffers, load no more than they must, and keep every multiplier busy."""

import time

import pytest

from host.compiler import CompiledLayer, compile_layer
from host.estimate import estimate
from host.layers import Convolution, Layer, fully_connected
from host.networks.alexnet import ALEXNET
from host.networks.vgg16 import VGG16
from host.tiler import best_plan, divisions
from hw.config import AcceleratorConfig
from hw.isa import Buffer, Execute, Load, Store

CONFIG = AcceleratorConfig()
LAYERS = [*VGG16.layers(), *ALEXNET.layers()]


def loaded(compiled: CompiledLayer, buffer: Buffer) -> int:
    loads = [instruction for instruction in compiled.instructions if isinstance(instruction, Load)]
    return sum(load.runs * load.run_beats for load in loads if load.buffer == buffer.value)


def execute_cycles(compiled: CompiledLayer) -> int:
    return sum(
        instruction.blocks * instruction.kernel_height * instruction.kernel_width * max(instruction.count, CONFIG.rows)
        for instruction in compiled.instructions
        if isinstance(instruction, Execute)
    )


@pytest.mark.parametrize("layer", VGG16.layers()[2:13], ids=lambda layer: layer.name)
def test_deep_vgg_layers_keep_every_multiplier_busy(layer: Layer) -> None:
    compiled = compile_layer(layer, CONFIG)
    ideal = layer.shape.macs / CONFIG.multipliers
    assert ideal <= execute_cycles(compiled) <= 1.01 * ideal
    estimated = estimate(compiled.plan)
    assert estimated is not None
    assert estimated.cycles <= 1.01 * ideal


def test_every_multiplication_is_scheduled_once() -> None:
    for layer in LAYERS:
        compiled = compile_layer(layer, CONFIG)
        blocking = compiled.plan.blocking
        tiles = sum(blocking.tap_box(block).taps for block in range(blocking.output_blocks))
        pixels = layer.shape.images * layer.shape.out_height * layer.shape.out_width
        executes = [instruction for instruction in compiled.instructions if isinstance(instruction, Execute)]
        scheduled = sum(i.blocks * i.kernel_height * i.kernel_width * i.count for i in executes)
        assert scheduled == tiles * pixels, layer.name
        stores = [instruction for instruction in compiled.instructions if isinstance(instruction, Store)]
        assert sum(store.count for store in stores) == blocking.output_blocks * pixels, layer.name


def test_pixels_of_a_sliding_window_are_loaded_once() -> None:
    shape = Convolution(64, 100, 100, 16, kernel=(5, 5), padding=(2, 2, 2, 2))
    compiled = compile_layer(Layer("blur", "conv", shape), CONFIG)
    rows_again = 1.0 if compiled.plan.strips == 1 else 1.0 + 4 * (compiled.plan.strips - 1) / 100
    assert loaded(compiled, Buffer.INPUTS) <= 4 * 100 * 100 * rows_again


def test_weights_that_fit_are_loaded_once() -> None:
    compiled = compile_layer(Layer("conv", "conv", Convolution(64, 200, 200, 48, kernel=(3, 3))), CONFIG)
    assert loaded(compiled, Buffer.WEIGHTS) == 4 * 3 * 9 * 16 < CONFIG.weight_buffer


def test_a_strided_point_convolution_skips_the_rows_between() -> None:
    shape = Convolution(16, 64, 64, 16, stride=(4, 1))
    compiled = compile_layer(Layer("point", "conv", shape), CONFIG)
    assert loaded(compiled, Buffer.INPUTS) == 16 * 64


def test_a_fully_connected_layer_moves_its_weights_and_little_else() -> None:
    compiled = compile_layer(Layer("fc", "fc", fully_connected(512, 7, 7, 1024)), CONFIG)
    weights = 512 * 7 * 7 * 1024 // 16
    assert loaded(compiled, Buffer.WEIGHTS) == weights
    estimated = estimate(compiled.plan)
    assert estimated is not None
    assert estimated.beats <= 1.03 * weights
    # Chunks of at most a quarter of the buffer keep several loads in flight.
    chunks = [i for i in compiled.instructions if isinstance(i, Load) and i.buffer == Buffer.WEIGHTS.value]
    assert max(chunk.run_beats for chunk in chunks) <= CONFIG.weight_buffer // 4


def test_planning_all_of_vgg16_is_quick() -> None:
    best_plan.cache_clear()
    started = time.process_time()
    for layer in VGG16.layers():
        best_plan(layer.shape, CONFIG)
    assert time.process_time() - started < 10


@pytest.mark.parametrize(("size", "parts"), [(1, [1]), (2, [1, 2]), (5, [1, 2, 3, 4, 5]), (12, [1, 2, 3, 4, 6, 8, 12])])
def test_divisions_to_try(size: int, parts: list[int]) -> None:
    assert list(divisions(size)) == parts
