"""Pooling as layers of the accelerator: max pooling that no layer takes with it, and averages.

Both are convolutions of each channel by itself. Max pooling is behind one that changes nothing; averages are sums of
windows, requantised by a scale with which every sum that a window can have gives ONNX Runtime's own result.

ONNX Runtime adds bytes for QLinearGlobalAveragePool, so that its result is a function of the sum. For
QLinearAveragePool it adds floating point numbers: there a node is only taken if no sum is so near to a tie that
rounding could decide.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime

from wingrid.host.networks.layer import Convolution, Layer, Operands, Pool
from wingrid.host.onnx_models.graph import IMAGES, AcceleratedStep, signed
from wingrid.host.onnx_models.nodes import attributes_of, padding_of
from wingrid.host.onnx_models.refusal import NotAccelerable
from wingrid.host.onnx_models.session import compute, model_of, open_session, type_of
from wingrid.host.onnx_models.shapes import TensorType
from wingrid.hw.isa import LARGEST_KERNEL
from wingrid.sim.cache import cached, key
from wingrid.sim.golden.requantise import requantise

AVERAGES = ("QLinearAveragePool", "QLinearGlobalAveragePool")
"""ONNX Runtime's operators on quantised tensors, of the domain com.microsoft."""

LOWEST = -128
"""What pads an image before its maxima are taken: no value is less."""

PIECE = 1 << 24
"""Bytes of input that ONNX Runtime is asked about at once."""

MOST = 1 << 30
"""Bytes of input that it is asked about for one node; larger windows stay on the host."""

ARRANGEMENTS = 3
"""In which each sum is asked about."""

UNIT_ROUNDOFF = 2.0**-24
"""Of binary32: the most that rounding changes a number, relative to it."""

ULPS = 4
"""Neighbours, to either side, of the scale that arithmetic suggests."""


def max_pooling(
    node: onnx.NodeProto, types: Mapping[str, TensorType], maker: AcceleratedStep | None
) -> AcceleratedStep:
    """A MaxPool by itself: a convolution that changes nothing, with the pooling behind it.

    ``maker`` is the layer that leaves its input, if one does, and knows what the bytes stand for. Raises
    ``NotAccelerable`` for what the machine's pooling cannot do.
    """
    taken, left = _tensors(node, types)
    if len([name for name in node.output if name]) > 1:
        raise NotAccelerable("max pooling that tells where its maxima were is not the accelerator's")
    attributes, sizes = attributes_of(node), taken.shape[2:]
    kernel = attributes["kernel_shape"]
    strides, dilations = (list(attributes.get(name, [1, 1])) for name in ("strides", "dilations"))
    if kernel[0] != kernel[1] or strides[0] != strides[1] or dilations != [1, 1]:
        raise NotAccelerable("max pooling over windows that are not square, or dilated, is not the accelerator's")
    top, first, *_ = padding_of(attributes, sizes, kernel, strides, dilations)
    # As far as the last window goes, which may overhang with ceil_mode.
    bottom, last = (
        max(0, (outputs - 1) * strides[0] + kernel[0] - size - before)
        for outputs, size, before in zip(left.shape[2:], sizes, (top, first), strict=True)
    )
    images, channels, height, width = taken.shape
    # A window of one pixel is a step of the convolution.
    pool = Pool(kernel[0], strides[0]) if kernel[0] > 1 else None
    shape = Convolution(
        channels, height, width, channels, stride=(1, 1) if pool else (strides[0], strides[1]),
        padding=(top, first, bottom, last), groups=channels, images=images,
    )  # fmt: skip
    known = maker.target_zero_point if maker else LOWEST
    zero_point = LOWEST if any(shape.padding) else known
    layer = Layer(node.name, "maxpool", shape, zero_point, zero_point, pool=pool)
    if layer.output_shape != left.shape:
        raise NotAccelerable(f"max pooling from {list(taken.shape)} to {list(left.shape)} is not the accelerator's")
    scale = maker.target_scale if maker else 0.0
    step = _step(node, layer, _ones(shape, np.float32(1)), (taken, left), (scale, scale))
    return dataclasses.replace(step, target_zero=known)


def average_pooling(
    node: onnx.NodeProto,
    constants: Mapping[str, npt.NDArray],
    types: Mapping[str, TensorType],
    model: onnx.ModelProto,
) -> AcceleratedStep:
    """An average over windows: their sums, and a scale with which every sum becomes what ONNX Runtime makes of it.

    Raises ``NotAccelerable`` where windows differ in size, or no scale does.
    """
    taken, left = _tensors(node, types)
    attributes, sizes = attributes_of(node), taken.shape[2:]
    if attributes.get("channels_last", 0):
        raise NotAccelerable("an average over the middle axes is not the accelerator's")
    if node.op_type == "QLinearGlobalAveragePool":
        kernel, strides, pads = list(sizes), [1, 1], [0, 0, 0, 0]
    else:
        kernel = list(attributes["kernel_shape"])
        strides, dilations = (list(attributes.get(name, [1, 1])) for name in ("strides", "dilations"))
        pads = padding_of(attributes, sizes, kernel, strides, dilations)
        if dilations != [1, 1] or attributes.get("ceil_mode", 0):
            raise NotAccelerable("an average over windows that are dilated, or overhang, is not the accelerator's")
        if any(pads) and not attributes.get("count_include_pad", 0):
            raise NotAccelerable("an average that leaves out padding has windows of several sizes")
    if max(kernel) > LARGEST_KERNEL:
        raise NotAccelerable(
            f"a window of {kernel[0]}x{kernel[1]} pixels is larger than {LARGEST_KERNEL} along an axis"
        )
    x_scale, x_zero, y_scale, y_zero = (constants.get(name) for name in node.input[1:5])
    if x_scale is None or x_zero is None or y_scale is None or y_zero is None:
        raise NotAccelerable("scales and zero points that are no constants")
    images, channels, height, width = taken.shape
    shape = Convolution(
        channels, height, width, channels, (kernel[0], kernel[1]), (strides[0], strides[1]),
        (pads[0], pads[1], pads[2], pads[3]), groups=channels, images=images,
    )  # fmt: skip
    zero_points = int(signed(x_zero.reshape(())[()])), int(signed(y_zero.reshape(())[()]))
    scale = _scale(node, constants, model, kernel, (float(x_scale), float(y_scale)), zero_points, taken.dtype)
    layer = Layer(node.name, "avgpool", shape, *zero_points)
    return _step(node, layer, _ones(shape, scale), (taken, left), (float(x_scale), float(y_scale)))


def _tensors(node: onnx.NodeProto, types: Mapping[str, TensorType]) -> tuple[TensorType, TensorType]:
    """What the node takes and leaves. Raises ``NotAccelerable`` unless both are images of bytes of one type."""
    taken, left = types[node.input[0]], types[node.output[0]]
    if taken.dtype not in (np.int8, np.uint8) or left.dtype != taken.dtype:
        raise NotAccelerable(f"pooling of {taken.dtype} to {left.dtype}: the accelerator's tensors have 8 bits")
    if len(taken.shape) != 4:
        raise NotAccelerable(f"pooling over {len(taken.shape) - 2} axes is not the accelerator's")
    return taken, left


def _ones(shape: Convolution, scale: np.float32) -> Operands:
    weights = np.ones((shape.kernels, 1, *shape.kernel), np.int8)
    return Operands(weights, np.zeros(shape.kernels, np.int32), np.full(shape.kernels, scale, np.float32))


def _step(
    node: onnx.NodeProto,
    layer: Layer,
    operands: Operands,
    tensors: tuple[TensorType, TensorType],
    scales: tuple[float, float],
) -> AcceleratedStep:
    return AcceleratedStep(
        layer, operands, IMAGES, node.input[0], node.output[0], *tensors, (node.name,), None, *scales
    )


def _scale(
    node: onnx.NodeProto,
    constants: Mapping[str, npt.NDArray],
    model: onnx.ModelProto,
    kernel: Sequence[int],
    scales: tuple[float, float],
    zero_points: tuple[int, int],
    dtype: np.dtype,
) -> np.float32:
    """The scale with which every sum of a window becomes ONNX Runtime's average, from the cache if it was found before.

    Raises ``NotAccelerable``.
    """
    pixels = math.prod(kernel)
    if 255 * pixels * pixels > MOST:
        raise NotAccelerable(f"windows of {pixels} pixels have more sums than can be compared")
    if node.op_type == "QLinearAveragePool" and _near_a_tie(pixels, scales, zero_points):
        raise NotAccelerable("some sums of its windows are so near to a tie that ONNX Runtime's rounding decides")
    question = (onnxruntime.__version__, node.op_type, pixels, *map(float.hex, scales), *zero_points, dtype.name)

    def ask(folder: Path) -> Path:
        answers = _averages(node, constants, model, kernel, dtype)
        found = None if answers is None else _fitting(answers, pixels, scales, zero_points)
        answer = folder / "scale"
        answer.write_text(float.hex(float(found)) if found is not None else "")
        return answer

    answer = cached(f"averages/{key(*map(str, question))}", ask).read_text()
    if not answer:
        raise NotAccelerable("no scale turns the sums of windows into ONNX Runtime's averages")
    return np.float32(float.fromhex(answer))


def _averages(
    node: onnx.NodeProto,
    constants: Mapping[str, npt.NDArray],
    model: onnx.ModelProto,
    kernel: Sequence[int],
    dtype: np.dtype,
) -> npt.NDArray[np.int8] | None:
    """ONNX Runtime's average for every sum of a window; ``None`` if it depends on more than that."""
    pixels = math.prod(kernel)
    answers = np.zeros(255 * pixels + 1, np.int8)
    source, target = node.input[0], node.output[0]
    # Of any number of channels.
    kind = type_of(source, np.zeros((1, 1, *kernel), dtype))
    kind.tensor_type.shape.dim[1].dim_param = "windows"
    session = open_session(model_of([_alone(node, kernel)], {source: kind}, constants, [target], model))
    for order in range(ARRANGEMENTS):
        for sums, planes in _windows(pixels, dtype, order):
            x = planes.reshape(1, len(sums), *kernel)
            found = signed(compute(session, {source: x})[target]).reshape(-1)
            if order and not np.array_equal(answers[sums], found):
                return None
            answers[sums] = found
    return answers


def _fitting(
    answers: npt.NDArray[np.int8], pixels: int, scales: tuple[float, float], zero_points: tuple[int, int]
) -> np.float32 | None:
    """A scale with which requantisation has these answers for all sums, if there is one."""
    # Of what the zero point has been taken from.
    sums = np.arange(len(answers)) + pixels * (-128 - zero_points[0])
    middle = np.float32(scales[0]) / (np.float32(scales[1]) * np.float32(pixels))
    for candidate in _neighbours(np.float32(middle)):
        if np.array_equal(requantise(sums[None], candidate.reshape(1), zero_point=zero_points[1])[0], answers):
            return candidate
    return None


def _alone(node: onnx.NodeProto, kernel: Sequence[int]) -> onnx.NodeProto:
    """The node over a single window."""
    alone = onnx.NodeProto()
    alone.CopyFrom(node)
    for attribute in alone.attribute:
        if attribute.name == "pads":
            attribute.ints[:] = [0] * 2 * len(kernel)
        if attribute.name == "auto_pad":
            attribute.s = b"VALID"
    return alone


def _windows(pixels: int, dtype: np.dtype, order: int) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray]]:
    """Every sum of so many bytes, counted from the lowest ones, and a window that has it; some at a time.

    In orders 0 and 1 its values are as equal as can be, the larger ones first or last; in order 2 as different.
    """
    lowest = np.iinfo(dtype).min
    places = np.arange(pixels)
    step = max(1, PIECE // pixels)
    for start in range(0, 255 * pixels + 1, step):
        sums = np.arange(start, min(start + step, 255 * pixels + 1))
        if order < 2:
            base, more = np.divmod(sums[:, None], pixels)
            values = base + (places < more)
            values = values if order == 0 else values[:, ::-1]
        else:
            values = np.clip(sums[:, None] - 255 * places, 0, 255)
        yield sums, (values + lowest).astype(dtype)


def _near_a_tie(pixels: int, scales: tuple[float, float], zero_points: tuple[int, int]) -> bool:
    """Whether an average, worked out in floating point, may be rounded one way or the other as its terms lie.

    A window's value goes through a rounding as it is dequantised, one for each addition, and a few to be averaged and
    quantised again. They matter most, relative to the sum, for the window whose values are the most different.
    """
    zero = zero_points[0] + 128
    sums = np.arange(255 * pixels + 1)
    full, rest = np.divmod(sums, 255)
    others = np.maximum(pixels - full - 1, 0)
    sizes = full * (255 - zero) + np.where(full < pixels, np.abs(rest - zero), 0) + others * zero
    factor = scales[0] / (pixels * scales[1])
    averages = (sums - pixels * zero) * factor
    errors = (pixels + 4) * UNIT_ROUNDOFF * sizes * factor
    return bool((np.abs(averages - np.floor(averages) - 0.5) <= errors).any())


def _neighbours(scale: np.float32) -> Iterator[np.float32]:
    """The scale, and float32 numbers around it, the nearest first."""
    yield scale
    below = above = scale
    for _ in range(ULPS):
        below, above = np.nextafter(below, np.float32(0)), np.nextafter(above, np.float32(np.inf))
        yield below
        yield above
