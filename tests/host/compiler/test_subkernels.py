"""Kernels as sums of 3x3 kernels: what the parts are, that they add up, and when the compiler takes them."""

import numpy as np
import pytest
from layer_cases import random_case, random_layer, random_sum_of_kernels

from wingrid import compile_layer
from wingrid.host.compiler.algorithms import usable_tiles
from wingrid.host.compiler.blocking import Blocking
from wingrid.host.compiler.compile_layer import compile_layer as compile_by
from wingrid.host.compiler.subkernels import Subkernel, cut_kernels, saves, subkernels
from wingrid.host.networks.layer import Convolution, Pool
from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.isa import Execute
from wingrid.sim.golden.convolution import convolve_direct

DEFAULT = AcceleratorConfig(
    rows=16, cols=16, winograd=4, input_buffer=16384, weight_buffer=4704, accumulators=900, parameter_blocks=32,
    output_buffer=256,
)  # fmt: skip


def same(size: int, kernel: int, stride: int = 1, channels: int = 96, groups: int | None = None) -> Convolution:
    """Square, padded by half of the kernel, each channel by itself unless ``groups`` says otherwise."""
    return Convolution(
        channels, size, size, channels, (kernel, kernel), (stride, stride), (kernel // 2,) * 4,
        groups=channels if groups is None else groups,
    )  # fmt: skip


def test_a_5x5_kernel_is_four_and_at_stride_2_one_for_each_phase() -> None:
    assert [part.first for part in subkernels((5, 5), (1, 1))] == [(0, 0), (0, 3), (3, 0), (3, 3)]
    assert [part.first for part in subkernels((5, 5), (2, 2))] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert [part.first[1] for part in subkernels((1, 8), (1, 2))] == [0, 6, 1, 7]
    assert Subkernel((3, 1), (1, 2)).span(4) == ((3, 9), (1, 12))


@pytest.mark.parametrize("seed", range(20))
def test_the_sums_of_all_parts_are_those_of_the_kernel(seed: int) -> None:
    random = np.random.default_rng([seed, 41])
    shape = random_sum_of_kernels(random)
    operands, x = random_case(random, random_layer(random, shape))
    top, left, bottom, right = (max(0, side) for side in shape.padding)
    first_row, first_column = (max(0, -side) for side in shape.padding[:2])
    last_row, last_column = (min(0, side) for side in shape.padding[2:])
    image = x[0, :, first_row : shape.height + last_row, first_column : shape.width + last_column]
    whole = convolve_direct(
        image, operands.weights, stride=shape.stride, padding=(top, left, bottom, right), groups=shape.groups
    )
    # Room for taps beyond the kernel, which are zero.
    padded = np.pad(image, ((0, 0), (top, bottom + 9), (left, right + 9)))
    cut = cut_kernels(operands.weights, shape.stride)
    total = np.zeros_like(whole)
    for number, part in enumerate(subkernels(shape.kernel, shape.stride)):
        moved = padded[:, part.first[0] :: part.pitch[0], part.first[1] :: part.pitch[1]]
        total += convolve_direct(np.ascontiguousarray(moved), cut[:, :, number], groups=shape.groups)[
            :, : shape.out_height, : shape.out_width
        ]
    assert np.array_equal(total, whole), shape


def test_it_is_known_from_sizes_alone_where_they_save_multiplications() -> None:
    assert all(map(saves, (same(14, 5), same(14, 7), same(28, 5, stride=2))))
    assert saves(Convolution(8, 9, 9, 8, (2, 2)))
    # Four phases of 9 quarters of a multiplication are the nine of a 3x3 kernel.
    assert not any(map(saves, (same(56, 3, stride=2), same(56, 1))))
    assert not saves(Convolution(8, 20, 20, 8, (5, 5), dilation=(2, 2)))
    # A fully connected layer has one output, of sixteen in a tile.
    assert not saves(Convolution(512, 7, 7, 4096, (7, 7)))
    assert Blocking.suits_winograd(same(28, 5), Pool(2, 2))
    assert not Blocking.suits_winograd(same(28, 5), Pool(3, 2))


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "groups", "faster"),
    [(56, 5, 1, 96, 2.7), (56, 5, 2, 96, 2.5), (28, 7, 1, 96, 2.3), (28, 5, 1, 1, 2.6), (14, 5, 1, 1, 1.9)],
)
def test_kernels_beyond_3x3_take_a_fraction_of_the_cycles(
    size: int, kernel: int, stride: int, groups: int, faster: float
) -> None:
    channels = 96 if groups > 1 else 64
    weights = np.zeros((channels, channels // groups, kernel, kernel), np.int8)
    cycles = {}
    for setting in ({}, {"algorithm": "direct"}):
        layer = compile_layer(
            weights, (size, size), padding=kernel // 2, stride=stride, groups=groups, config=DEFAULT, **setting
        )
        cycles[layer.algorithm] = layer.estimate().cycles
    assert cycles["direct"] > faster * cycles["winograd4"]


def test_a_layer_that_tiles_would_slow_down_stays_direct() -> None:
    # 4x4 outputs of a kernel at stride 2 are a single F(4x4) tile, for a mesh of 16 rows.
    weights = np.zeros((96, 1, 5, 5), np.int8)
    layer = compile_layer(weights, (7, 7), padding=2, stride=2, groups=96, config=DEFAULT)
    assert layer.algorithm == "direct"


def test_all_taps_count_for_what_accumulators_bring_back() -> None:
    shape = Convolution(512, 8, 8, 1, (5, 5), padding=(2, 2, 2, 2))
    random = np.random.default_rng(1)
    layer = random_layer(random, shape)
    operands, _ = random_case(random, layer)
    assert usable_tiles(layer, operands, DEFAULT) == (0, 2, 4)
    operands.weights[:] = -128
    # 512 * 25 * 128 * 128 need 29 bits.
    assert usable_tiles(layer, operands, DEFAULT) == (0, 2)


def test_each_part_is_an_execute_that_reads_pixels_a_stride_apart() -> None:
    random = np.random.default_rng(2)
    layer = random_layer(random, same(12, 5, stride=2, channels=16))
    executes = [
        instruction
        for instruction in compile_by(layer, DEFAULT, tiles=(4,)).instructions
        if isinstance(instruction, Execute)
    ]
    assert [execute.accumulate for execute in executes] == [0, 1, 1, 1]
    assert {(e.tile, e.kernel_height, e.dilation_y, e.tap_pitch, e.stride_y) for e in executes} == {(4, 6, 2, 2, 8)}
    assert [(execute.top, execute.left) for execute in executes] == [(-2, -2), (-2, -1), (-1, -2), (-1, -1)]
