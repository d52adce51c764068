"""The C++ writes the very programs that the Python writes, and refuses what is longer than programs can be."""

from __future__ import annotations

import dataclasses
import itertools
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from layer_cases import (
    CONFIGS,
    SQUARE,
    random_convolution,
    random_layer,
    random_sum_of_kernels,
    random_winograd_convolution,
    with_combination,
    with_lookup,
)

from wingrid.host.compiler import compile_layer as compiling
from wingrid.host.compiler.blocking import Blocking
from wingrid.host.compiler.compile_layer import compile_layer, plan_layer
from wingrid.host.compiler.lowering import Lowering
from wingrid.host.compiler.memory_map import MemoryMap
from wingrid.host.compiler.native_lowering import least_instructions, lowered
from wingrid.host.compiler.plan import Plan
from wingrid.host.compiler.synchronise import MOST_PENDING, synchronise
from wingrid.host.compiler.tiler import _plans
from wingrid.host.networks.alexnet import ALEXNET
from wingrid.host.networks.layer import Convolution, Layer, LayerError, Pool
from wingrid.host.networks.vgg16 import VGG16
from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.encoding import encode_program
from wingrid.sim.tools import ToolMissing

DEFAULT = AcceleratorConfig()
SHIPPED = Path(__file__).parents[3] / "configs"
SMALLEST = AcceleratorConfig(
    rows=2,
    cols=2,
    winograd=0,
    input_buffer=16,
    weight_buffer=16,
    accumulators=4,
    parameter_blocks=2,
    output_buffer=16,
    queue_depth=2,
    fetch_ahead=2,
    burst_beats=1,
    reads_in_flight=1,
    writes_in_flight=1,
)


def in_python(layer: Layer, plan: Plan, memory: MemoryMap) -> bytes:
    schedule = Lowering(layer, plan, memory).emit()
    synchronise(schedule.instructions, schedule.dependencies)
    return encode_program(schedule.instructions)


def compare(layer: Layer, plan: Plan, config: AcceleratorConfig) -> None:
    memory = MemoryMap.of(layer, plan.blocking, config)
    program = lowered(layer, plan, memory)
    assert program == in_python(layer, plan, memory), (layer, plan)
    assert least_instructions(plan) <= len(program) // 64


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
@pytest.mark.parametrize("seed", range(40))
def test_random_layers_become_the_same_program(config: AcceleratorConfig, seed: int) -> None:
    """By their best plans, and by others that the compiler would not choose."""
    random = np.random.default_rng([seed, config.rows, 7])
    tile = int(random.choice((0, *config.tiles)))
    convolutions = random_sum_of_kernels if seed % 4 == 1 else random_winograd_convolution
    shape = convolutions(random) if tile else random_convolution(random)
    pool = Pool(2, 2) if tile else Pool(int(random.integers(2, 4)), int(random.integers(1, 4)))
    layer = with_lookup(random, random_layer(random, shape), config)
    if seed % 3 == 0 and min(shape.out_height, shape.out_width) >= pool.side:
        layer = dataclasses.replace(layer, pool=pool)
    layer = with_combination(random, layer, config)
    try:
        planned = plan_layer(layer, config, tiles=(tile,))
    except LayerError:
        return
    compare(layer, planned.plan, config)
    blocking = Blocking.of(shape, config, planned.plan.blocking.tile, layer.pool)
    others = itertools.product(range(1, 4), range(1, 5))
    for strips, groups in others:
        for plan in _plans(blocking, config, strips, groups) if max(strips, groups) <= min(blocking.grid) else ():
            chunks = [plan.chunks(blocks) for blocks in plan.output_passes()]
            if all(chunks) and plan.largest * blocking.positions <= config.accumulators:
                compare(layer, plan, config)


@pytest.mark.parametrize("layer", [*VGG16.layers(), *ALEXNET.layers(2)], ids=lambda layer: layer.name)
def test_layers_of_networks_become_the_same_program(layer: Layer) -> None:
    tiles = (0, *DEFAULT.tiles) if Blocking.suits_winograd(layer.shape, layer.pool) else (0,)
    compare(layer, plan_layer(layer, DEFAULT, tiles=tiles).plan, DEFAULT)


@pytest.mark.parametrize(
    "shape",
    [
        # 129 weight tiles stay on chip and are then overwritten: one more than may be announced and not waited for.
        Convolution(4, 4, 4, 1600, kernel=(1, 1)),
        # Strides that no instruction can have, and that nothing needs for a single output.
        Convolution(4, 20, 300, 8, kernel=(1, 1), stride=(1, 300)),
        Convolution(4, 300, 20, 8, kernel=(1, 1), stride=(300, 1)),
    ],
)
def test_extremes_become_the_same_program(shape: Convolution) -> None:
    tiny = dataclasses.replace(AcceleratorConfig.load(SHIPPED / "tiny-4x4.toml"), weight_buffer=4 * (MOST_PENDING + 1))
    layer = Layer("extreme", "conv", shape)
    compare(layer, plan_layer(layer, tiny).plan, tiny)


def test_a_large_layer_on_a_small_accelerator_becomes_the_same_program() -> None:
    tiny = AcceleratorConfig.load(SHIPPED / "tiny-4x4.toml")
    layer = VGG16.layers()[0]
    compare(layer, plan_layer(layer, tiny).plan, tiny)


def test_seven_hundred_thousand_instructions_take_little_memory() -> None:
    tiny = AcceleratorConfig.load(SHIPPED / "tiny-4x4.toml")
    tracemalloc.start()
    try:
        compiled = compile_layer(VGG16.layers()[1], tiny)
        assert compiled.length == 702_465
        assert tracemalloc.get_traced_memory()[1] < 2 * len(compiled.program)
    finally:
        tracemalloc.stop()


def test_what_is_plainly_too_long_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def written(*arguments: object) -> bytes:
        raise AssertionError("no program need be written to know that")

    monkeypatch.setattr(compiling, "lowered", written)
    tracemalloc.start()
    try:
        with pytest.raises(LayerError, match=r"^layer conv1_2 takes more than the 16777215 instructions"):
            compile_layer(VGG16.layers()[1], SMALLEST)
        assert tracemalloc.get_traced_memory()[1] < 40_000_000
    finally:
        tracemalloc.stop()


def test_what_turns_out_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "least_instructions", lambda plan: 1)
    layer = Layer("long", "conv", Convolution(64, 100, 100, 64, kernel=(3, 3)))
    with pytest.raises(LayerError, match=r"^layer long takes more than the 16777215 instructions"):
        compile_layer(layer, SMALLEST)


def test_without_a_compiler_the_program_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = Layer("case", "conv", Convolution(12, 9, 9, 20, kernel=(3, 3), padding=(1, 1, 1, 1)))
    expected = compile_layer(layer, SQUARE)

    def missing(*arguments: object) -> bytes:
        raise ToolMissing("the C++ compiler g++ is missing")

    monkeypatch.setattr(compiling, "lowered", missing)
    assert compile_layer(layer, SQUARE).program == expected.program
    assert compile_layer(layer, SQUARE).instructions == expected.instructions
