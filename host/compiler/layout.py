"""Tensors as they lie in the accelerator's memory: bus beats of channel blocks."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from wingrid.host.compiler.blocking import Blocking
from wingrid.host.compiler.subkernels import cut_kernels
from wingrid.host.networks.layer import Layer, LayerError, Lookup, Operands
from wingrid.hw.config import TABLE_ENTRIES, AcceleratorConfig
from wingrid.hw.winograd_matrices import KERNEL
from wingrid.sim.golden.requantise import encode_parameters


def pack_activations(x: npt.NDArray[np.int8], config: AcceleratorConfig, fill: int) -> npt.NDArray[np.uint8]:
    """int8 [images, C, H, W] as bytes [image][channel block][row][column][lane].

    A pixel of a channel block takes a beat of the bus, its first ``rows`` lanes are in use; lanes
    beyond the channels hold ``fill``.
    """
    return _packed(x, config.rows, config, fill)


def pack_addends(addend: npt.NDArray[np.int8], config: AcceleratorConfig) -> npt.NDArray[np.uint8]:
    """The same of what is added to results, which lies in memory as results do: in blocks of the array's columns."""
    return _packed(addend, config.cols, config, 0)


def _packed(x: npt.NDArray[np.int8], block: int, config: AcceleratorConfig, fill: int) -> npt.NDArray[np.uint8]:
    images, channels, height, width = x.shape
    blocks = math.ceil(channels / block)
    lanes = np.full((images, blocks * block, height, width), fill, np.int8)
    lanes[:, :channels] = x
    beats = np.full((images, blocks, height, width, config.bus_bytes), fill, np.int8)
    beats[..., :block] = lanes.reshape(images, blocks, block, height, width).transpose(0, 1, 3, 4, 2)
    return beats.view(np.uint8).reshape(-1)


def unpack_activations(
    data: npt.NDArray[np.uint8], shape: tuple[int, int, int, int], config: AcceleratorConfig
) -> npt.NDArray[np.int8]:
    """Results, in blocks of the array's columns, as int8 [images, K, OH, OW] of the given shape."""
    images, channels, height, width = shape
    blocks = math.ceil(channels / config.cols)
    beats = data.view(np.int8).reshape(images, blocks, height, width, config.bus_bytes)[..., : config.cols]
    return beats.transpose(0, 1, 4, 2, 3).reshape(images, -1, height, width)[:, :channels].copy()


def pack_weights(weights: npt.NDArray[np.int8], blocking: Blocking, config: AcceleratorConfig) -> npt.NDArray[np.uint8]:
    """Weights [K, C // groups, kh, kw] as bytes of weight tiles.

    [output block][input block that its groups touch][kernel row][kernel column], then the tile's rows,
    last input channel first (the order in which the mesh takes them), a beat of ``cols`` int8 each. A Winograd layer's
    kernels are its subkernels, one below the other.
    """
    shape = blocking.shape
    if blocking.tile:
        weights = cut_kernels(weights, shape.stride).reshape(*weights.shape[:2], -1, KERNEL)
    if blocking.alike_rows:
        weights = weights[:, :, :1]
    height, width = weights.shape[2:]
    per_group, group_channels = shape.kernels // shape.groups, shape.channels // shape.groups
    tiles = []
    for block in range(blocking.output_blocks):
        start, stop = block * config.cols, min((block + 1) * config.cols, shape.kernels)
        first, last = blocking.visited(block)
        dense = np.zeros((config.cols, (last - first) * config.rows, height, width), np.int8)
        for group in range(start // per_group, (stop - 1) // per_group + 1):
            kernels = slice(max(start, group * per_group), min(stop, (group + 1) * per_group))
            lane = group * group_channels - first * config.rows
            dense[kernels.start - start : kernels.stop - start, lane : lane + group_channels] = weights[kernels]
        tile = dense.reshape(config.cols, last - first, config.rows, height, width).transpose(1, 3, 4, 2, 0)
        tiles.append(tile[..., ::-1, :].reshape(-1, config.cols))
    rows = np.concatenate(tiles)
    beats = np.zeros((len(rows), config.bus_bytes), np.int8)
    beats[:, : config.cols] = rows
    return beats.view(np.uint8).reshape(-1)


def pack_parameters(layer: Layer, operands: Operands, config: AcceleratorConfig) -> npt.NDArray[np.uint8]:
    """Bias and scales as byte planes, with the input's zero point folded into the bias.

    The hardware sums up x * w, padding included as the zero point; the layer wants (x - zero point) * w.
    Raises ``LayerError`` if some input could make a sum leave 32 bits.
    """
    bias = check_sums(layer, operands)
    planes = encode_parameters(bias.astype(np.int32), operands.scales, config.cols)
    beats = np.zeros((*planes.shape[:2], config.bus_bytes), np.uint8)
    beats[..., : config.cols] = planes
    return beats.reshape(-1)


def pack_tables(layer: Layer, operands: Operands, config: AcceleratorConfig) -> npt.NDArray[np.uint8]:
    """The tables of a layer, one for all output channel blocks or one for each: 256 beats of a byte for each column.

    Nothing for a layer that looks nothing up. Columns beyond the last channel hold zeros.
    """
    if layer.lookup is None:
        return np.zeros(0, np.uint8)
    assert operands.table is not None, "a layer with a lookup has a table"
    if layer.lookup is Lookup.LAYER:
        tables = np.broadcast_to(operands.table[None, :, None], (1, TABLE_ENTRIES, config.cols))
    else:
        channels = np.zeros((-(-len(operands.table) // config.cols) * config.cols, TABLE_ENTRIES), np.int8)
        channels[: len(operands.table)] = operands.table
        tables = channels.reshape(-1, config.cols, TABLE_ENTRIES).transpose(0, 2, 1)
    beats = np.zeros((*tables.shape[:2], config.bus_bytes), np.int8)
    beats[..., : config.cols] = tables
    return beats.view(np.uint8).reshape(-1)


def check_sums(layer: Layer, operands: Operands) -> npt.NDArray[np.int64]:
    """The folded bias, int64 [K]; raises ``LayerError`` if it or any sum can leave 32 bits."""
    weights = operands.weights.reshape(len(operands.weights), -1)
    positive = np.where(weights > 0, weights, 0).sum(axis=1, dtype=np.int64)
    negative = np.where(weights < 0, weights, 0).sum(axis=1, dtype=np.int64)
    bias = operands.bias.astype(np.int64)
    low, high = -128 - layer.x_zero_point, 127 - layer.x_zero_point
    folded = bias - layer.x_zero_point * (positive + negative)
    largest = bias + positive * high + negative * low
    smallest = bias + positive * low + negative * high
    limit = 1 << 31
    bad = (largest >= limit) | (smallest < -limit) | (folded >= limit) | (folded < -limit)
    if bad.any():
        raise LayerError(f"layer {layer.name}: sums of output channel {int(np.argmax(bad))} can exceed 32 bits")
    return folded
