"""Channel blocks as rows of one tall image: averages over whole images, exact, and in a fraction of the cycles."""

import dataclasses

import numpy as np
import pytest
from layer_cases import SQUARE, WIDE, run_functional

from wingrid.host.compiler.compile_layer import compile_layer
from wingrid.host.compiler.stacking import Stacking
from wingrid.host.execution.driver import run_on_rtl
from wingrid.host.execution.layer_run import timing_difference
from wingrid.host.networks.golden import golden
from wingrid.host.networks.layer import Convolution, Layer, Lookup, Operands, Pool
from wingrid.hw.isa import Buffer, Load
from wingrid.sim.memory import MemoryTiming
from wingrid.sim.timing.model import simulate

SHAPE = Convolution(18, 5, 3, 18, (5, 3), groups=18, images=2)
"""Five blocks of four lanes, the last one half full, of each of two images."""
AVERAGE = Layer("average", "avgpool", SHAPE, x_zero_point=-7, y_zero_point=5, alike=True)


def operands(shape: Convolution, bias: int = 3) -> Operands:
    kernels = shape.kernels
    weights = np.ones((kernels, 1, *shape.kernel), np.int8)
    return Operands(weights, np.full(kernels, bias, np.int32), np.full(kernels, 0.07, np.float32))


def pixels(shape: Convolution) -> np.ndarray:
    return np.random.default_rng(5).integers(
        -128, 128, (shape.images, shape.channels, shape.height, shape.width), np.int8
    )


def test_the_tall_image_has_a_row_of_outputs_for_each_block_of_each_image() -> None:
    stacking = Stacking.of(AVERAGE, SQUARE)
    assert stacking is not None
    tall = stacking.stacked
    assert (tall.channels, tall.kernels, tall.images, tall.height, tall.stride) == (4, 4, 1, 50, (5, 1))
    assert (tall.out_height, tall.out_width) == (10, 1)


@pytest.mark.parametrize("lookup", [None, Lookup.LAYER])
def test_the_executable_specification_equals_golden(lookup: Lookup | None) -> None:
    config = dataclasses.replace(SQUARE, tables=2)
    layer = dataclasses.replace(AVERAGE, lookup=lookup)
    table = np.random.default_rng(6).integers(-128, 128, 256, np.int8) if lookup else None
    given, x = dataclasses.replace(operands(SHAPE), table=table), pixels(SHAPE)
    compiled = compile_layer(layer, config)
    assert compiled.stacking
    output, _ = run_functional(compiled, given, x)
    assert np.array_equal(output, golden(layer, given, x))


@pytest.mark.rtl
def test_the_rtl_equals_golden_and_the_timing_model() -> None:
    given, x, timing = operands(SHAPE), pixels(SHAPE), MemoryTiming(11, 3)
    compiled = compile_layer(AVERAGE, SQUARE)
    run = run_on_rtl(compiled, given, x, timing=timing)
    assert np.array_equal(run.output, golden(AVERAGE, given, x))
    assert timing_difference(compiled, compiled.program, timing, run.counters, run.events) is None


def test_a_mesh_that_waited_for_weights_takes_less_time() -> None:
    shape = Convolution(64, 7, 7, 64, (7, 7), groups=64)
    cycles = []
    for alike in (True, False):
        compiled = compile_layer(Layer("average", "avgpool", shape, alike=alike), SQUARE)
        program = simulate(SQUARE, compiled.program, program_address=compiled.memory.program)
        cycles.append(program.cycles)
    assert cycles[0] < 0.3 * cycles[1]


@pytest.mark.parametrize(
    "layer",
    [
        dataclasses.replace(AVERAGE, alike=False),
        dataclasses.replace(AVERAGE, lookup=Lookup.CHANNEL),
        dataclasses.replace(AVERAGE, shape=dataclasses.replace(SHAPE, groups=1)),
        dataclasses.replace(AVERAGE, shape=dataclasses.replace(SHAPE, padding=(1, 0, 0, 0))),
        dataclasses.replace(AVERAGE, shape=dataclasses.replace(SHAPE, kernel=(4, 2)), pool=Pool(2, 2)),
        dataclasses.replace(AVERAGE, shape=dataclasses.replace(SHAPE, height=4000, kernel=(4000, 3))),
    ],
)
def test_other_layers_are_not_stacked(layer: Layer) -> None:
    assert Stacking.of(layer, SQUARE) is None


def test_where_outputs_lie_in_other_blocks_than_inputs_only_single_blocks_are_stacked() -> None:
    assert Stacking.of(AVERAGE, WIDE) is None
    shape = dataclasses.replace(SHAPE, channels=2, kernels=2, groups=2)
    layer, given, x = dataclasses.replace(AVERAGE, shape=shape), operands(shape), pixels(shape)
    compiled = compile_layer(layer, WIDE)
    assert compiled.stacking
    output, _ = run_functional(compiled, given, x)
    assert np.array_equal(output, golden(layer, given, x))


def test_a_row_of_weights_serves_for_all_rows_of_pixels() -> None:
    compiled = compile_layer(AVERAGE, SQUARE)
    loads = [load for load in compiled.instructions if isinstance(load, Load)]
    weights = [load.run_beats for load in loads if load.buffer == Buffer.WEIGHTS]
    assert weights == [3 * SQUARE.rows]
    assert len(compiled.packed_weights(compiled.operands(operands(SHAPE)))) == 3 * SQUARE.rows * SQUARE.bus_bytes


@pytest.mark.parametrize("which", ["scales", "bias", "weights"])
def test_channels_that_are_not_alike_are_noticed(which: str) -> None:
    given = operands(SHAPE)
    getattr(given, which)[17] = 2
    stacking = Stacking.of(AVERAGE, SQUARE)
    assert stacking is not None
    with pytest.raises(AssertionError, match="alike"):
        stacking.operands(given)
