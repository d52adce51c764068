"""Pooling as layers of the accelerator: max pooling that no layer takes with it, and averages.

Both are convolutions of each channel by itself. Max pooling is behind one that changes nothing; averages are sums of
windows, requantised by a scale with which every sum that a window can have gives ONNX Runtime's own result.

ONNX Runtime adds bytes for QLinearGlobalAveragePool, so that its result is a function of the sum. For
QLinearAveragePool it adds floating point numbers: there a node is only taken if the scale has so few bits that these
sums are exact, or no sum is so near to a tie that rounding could decide.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper

from wingrid.host.networks.layer import Convolution, Layer, Operands, Pair, Pool, Surface
from wingrid.host.onnx_models.graph import IMAGES, AcceleratedStep, Part, signed
from wingrid.host.onnx_models.identity_layers import ones
from wingrid.host.onnx_models.nodes import attributes_of, padding_of
from wingrid.host.onnx_models.proofs import proof
from wingrid.host.onnx_models.refusal import NotAccelerable
from wingrid.host.onnx_models.rounding import neighbours
from wingrid.host.onnx_models.session import compute, model_of, open_session, type_of
from wingrid.host.onnx_models.shapes import TensorType
from wingrid.host.onnx_models.short_scales import sums_are_exact
from wingrid.hw.isa import LARGEST_KERNEL
from wingrid.sim.golden.requantise import requantise

AVERAGES = ("QLinearAveragePool", "QLinearGlobalAveragePool")
"""ONNX Runtime's operators on quantised tensors, of the domain com.microsoft."""

LOWEST = -128
"""What pads an image before its maxima are taken: no value is less."""

PIECE = 1 << 24
"""Bytes of input that ONNX Runtime is asked about at once."""

EVERY = 1 << 15
"""Sums of a window of which ONNX Runtime is asked for each. Of more, it is asked for those about which arithmetic has
one result on one side and another one on the other: results never fall as sums grow."""

MARGIN = 4
"""Sums to either side of such a place: more than ``neighbours`` of a scale can move it by."""

ARRANGEMENTS = 3
"""In which each sum is asked about."""

UNIT_ROUNDOFF = 2.0**-24
"""Of binary32: the most that rounding changes a number, relative to it."""


def is_pooling(node: onnx.NodeProto) -> bool:
    """Whether the node pools, and might be a layer of its own."""
    return node.op_type in AVERAGES or (node.op_type == "MaxPool" and node.domain in ("", "ai.onnx"))


def max_pooling(node: onnx.NodeProto, types: Mapping[str, TensorType], maker: AcceleratedStep) -> AcceleratedStep:
    """A MaxPool by itself: a convolution that changes nothing, with the pooling behind it.

    ``maker`` is the layer that leaves its input, and knows what the bytes stand for. Raises
    ``NotAccelerable`` for what the machine's pooling cannot do.
    """
    taken, left = _tensors(node, types)
    if len([name for name in node.output if name]) > 1:
        raise NotAccelerable("max pooling that tells where its maxima were is not the accelerator's")
    window = _Window.of(node, taken)
    (height, width), side = window.sizes, max(window.kernel)
    # Windows along a line reach over rows of padding.
    line = len(taken.shape) == 3
    if window.dilated or (not line and (window.kernel[0] != side or window.strides[0] != window.strides[1])):
        raise NotAccelerable("max pooling over windows that are not square, or dilated, is not the accelerator's")
    step = window.strides[1]
    top, first = window.pads[:2]
    # As far as the last window goes, which may overhang with ceil_mode.
    bottom, last = (
        max(0, (outputs - 1) * step + side - size - before)
        for outputs, size, before in zip(_plane(left), window.sizes, (top, first), strict=True)
    )
    images, channels = taken.shape[:2]
    # A window of one pixel is a step of the convolution.
    pool = Pool(side, step) if side > 1 else None
    shape = Convolution(
        channels, height, width, channels, stride=(1, 1) if pool else (step, step),
        padding=(top, first, bottom, last), groups=channels, images=images,
    )  # fmt: skip
    zero_point = LOWEST if any(shape.padding) else maker.target_zero_point
    layer = Layer(node.name, "maxpool", shape, zero_point, zero_point, pool=pool)
    if layer.output_shape[2:] != _plane(left):
        raise NotAccelerable(f"max pooling from {list(taken.shape)} to {list(left.shape)} is not the accelerator's")
    scales = (maker.target_scale, maker.target_scale)
    layer_step = _step(node, layer, ones(shape, np.float32(1)), (taken, left), scales)
    return dataclasses.replace(layer_step, target_zero=maker.target_zero_point)


def average_pooling(
    node: onnx.NodeProto,
    constants: Mapping[str, npt.NDArray],
    types: Mapping[str, TensorType],
    model: onnx.ModelProto,
) -> list[AcceleratedStep]:
    """An average over windows: their sums, and a scale with which every sum becomes what ONNX Runtime makes of it.

    Windows of several sizes, where padding is left out, are a layer for each size. Raises ``NotAccelerable`` where no
    scale does.
    """
    taken, left = _tensors(node, types)
    attributes, size = attributes_of(node), _plane(left)
    if attributes.get("channels_last", 0):
        raise NotAccelerable("an average over the middle axes is not the accelerator's")
    window = _Window.of(node, taken)
    if window.dilated:
        raise NotAccelerable("an average over windows that are dilated is not the accelerator's")
    if max(window.kernel) > LARGEST_KERNEL:
        kernel = "x".join(map(str, window.kernel))
        raise NotAccelerable(f"a window of {kernel} pixels is larger than {LARGEST_KERNEL} along an axis")
    x_scale, x_zero, y_scale, y_zero = (constants.get(name) for name in node.input[1:5])
    if x_scale is None or x_zero is None or y_scale is None or y_zero is None:
        raise NotAccelerable("scales and zero points that are no constants")
    scales = float(x_scale), float(y_scale)
    zero_points = int(signed(x_zero.reshape(())[()])), int(signed(y_zero.reshape(())[()]))
    included = bool(attributes.get("count_include_pad", 0))
    rows, columns = (window.along(axis, size[axis], included=included) for axis in (0, 1))
    regions = [(down, across) for down in rows for across in columns]
    # A single window without padding comes from another kernel of ONNX Runtime than all others.
    asked = (1, 2) if any(window.pads) and size == (1, 1) else size
    steps = []
    for number, (down, across) in enumerate(regions):
        question = _Question(node, (down.pixels, across.pixels), asked, scales, zero_points, taken)
        rounding = question.answered(constants, model)
        shape = Convolution(
            taken.shape[1], *window.sizes, taken.shape[1], window.kernel, window.strides,
            (down.before, across.before, down.after, across.after), groups=taken.shape[1], images=taken.shape[0],
        )  # fmt: skip
        alone = len(regions) == 1
        layer = Layer(
            node.name if alone else f"{node.name} part {number}", "avgpool", shape, zero_points[0], rounding.zero_point,
            surface=None if alone else Surface(*size), alike=True,
        )  # fmt: skip
        operands = ones(shape, rounding.scale)
        operands = dataclasses.replace(operands, bias=np.full(shape.kernels, rounding.bias, np.int32))
        step = _step(node, layer, operands, (taken, left), scales)
        part = None if alone else Part(0, down.first, across.first)
        steps.append(dataclasses.replace(step, target_zero=zero_points[1], part=part))
    return steps


def _plane(kind: TensorType) -> Pair:
    """Height and width of an image; a line is an image of one row."""
    height, width = (1, *kind.shape[2:])[-2:]
    return height, width


@dataclass(frozen=True)
class _Window:
    """What a node pools over, along the rows and columns of its input."""

    sizes: Pair
    kernel: Pair
    strides: Pair
    pads: tuple[int, int, int, int]
    """Top, left, bottom, right."""
    dilated: bool

    @classmethod
    def of(cls, node: onnx.NodeProto, taken: TensorType) -> _Window:
        sizes = _plane(taken)
        if node.op_type == "QLinearGlobalAveragePool":
            return cls(sizes, sizes, (1, 1), (0, 0, 0, 0), dilated=False)
        attributes = attributes_of(node)
        kernel = list(attributes["kernel_shape"])
        axes = len(kernel)
        strides, dilations = (list(attributes.get(name, [1] * axes)) for name in ("strides", "dilations"))
        pads = padding_of(attributes, taken.shape[2:], kernel, strides, dilations)
        starts, ends = pads[:axes], pads[axes:]
        top, bottom = (starts[0], ends[0]) if axes > 1 else (0, 0)
        (kernel_y, kernel_x), (stride_y, stride_x) = (1, *kernel)[-2:], (1, *strides)[-2:]
        pads = [top, starts[-1], bottom, ends[-1]]
        return cls(
            sizes,
            (kernel_y, kernel_x),
            (stride_y, stride_x),
            (pads[0], pads[1], pads[2], pads[3]),
            dilated=any(dilation > 1 for dilation in dilations),
        )

    def along(self, axis: int, outputs: int, *, included: bool) -> list[_Windows]:
        """All windows of an axis, in order. Raises ``NotAccelerable`` where one averages no pixel.

        With ``included``, padding before and after counts as pixels, so that all windows have as many.
        """
        (before, after), size = self.pads[axis::2], self.sizes[axis]
        side, stride = self.kernel[axis], self.strides[axis]
        starts = [output * stride - before for output in range(outputs)]
        counts = [side if included else min(start + side, size) - max(start, 0) for start in starts]
        if min(counts) < 1 or (included and starts[-1] + side > size + after):
            raise NotAccelerable("an average over windows that overhang is not the accelerator's")
        found = []
        for pixels, group in itertools.groupby(range(outputs), counts.__getitem__):
            first, *_, last = (*group,) * 2
            found.append(_Windows(first, pixels, -starts[first], starts[last] + side - size))
        return found


@dataclass(frozen=True)
class _Windows:
    """Successive windows along an axis of which each averages the same number of pixels."""

    first: int
    pixels: int
    before: int
    """Padding before the first of them, negative where that many pixels are left out."""
    after: int


def _tensors(node: onnx.NodeProto, types: Mapping[str, TensorType]) -> tuple[TensorType, TensorType]:
    """What the node takes and leaves. Raises ``NotAccelerable`` unless both are images of bytes of one type."""
    taken, left = types[node.input[0]], types[node.output[0]]
    if taken.dtype not in (np.int8, np.uint8) or left.dtype != taken.dtype:
        raise NotAccelerable(f"pooling of {taken.dtype} to {left.dtype}: the accelerator's tensors have 8 bits")
    if len(taken.shape) not in (3, 4):
        raise NotAccelerable(f"pooling over {len(taken.shape) - 2} axes is not the accelerator's")
    return taken, left


def _step(
    node: onnx.NodeProto,
    layer: Layer,
    operands: Operands,
    tensors: tuple[TensorType, TensorType],
    scales: tuple[float, float],
) -> AcceleratedStep:
    source, target = node.input[0], node.output[0]
    return AcceleratedStep(layer, operands, IMAGES, source, target, *tensors, (node.name,), None, *scales, model_macs=0)


@dataclass(frozen=True)
class _Rounding:
    """How sums of a window become averages: (sum + bias) * scale, rounded half to even, and then the zero point."""

    scale: np.float32
    bias: int
    zero_point: int

    def of(self, sums: npt.NDArray[np.int64]) -> npt.NDArray[np.int8]:
        """For sums of bytes less their zero point."""
        return requantise((sums + self.bias)[None], np.full(1, self.scale, np.float32), zero_point=self.zero_point)[0]


@dataclass(frozen=True)
class _Question:
    """What ONNX Runtime is asked about a node: the average of each sum of a window of this ``kernel``.

    ``size`` is that of the images to ask about, in windows.
    """

    node: onnx.NodeProto
    kernel: tuple[int, int]
    size: Sequence[int]
    scales: tuple[float, float]
    zero_points: tuple[int, int]
    taken: TensorType

    @property
    def pixels(self) -> int:
        return math.prod(self.kernel)

    def answered(self, constants: Mapping[str, npt.NDArray], model: onnx.ModelProto) -> _Rounding:
        """The rounding that gives ONNX Runtime's average of every sum, from the cache if it was found before.

        Raises ``NotAccelerable``.
        """
        added = self.node.op_type == "QLinearGlobalAveragePool" or sums_are_exact(self.scales[0], 255 * self.pixels)
        if not added and _near_a_tie(self.pixels, self.scales, self.zero_points):
            raise NotAccelerable("some sums of its windows are so near to a tie that ONNX Runtime's rounding decides")
        question = (
            self.node.op_type, *self.kernel, *self.size, *map(float.hex, self.scales), *self.zero_points,
            self.taken.dtype.name, len(self.taken.shape),
        )  # fmt: skip

        def ask(answer: Path) -> None:
            sums = self._sums()
            answers = self._averages(constants, model, sums)
            found = None if answers is None else self._fitting(sums, answers)
            answer.write_text(f"{float.hex(float(found.scale))} {found.bias} {found.zero_point}" if found else "")

        answer = proof("averages", __file__, tuple(map(str, question)), ask).read_text().split()
        if not answer:
            raise NotAccelerable("no scale turns the sums of windows into ONNX Runtime's averages")
        return _Rounding(np.float32(float.fromhex(answer[0])), int(answer[1]), int(answer[2]))

    def _sums(self) -> npt.NDArray[np.int64]:
        """The sums, counted from the lowest bytes, about which ONNX Runtime is asked."""
        every = np.arange(255 * self.pixels + 1)
        if len(every) <= EVERY:
            return every
        results = next(self._candidates()).of(self._centred(every)).astype(np.int16)
        changes = np.flatnonzero(np.diff(results))
        near = changes[:, None] + np.arange(1 - MARGIN, 1 + MARGIN)
        return np.unique(np.clip(np.append(near, [0, every[-1]]), 0, every[-1]))

    def _centred(self, sums: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Sums less the zero point, as often as a window has pixels."""
        return sums + self.pixels * (-128 - self.zero_points[0])

    def _averages(
        self, constants: Mapping[str, npt.NDArray], model: onnx.ModelProto, sums: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.int8] | None:
        """ONNX Runtime's average for these sums of a window; ``None`` if it depends on more than that."""
        answers = np.zeros(len(sums), np.int8)
        source, target = self.node.input[0], self.node.output[0]
        # As many windows side by side as the node leaves pixels, in any number of channels.
        (rows, columns), (height, width) = self.size, self.kernel
        axes = len(self.taken.shape) - 2
        plane = (rows * height, columns * width)[-axes:]
        kind = type_of(source, np.zeros((1, 1, *plane), self.taken.dtype))
        kind.tensor_type.shape.dim[1].dim_param = "channels"
        alone = _alone(self.node, self.kernel[-axes:])
        session = open_session(model_of([alone], {source: kind}, constants, [target], model))
        step = max(1, PIECE // (rows * columns * self.pixels)) * rows * columns
        for order in range(ARRANGEMENTS):
            for start in range(0, len(sums), step):
                piece = slice(start, start + step)
                windows = _windows(sums[piece], self.pixels, self.taken.dtype, order)
                count = len(windows)
                windows = np.resize(windows, (-(-count // (rows * columns)) * rows * columns, self.pixels))
                images = windows.reshape(1, -1, rows, columns, height, width).swapaxes(3, 4)
                x = np.ascontiguousarray(images).reshape(1, -1, *plane)
                found = signed(compute(session, {source: x})[target]).reshape(-1)[:count]
                if order and not np.array_equal(answers[piece], found):
                    return None
                answers[piece] = found
        return answers

    def _fitting(self, sums: npt.NDArray[np.int64], answers: npt.NDArray[np.int8]) -> _Rounding | None:
        """A rounding that has these answers for these sums, if there is one."""
        for candidate in self._candidates():
            if np.array_equal(candidate.of(self._centred(sums)), answers):
                return candidate
        return None

    def _candidates(self) -> Iterator[_Rounding]:
        """Roundings with the scale that arithmetic suggests, and numbers around it.

        ONNX Runtime rounds with the zero point added, so that of a tie the even byte is taken. With one added to the
        average, and the zero point one less, that is so if the zero point is odd.
        """
        middle = np.float32(np.float32(self.scales[0]) / (np.float32(self.scales[1]) * np.float32(self.pixels)))
        zero_point = self.zero_points[1]
        for scale in neighbours(middle):
            yield _Rounding(scale, 0, zero_point)
            if zero_point % 2:
                yield _Rounding(scale, round(1 / float(scale)), zero_point - 1)


def _alone(node: onnx.NodeProto, kernel: Sequence[int]) -> onnx.NodeProto:
    """The node over windows of that size side by side, without padding."""
    alone = onnx.NodeProto()
    alone.CopyFrom(node)
    if node.op_type == "QLinearAveragePool":
        del alone.attribute[:]
        alone.attribute.extend(helper.make_attribute(name, list(kernel)) for name in ("kernel_shape", "strides"))
    return alone


def _windows(sums: npt.NDArray[np.int64], pixels: int, dtype: np.dtype, order: int) -> npt.NDArray:
    """A window of so many bytes for each sum, which is counted from the lowest ones.

    In orders 0 and 1 its values are as equal as can be, the larger ones first or last; in order 2 as different.
    """
    places = np.arange(pixels)
    if order < 2:
        base, more = np.divmod(sums[:, None], pixels)
        values = base + (places < more)
        values = values if order == 0 else values[:, ::-1]
    else:
        values = np.clip(sums[:, None] - 255 * places, 0, 255)
    return (values + np.iinfo(dtype).min).astype(dtype)


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
