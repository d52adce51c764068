"""Layers that leave each row, or each column, of images several times, one after the other.

The only row, or column, of an image is repeated by a single layer: a kernel of ones over it and zeros around it, which
meets it once at each of its places.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from wingrid.host.networks.layer import LayerError, Pair, Surface
from wingrid.host.onnx_models.graph import AcceleratedStep, Part
from wingrid.host.onnx_models.identity_layers import identity_layer, ones
from wingrid.host.onnx_models.shapes import TensorType


def repeated_rows(name: str, maker: AcceleratedStep, target: str, times: int) -> list[AcceleratedStep]:
    """Of the tensor [images, C, H, W] that ``maker`` leaves, as ``target`` [images, C, times * H, W]."""
    images, channels, height, width = maker.target_type.shape
    kind = TensorType(maker.target_type.dtype, (images, channels, height * times, width))
    if height == 1:
        return [_spread(f"{name} row", maker, target, kind, (times, 1))]
    steps = []
    for row in range(times):
        copy = identity_layer(f"{name} row {row}", "copy", maker)
        layer = dataclasses.replace(copy.layer, surface=Surface(height * times, width, times))
        part = Part(row=row, row_step=times)
        steps.append(dataclasses.replace(copy, layer=layer, target=target, target_type=kind, part=part))
    return steps


def repeated_columns(name: str, maker: AcceleratedStep, target: str, times: int) -> list[AcceleratedStep]:
    """The same of columns, of a single image. Raises ``LayerError`` for more.

    All pixels are taken as one column, whose rows lie apart: of rows it takes no strips.
    """
    images, channels, height, width = maker.target_type.shape
    kind = TensorType(maker.target_type.dtype, (images, channels, height, width * times))
    if width == 1:
        return [_spread(f"{name} column", maker, target, kind, (1, times))]
    if images > 1:
        raise LayerError("columns of a single image are repeated, and no others")
    steps = []
    for column in range(times):
        copy = identity_layer(f"{name} column {column}", "copy", maker)
        shape = dataclasses.replace(copy.layer.shape, height=height * width, width=1)
        layer = dataclasses.replace(copy.layer, shape=shape, surface=Surface(height * width * times, 1, times))
        part = Part(column=column, column_step=times)
        step = dataclasses.replace(copy, layer=layer, target=target, target_type=kind, part=part, in_a_column=True)
        steps.append(step)
    return steps


def _spread(name: str, maker: AcceleratedStep, target: str, kind: TensorType, kernel: Pair) -> AcceleratedStep:
    """A layer that leaves the only pixel along an axis at as many places as its kernel is long."""
    step = identity_layer(name, "copy", maker)
    (high, wide), shape = kernel, step.layer.shape
    shape = dataclasses.replace(shape, kernel=kernel, padding=(high - 1, wide - 1, high - 1, wide - 1))
    layer = dataclasses.replace(step.layer, shape=shape)
    return dataclasses.replace(step, layer=layer, operands=ones(shape, np.float32(1)), target=target, target_type=kind)
