"""Whatever the geometry and however small the buffers, a compiled layer computes what golden computes."""

import copy
import dataclasses

import numpy as np
import pytest
from layer_cases import CONFIGS, SQUARE, TINY, WIDE, random_case, random_layer, run_functional, with_lookup

from wingrid.host.compiler.compile_layer import CompiledLayer, compile_layer
from wingrid.host.compiler.layout import check_sums
from wingrid.host.networks.golden import golden
from wingrid.host.networks.layer import Convolution, Layer, LayerError, Operands, fully_connected, matrix_product
from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.encoding import ProgramError, encode_program
from wingrid.hw.isa import Semaphore


@pytest.mark.slow
@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("first", range(0, 60, 20))
def test_random_layers_equal_golden(name: str, first: int) -> None:
    for seed in range(first, first + 20):
        random = np.random.default_rng([seed, len(name)])
        layer = with_lookup(random, random_layer(random), CONFIGS[name])
        operands, x = random_case(random, layer)
        output, _ = run_functional(compile_layer(layer, CONFIGS[name]), operands, x, seed)
        assert np.array_equal(output, golden(layer, operands, x)), (seed, layer)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shape", "config"),
    [
        (Convolution(1, 3, 300, 1, kernel=(1, 290), stride=(1, 3)), WIDE),
        (Convolution(2, 300, 2, 3, kernel=(280, 2)), SQUARE),
        (Convolution(3, 19, 19, 3, kernel=(11, 11), stride=(4, 4), padding=(2, 2, 2, 2)), TINY),
        (Convolution(2, 700, 3, 2, kernel=(3, 1), dilation=(300, 1)), SQUARE),
        (Convolution(2, 3, 700, 2, kernel=(1, 3), dilation=(1, 300)), TINY),
        (Convolution(2, 5, 5, 2, kernel=(5, 5), stride=(400, 400)), SQUARE),
        (Convolution(2, 2, 2, 2, kernel=(1, 1), padding=(5, 5, 5, 5)), SQUARE),
        (Convolution(2, 3, 40, 4, kernel=(3, 3), padding=(1, 1, 1, 1), images=3), TINY),
        (Convolution(40, 6, 6, 40, kernel=(3, 3), padding=(1, 1, 1, 1), groups=40), SQUARE),
        (Convolution(60, 6, 6, 44, kernel=(3, 3), padding=(1, 1, 1, 1), groups=4), WIDE),
        (Convolution(200, 3, 3, 5, kernel=(3, 3)), TINY),
        (fully_connected(25, 7, 7, 6), TINY),
        (fully_connected(25, 7, 7, 30, images=5), SQUARE),
        (matrix_product(1, 900, 3), WIDE),
        (matrix_product(40, 300, 50), SQUARE),
        (matrix_product(3, 5, 1500), SQUARE),
        (matrix_product(33000, 2, 2), AcceleratorConfig(winograd=0, rows=2, cols=2)),
    ],
)
def test_extreme_layers_equal_golden(shape: Convolution, config: AcceleratorConfig) -> None:
    random = np.random.default_rng(7)
    layer = random_layer(random, shape)
    operands, x = random_case(random, layer)
    compiled = compile_layer(layer, config)
    for seed in (1, 2):
        output, _ = run_functional(compiled, operands, x, seed)
        assert np.array_equal(output, golden(layer, operands, x))


def test_no_semaphore_can_be_left_out() -> None:
    noticed = set()
    for shape in (
        Convolution(12, 9, 9, 40, kernel=(3, 3), padding=(1, 1, 1, 1)),
        # Weights that stay while pixels come and go, and the other way round: nothing else holds these loads up.
        Convolution(4, 30, 9, 4, kernel=(3, 3)),
        Convolution(4, 1, 1, 80),
    ):
        random = np.random.default_rng(3)
        layer = random_layer(random, shape)
        operands, x = random_case(random, layer)
        compiled = compile_layer(layer, SQUARE)
        expected = golden(layer, operands, x)
        for semaphore in Semaphore:
            instructions = copy.deepcopy(compiled.instructions)
            for instruction in instructions:
                instruction.wait &= ~(1 << semaphore)
                instruction.signal &= ~(1 << semaphore)
            broken = dataclasses.replace(compiled, program=encode_program(instructions))
            if any(not _right(broken, operands, x, expected, seed) for seed in range(10)):
                noticed.add(semaphore)
    assert noticed == set(Semaphore)


def _right(compiled: CompiledLayer, operands: Operands, x: np.ndarray, expected: np.ndarray, seed: int) -> bool:
    try:
        return np.array_equal(run_functional(compiled, operands, x, seed)[0], expected)
    except ProgramError:
        return False


def test_a_window_beyond_the_positions_that_hardware_counts_is_refused_unless_unfolded() -> None:
    layer = Layer("tall", "conv", Convolution(1, 40000, 2, 1, kernel=(2, 1), dilation=(39999, 1)))
    message = r"^a window of 2x1 taps at dilation 39999x1 spans too many pixels: positions end at 32767$"
    with pytest.raises(LayerError, match=message):
        compile_layer(layer, SQUARE)


def test_a_stride_that_hardware_cannot_step_is_refused_unless_unfolded() -> None:
    layer = Layer("sparse", "conv", Convolution(1, 2, 1000, 1, stride=(1, 300)))
    with pytest.raises(LayerError, match=r"^stride 300 along x is more than the 255 that hardware steps$"):
        compile_layer(layer, SQUARE)


def test_tensors_beyond_the_address_space_are_refused() -> None:
    layer = Layer("huge", "conv", Convolution(1000, 20000, 20000, 1))
    with pytest.raises(LayerError, match=r"bytes, more than 32 address bits reach$"):
        compile_layer(layer, SQUARE)


def test_sums_that_can_leave_32_bits_are_refused() -> None:
    shape = fully_connected(70000, 1, 1, 2)
    weights = np.ones((2, 70000, 1, 1), np.int8)
    weights[1] = 127
    operands = Operands(weights, np.zeros(2, np.int32), np.ones(2, np.float32))
    layer = Layer("wide", "fc", shape, x_zero_point=-128)
    with pytest.raises(LayerError, match=r"^layer wide: sums of output channel 1 can exceed 32 bits$"):
        check_sums(layer, operands)
    weights[1] = 120
    assert check_sums(layer, operands).tolist() == [128 * 70000, 128 * 120 * 70000]


def test_a_bias_at_the_edge_of_32_bits_counts() -> None:
    layer = Layer("edge", "fc", fully_connected(1, 1, 1, 1))
    weights, scales = np.ones((1, 1, 1, 1), np.int8), np.ones(1, np.float32)
    check_sums(layer, Operands(weights, np.array([2**31 - 128], np.int32), scales))
    with pytest.raises(LayerError):
        check_sums(layer, Operands(weights, np.array([2**31 - 127], np.int32), scales))
