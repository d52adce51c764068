"""Layers that leave their results within larger tensors, and leave out the edges of what they take."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from layer_cases import (
    CONFIGS,
    RTL_CONFIGS,
    pooled_layer,
    random_case,
    random_convolution,
    random_layer,
    within_a_surface,
)

from wingrid.host.compiler.compile_layer import CompiledLayer, compile_layer
from wingrid.host.compiler.lowering import Lowering
from wingrid.host.compiler.synchronise import synchronise
from wingrid.host.execution.driver import fill_memory, read_output
from wingrid.host.execution.layer_run import Job, run_layer
from wingrid.host.execution.setup import Setup
from wingrid.host.networks.golden import golden
from wingrid.host.networks.layer import Convolution, Layer, LayerError, Surface
from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.encoding import encode_program
from wingrid.hw.isa import LARGEST_PIXEL_PITCH
from wingrid.sim.functional import FunctionalMachine
from wingrid.sim.memory import MemoryTiming
from wingrid.sim.timing.model import simulate


def cropped(random: np.random.Generator) -> Layer:
    """A layer that leaves out some rows and columns of its image."""
    while True:
        try:
            shape = dataclasses.replace(
                random_convolution(random), padding=tuple(int(margin) for margin in random.integers(-4, 3, 4))
            )
            return random_layer(random, shape)
        except LayerError:
            continue


def random_case_of(random: np.random.Generator) -> Layer:
    layer = (random_layer, pooled_layer, cropped, cropped)[int(random.integers(4))](random)
    return within_a_surface(random, layer)


def explained(compiled: CompiledLayer) -> bytes:
    """The program that the Python writes."""
    schedule = Lowering(compiled.layer, compiled.plan, compiled.memory).emit()
    synchronise(schedule.instructions, schedule.dependencies)
    return encode_program(schedule.instructions)


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_results_lie_within_their_surface_and_nothing_else_is_touched(config: AcceleratorConfig) -> None:
    random = np.random.default_rng(15)
    done = 0
    while done < 8:
        layer = random_case_of(random)
        try:
            compiled = compile_layer(layer, config, tiles=(0, *config.tiles) if done % 2 else (0,))
        except LayerError:
            continue
        operands, x = random_case(random, layer)
        machine = FunctionalMachine(config, compiled.memory_bytes, 3)
        fill_memory(machine.memory, compiled, operands, x)
        before = machine.memory.copy()
        machine.run(compiled.memory.program, compiled.length)
        expected = golden(layer, operands, x)
        assert np.array_equal(read_output(machine.memory, compiled), expected), layer
        written = -(-layer.shape.kernels // config.cols) * expected.size // layer.shape.kernels * config.bus_bytes
        assert np.count_nonzero(machine.memory != before) <= written, layer
        assert compiled.program == explained(compiled), layer
        done += 1


def test_the_edges_that_are_left_out_are_not_seen() -> None:
    random = np.random.default_rng(4)
    layer = random_layer(random, Convolution(3, 9, 8, 4, kernel=(3, 2), padding=(-2, 1, -1, -3)))
    operands, x = random_case(random, layer)
    inner = random_layer(random, Convolution(3, 6, 5, 4, kernel=(3, 2), padding=(0, 1, 0, 0)))
    inner = dataclasses.replace(layer, shape=inner.shape)
    assert np.array_equal(golden(layer, operands, x), golden(inner, operands, x[:, :, 2:8, :5]))


def test_what_does_not_fit_is_refused() -> None:
    shape = Convolution(2, 5, 5, 2)
    with pytest.raises(LayerError, match="5x5 results do not fit into 8x5 pixels"):
        Layer("case", "conv", shape, surface=Surface(8, 5, 2))
    with pytest.raises(LayerError, match="5x5 results do not fit into 5x4 pixels"):
        Layer("case", "conv", shape, surface=Surface(5, 4))
    with pytest.raises(LayerError, match="5x5 results do not fit into 5x8 pixels"):
        Layer("case", "conv", shape, surface=Surface(5, 8, 1, 2))
    with pytest.raises(LayerError, match="a surface of 0x4 pixels, rows 1 apart and columns 1, is none"):
        Surface(0, 4)
    with pytest.raises(LayerError, match=r"padding of \(-3, 0, -2, 0\) leaves nothing of 5x5 pixels"):
        Convolution(2, 5, 5, 2, padding=(-3, 0, -2, 0))
    long = Layer("case", "conv", Convolution(1, 40000, 1, 1), surface=Surface(40000, 2))
    with pytest.raises(LayerError, match="sections of an image do not lie within another tensor"):
        compile_layer(long, CONFIGS["4x4"])


@pytest.mark.rtl
@pytest.mark.slow
def test_the_rtl_leaves_results_within_surfaces() -> None:
    random = np.random.default_rng(16)
    for number in range(6):
        config = list(RTL_CONFIGS.values())[number % 2]
        layer = random_case_of(random)
        operands, x = random_case(random, layer)
        setup = Setup("rtl", config, MemoryTiming.for_bus(config.bus_bytes))
        result = run_layer(Job(layer, operands, x, None), setup)
        assert list(result.failures()) == [], layer


def test_columns_apart_take_hardly_longer_than_columns_side_by_side() -> None:
    config = CONFIGS["4x4"]
    layer = Layer("case", "conv", Convolution(8, 20, 20, 8))
    cycles = {}
    for step in (1, 2, LARGEST_PIXEL_PITCH, LARGEST_PIXEL_PITCH + 1):
        within = dataclasses.replace(layer, surface=Surface(40, 20 * step, 2, step))
        compiled = compile_layer(within, config)
        memory = MemoryTiming.for_bus(config.bus_bytes)
        result = simulate(config, compiled.program, memory, program_address=compiled.memory.program)
        cycles[step] = result.cycles
    assert cycles[2] == cycles[LARGEST_PIXEL_PITCH] < 1.1 * cycles[1]
    # Further apart they are strips, whose pixels are stored one by one.
    assert cycles[LARGEST_PIXEL_PITCH + 1] > 3 * cycles[2]
