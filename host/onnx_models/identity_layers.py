"""Layers that leave what they take, on whose way out is done what stands behind another layer and is no part of it.

They are convolutions of each channel by itself with one tap and a weight of one. A byte less its zero point, plus the
zero point, is that byte.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from wingrid.host.networks.layer import Convolution, Layer, Operands, matrix_product
from wingrid.host.onnx_models.graph import IMAGES, AcceleratedStep


def identity_layer(name: str, operator: str, maker: AcceleratedStep) -> AcceleratedStep:
    """A layer that takes the tensor that ``maker`` leaves, or leaves a part of, and leaves the same once more.

    Its ``target`` is its ``source`` until something is made part of it. It stands for no nodes yet.
    """
    kind, zero_point = maker.target_type, maker.target_zero_point
    if maker.arrangement == IMAGES:
        images, channels, *size = kind.shape
        height, width = (1, *size)[-2:]
        shape = Convolution(channels, height, width, channels, groups=channels, images=images)
    else:
        channels = kind.shape[-1]
        rows = matrix_product(int(np.prod(kind.shape[:-1], dtype=np.int64)), channels, channels)
        shape = dataclasses.replace(rows, groups=channels)
    return AcceleratedStep(
        Layer(name, operator, shape, zero_point, zero_point),
        ones(shape, np.float32(1)),
        maker.arrangement,
        maker.target,
        maker.target,
        kind,
        kind,
        (),
        source_scale=maker.target_scale,
        target_scale=maker.target_scale,
        target_zero=zero_point,
        model_macs=0,
    )


def selecting_layer(
    name: str, maker: AcceleratedStep, channels: Sequence[int], offsets: Sequence[tuple[int, int]] = ()
) -> AcceleratedStep:
    """A layer that leaves those ``channels`` of the images that ``maker`` leaves, in that order.

    Where there are ``offsets``, it leaves of each the pixels so many rows and columns further, by a kernel that reaches
    to the furthest. Its target is its source, and of the same type, as ``identity_layer`` has it.
    """
    step = identity_layer(name, "copy", maker)
    every = step.layer.shape.channels
    if tuple(channels) == tuple(range(every)) and not offsets:
        return step
    down, across = np.array(offsets or [(0, 0)] * len(channels)).T
    high, wide = int(down.max()) + 1, int(across.max()) + 1
    weights = np.zeros((len(channels), every, high, wide), np.int8)
    weights[np.arange(len(channels)), list(channels), down, across] = 1
    shape = dataclasses.replace(
        step.layer.shape,
        kernels=len(channels),
        kernel=(high, wide),
        padding=(0, 0, high - 1, wide - 1),
        groups=1,
    )
    operands = Operands(weights, np.zeros(len(channels), np.int32), np.ones(len(channels), np.float32))
    return dataclasses.replace(step, layer=dataclasses.replace(step.layer, shape=shape), operands=operands)


def ones(shape: Convolution, scale: np.float32) -> Operands:
    """Weights of one for each channel by itself, and no bias."""
    weights = np.ones((shape.kernels, 1, *shape.kernel), np.int8)
    return Operands(weights, np.zeros(shape.kernels, np.int32), np.full(shape.kernels, scale, np.float32))
