"""Layers that leave each row, each column or each pixel of images several times, one after the other.

The only row, or column, of an image is repeated by a single layer: a kernel of ones over it and zeros around it, which
meets it once at each of its places.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from wingrid.host.networks.layer import Pair, Surface
from wingrid.host.onnx_models.graph import AcceleratedStep, Part
from wingrid.host.onnx_models.identity_layers import identity_layer, ones
from wingrid.host.onnx_models.shapes import TensorType


def repeated_rows(name: str, maker: AcceleratedStep, target: str, times: int) -> list[AcceleratedStep]:
    """Of the tensor [images, C, H, W] that ``maker`` leaves, as ``target`` [images, C, times * H, W]."""
    if maker.target_type.shape[2] == 1:
        return [_spread(f"{name} row", maker, target, (times, 1))]
    return _copies([f"{name} row {row}" for row in range(times)], maker, target, (times, 1))


def repeated_columns(name: str, maker: AcceleratedStep, target: str, times: int) -> list[AcceleratedStep]:
    """The same of columns."""
    if maker.target_type.shape[3] == 1:
        return [_spread(f"{name} column", maker, target, (1, times))]
    return _copies([f"{name} column {column}" for column in range(times)], maker, target, (1, times))


def repeated_pixels(name: str, maker: AcceleratedStep, target: str, times: Pair) -> list[AcceleratedStep]:
    """The same of rows, and of columns, as often as ``times`` says of each."""
    down, across = times
    if times != (1, 1) and 1 in (down, across, *maker.target_type.shape[2:]):
        steps: list[AcceleratedStep] = []
        if across > 1:
            steps += repeated_columns(name, maker, target if down == 1 else f"{target} columns", across)
        if down > 1:
            steps += repeated_rows(name, steps[-1] if steps else maker, target, down)
        return steps
    return _copies([f"{name} pixel {row} {column}" for row, column in np.ndindex(times)], maker, target, times)


def _copies(names: list[str], maker: AcceleratedStep, target: str, times: Pair) -> list[AcceleratedStep]:
    """A copy for each place of a pixel among its repetitions, row after row, which leaves all pixels at that place."""
    down, across = times
    kind = _larger(maker, times)
    _, _, height, width = kind.shape
    surface = Surface(height, width, down, across)
    steps = []
    for name, (row, column) in zip(names, np.ndindex(times), strict=True):
        copy = identity_layer(name, "copy", maker)
        layer = dataclasses.replace(copy.layer, surface=surface)
        part = Part(0, row, column, down, across)
        steps.append(dataclasses.replace(copy, layer=layer, target=target, target_type=kind, part=part))
    return steps


def _larger(maker: AcceleratedStep, times: Pair) -> TensorType:
    """Of the tensor with its pixels repeated."""
    images, channels, height, width = maker.target_type.shape
    return TensorType(maker.target_type.dtype, (images, channels, height * times[0], width * times[1]))


def _spread(name: str, maker: AcceleratedStep, target: str, kernel: Pair) -> AcceleratedStep:
    """A layer that leaves the only pixel along an axis at as many places as its kernel is long."""
    kind = _larger(maker, kernel)
    step = identity_layer(name, "copy", maker)
    (high, wide), shape = kernel, step.layer.shape
    shape = dataclasses.replace(shape, kernel=kernel, padding=(high - 1, wide - 1, high - 1, wide - 1))
    layer = dataclasses.replace(step.layer, shape=shape)
    return dataclasses.replace(step, layer=layer, operands=ones(shape, np.float32(1)), target=target, target_type=kind)
