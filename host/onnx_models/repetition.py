"""Layers that leave each row, or each column, of images several times, one after the other."""

from __future__ import annotations

import dataclasses

from wingrid.host.networks.layer import LayerError, Surface
from wingrid.host.onnx_models.graph import AcceleratedStep, Part
from wingrid.host.onnx_models.identity_layers import identity_layer
from wingrid.host.onnx_models.shapes import TensorType


def repeated_rows(name: str, maker: AcceleratedStep, target: str, times: int) -> list[AcceleratedStep]:
    """Of the tensor [images, C, H, W] that ``maker`` leaves, as ``target`` [images, C, times * H, W]."""
    images, channels, height, width = maker.target_type.shape
    kind = TensorType(maker.target_type.dtype, (images, channels, height * times, width))
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
    if images > 1:
        raise LayerError("columns of a single image are repeated, and no others")
    kind = TensorType(maker.target_type.dtype, (1, channels, height, width * times))
    steps = []
    for column in range(times):
        copy = identity_layer(f"{name} column {column}", "copy", maker)
        shape = dataclasses.replace(copy.layer.shape, height=height * width, width=1)
        layer = dataclasses.replace(copy.layer, shape=shape, surface=Surface(height * width * times, 1, times))
        part = Part(column=column, column_step=times)
        step = dataclasses.replace(copy, layer=layer, target=target, target_type=kind, part=part, in_a_column=True)
        steps.append(step)
    return steps
