"""Max pooling that no layer takes with it: a convolution of each channel by itself that changes nothing, and pools.

The machine pools over square windows, as far apart along rows as along columns. Windows whose strides differ are all
taken that lie on a common one, and a layer behind leaves those that are wanted. Before a window of one row its row is
repeated until it is square, and a column likewise; any other is one along rows and then one along columns.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

import numpy as np
import onnx

from wingrid.host.compiler.cutting import Cutting
from wingrid.host.networks.layer import Convolution, Layer, Pair, Pool
from wingrid.host.onnx_models.graph import AcceleratedStep
from wingrid.host.onnx_models.identity_layers import identity_layer, ones
from wingrid.host.onnx_models.pooling_windows import Window, plane, pooled_tensors, pooling_step
from wingrid.host.onnx_models.refusal import NotAccelerable
from wingrid.host.onnx_models.repetition import repeated_columns, repeated_rows
from wingrid.host.onnx_models.shapes import TensorType

LOWEST = -128
"""What pads an image before its maxima are taken: no value is less."""


def max_pooling(node: onnx.NodeProto, types: Mapping[str, TensorType], maker: AcceleratedStep) -> list[AcceleratedStep]:
    """A MaxPool by itself.

    ``maker`` is the layer that leaves its input, and knows what the bytes stand for. Raises
    ``NotAccelerable`` for what the machine's pooling cannot do.
    """
    taken, left = pooled_tensors(node, types)
    if len([name for name in node.output if name]) > 1:
        raise NotAccelerable("max pooling that tells where its maxima were is not the accelerator's")
    window = Window.of(node, taken)
    if window.dilated:
        raise NotAccelerable("max pooling over windows that are dilated is not the accelerator's")
    kernel, strides = window.kernel, window.strides
    if len(taken.shape) == 3:
        # Windows along a line reach over rows of padding.
        kernel, strides = (kernel[1], kernel[1]), (strides[1], strides[1])
    steps = _pooled(node.name, maker, node.output[0], left, kernel, strides, window.pads[:2])
    if any(step.layer.surface and Cutting.of(step.layer.shape) for step in steps):
        raise NotAccelerable("its image is too large for one piece")
    return [dataclasses.replace(step, nodes=(node.name,)) for step in steps]


def _pooled(
    name: str,
    maker: AcceleratedStep,
    target: str,
    left: TensorType,
    kernel: Pair,
    strides: Pair,
    before: Pair,
) -> list[AcceleratedStep]:
    """Layers that pool what ``maker`` leaves, with so much padding above and left of it, to ``target``."""
    (high, wide), (down, across), taken = kernel, strides, maker.target_type
    if high == wide and down == across:
        return [_square(name, maker, target, left, high, down, before)]
    if high == wide:
        common = math.gcd(down, across)
        rows, columns = plane(left)
        size = (rows - 1) * down // common + 1, (columns - 1) * across // common + 1
        kind = TensorType(left.dtype, (*left.shape[:2], *size))
        every = _square(f"{name} every window", maker, f"{target} every window", kind, high, common, before)
        chosen = identity_layer(name, "copy", every)
        shape = dataclasses.replace(chosen.layer.shape, stride=(down // common, across // common))
        layer = dataclasses.replace(chosen.layer, shape=shape)
        return [every, dataclasses.replace(chosen, layer=layer, target=target, target_type=left)]
    if 1 not in kernel:
        kind = TensorType(left.dtype, (*taken.shape[:3], left.shape[3]))
        along = _pooled(
            f"{name} along rows", maker, f"{target} along rows", kind, (1, wide), (1, across), (0, before[1])
        )
        return [*along, *_pooled(name, along[-1], target, left, (high, 1), (down, 1), (before[0], 0))]
    side, tensor = max(kernel), f"{target} repeated"
    if wide > 1:
        repeated = repeated_rows(name, maker, tensor, side)
        strides = (down * side, across)
    else:
        repeated = repeated_columns(name, maker, tensor, side)
        strides = (down, across * side)
    return [*repeated, *_pooled(name, repeated[-1], target, left, (side, side), strides, before)]


def _square(
    name: str, maker: AcceleratedStep, target: str, left: TensorType, side: int, stride: int, before: Pair
) -> AcceleratedStep:
    """A layer that pools over square windows."""
    taken = maker.target_type
    (height, width), (images, channels) = plane(taken), taken.shape[:2]
    # As far as the last window goes, which may overhang with ceil_mode.
    bottom, last = (
        max(0, (outputs - 1) * stride + side - size - padding)
        for outputs, size, padding in zip(plane(left), (height, width), before, strict=True)
    )
    # A window of one pixel is a step of the convolution.
    pool = Pool(side, stride) if side > 1 else None
    shape = Convolution(
        channels, height, width, channels, stride=(1, 1) if pool else (stride, stride),
        padding=(*before, bottom, last), groups=channels, images=images,
    )  # fmt: skip
    zero_point = LOWEST if any(shape.padding) else maker.target_zero_point
    layer = Layer(name, "maxpool", shape, zero_point, zero_point, pool=pool)
    if layer.output_shape[2:] != plane(left):
        raise NotAccelerable(f"max pooling from {list(taken.shape)} to {list(left.shape)} is not the accelerator's")
    scales = (maker.target_scale, maker.target_scale)
    step = pooling_step(layer, ones(shape, np.float32(1)), (maker.target, target), (taken, left), scales)
    return dataclasses.replace(step, target_zero=maker.target_zero_point)
