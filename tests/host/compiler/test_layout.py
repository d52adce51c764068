"""Tensors in memory: where each element lies, and that nothing is lost."""

import numpy as np
from layer_cases import SQUARE, WIDE

from wingrid.host.compiler.blocking import Blocking, Box
from wingrid.host.compiler.layout import pack_activations, pack_parameters, pack_weights, unpack_activations
from wingrid.host.networks.layer import Convolution, Layer, Operands
from wingrid.hw.config import AcceleratorConfig
from wingrid.sim.golden.requantise import encode_scale


def test_a_pixel_of_a_channel_block_is_a_beat() -> None:
    x = np.random.default_rng(1).integers(-128, 128, (2, 5, 3, 4), np.int8)
    beats = pack_activations(x, WIDE, fill=7).view(np.int8).reshape(2, 3, 3, 4, WIDE.bus_bytes)
    assert np.array_equal(beats[1, 2, 0, 3, 0], x[1, 4, 0, 3])
    assert np.array_equal(beats[0, 1, 2, 1, :2], x[0, 2:4, 2, 1])
    assert (beats[:, 2, :, :, 1] == 7).all()


def test_results_come_back_in_blocks_of_columns() -> None:
    y = np.random.default_rng(2).integers(-128, 128, (2, 7, 3, 4), np.int8)
    columns_as_rows = AcceleratorConfig(winograd=0, rows=3, cols=2, bus_bytes=4)
    packed = pack_activations(y, columns_as_rows, fill=0)
    assert np.array_equal(unpack_activations(packed, y.shape, WIDE), y)


def test_weight_tiles_lie_last_row_first() -> None:
    shape = Convolution(5, 4, 4, 6, kernel=(2, 3))
    weights = np.random.default_rng(3).integers(-128, 128, (6, 5, 2, 3), np.int8)
    beats = pack_weights(weights, Blocking.of(shape, WIDE), WIDE).view(np.int8)
    tiles = beats.reshape(2, 3, 2, 3, WIDE.rows, WIDE.bus_bytes)
    for block, input_block, ky, kx in ((0, 0, 0, 0), (1, 1, 1, 2), (0, 1, 0, 1)):
        for row in range(2):
            expected = weights[block * 3 : block * 3 + 3, input_block * 2 + row, ky, kx]
            assert np.array_equal(tiles[block, input_block, ky, kx, WIDE.rows - 1 - row, :3], expected)
    assert not tiles[:, 2, :, :, 0].any(), "the sixth input channel does not exist"


def test_grouped_weights_lie_in_the_blocks_that_their_groups_touch() -> None:
    shape = Convolution(12, 4, 4, 6, groups=6)
    blocking = Blocking.of(shape, SQUARE)
    assert [blocking.visited(block) for block in range(2)] == [(0, 2), (2, 3)]
    weights = np.arange(1, 13, dtype=np.int8).reshape(6, 2, 1, 1)
    tiles = pack_weights(weights, blocking, SQUARE).view(np.int8).reshape(3, 4, 4)[:, ::-1]
    dense = np.zeros((12, 8), np.int8)
    for kernel in range(6):
        dense[2 * kernel : 2 * kernel + 2, kernel] = weights[kernel, :, 0, 0]
    assert np.array_equal(tiles[0], dense[0:4, 0:4])
    assert np.array_equal(tiles[1], dense[4:8, 0:4])
    assert np.array_equal(tiles[2], dense[8:12, 4:8])


def test_the_zero_point_is_folded_into_the_bias() -> None:
    weights = np.array([[[[3]]], [[[-5]]]], np.int8)
    operands = Operands(weights, np.array([100, 200], np.int32), np.array([0.5, 0.25], np.float32))
    layer = Layer("case", "conv", Convolution(1, 1, 1, 2), x_zero_point=10)
    planes = pack_parameters(layer, operands, SQUARE).reshape(8, SQUARE.bus_bytes)
    words = [int.from_bytes(planes[:, channel].tobytes(), "little") for channel in range(2)]
    assert [word & 0xFFFF_FFFF for word in words] == [100 - 30, 200 + 50]
    assert [word >> 32 & 0xFF_FFFF for word in words] == [encode_scale(0.5)[0], encode_scale(0.25)[0]]


def test_boxes_split_into_parts_that_are_contiguous_in_memory() -> None:
    box = Box((2, 7), (0, 3), (0, 4))
    order = [(b, y, x) for b in range(2, 7) for y in range(3) for x in range(4)]
    for limit in (1, 2, 3, 4, 5, 8, 11, 12, 13, 24, 59, 60):
        parts = box.split(lambda part, limit=limit: part.taps <= limit)
        assert parts is not None
        flat = [
            (b, y, x)
            for part in parts
            for b in range(*part.blocks)
            for y in range(*part.rows)
            for x in range(*part.columns)
        ]
        assert flat == order
        assert all(part.taps <= limit for part in parts)
    assert box.split(lambda _: False) is None
