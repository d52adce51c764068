"""Averages over windows as layers of the accelerator: convolutions of each channel by itself with weights of one.

Sums of windows are requantised by a scale with which every sum that a window can have gives ONNX Runtime's own result.

ONNX Runtime adds bytes for QLinearGlobalAveragePool, so that its result is a function of the sum. For
QLinearAveragePool it adds floating point numbers: there a node is only taken if the scale has so few bits that these
sums are exact, or no sum is so near to a tie that rounding could decide.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper

from wingrid.host.networks.layer import Convolution, Layer, Surface
from wingrid.host.onnx_models.dequantised import Dequantised, quantised_behind
from wingrid.host.onnx_models.graph import AcceleratedStep, Part, signed
from wingrid.host.onnx_models.identity_layers import ones
from wingrid.host.onnx_models.nodes import attributes_of
from wingrid.host.onnx_models.pooling_windows import Window, plane, pooled_tensors, pooling_step
from wingrid.host.onnx_models.proofs import proof
from wingrid.host.onnx_models.refusal import NotAccelerable
from wingrid.host.onnx_models.rounding import neighbours
from wingrid.host.onnx_models.session import compute, model_of, open_session, type_of
from wingrid.host.onnx_models.shapes import TensorType
from wingrid.host.onnx_models.short_scales import sums_are_exact
from wingrid.hw.isa import LARGEST_KERNEL
from wingrid.sim.golden.requantise import requantise

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
    taken, left = pooled_tensors(node, types)
    attributes, size = attributes_of(node), plane(left)
    if attributes.get("channels_last", 0):
        raise NotAccelerable("an average over the middle axes is not the accelerator's")
    window = Window.of(node, taken)
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
        question = _Question((node,), (down.pixels, across.pixels), asked, scales, zero_points, taken)
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
        step = pooling_step(layer, operands, (node.input[0], node.output[0]), (taken, left), scales)
        part = None if alone else Part(0, down.first, across.first)
        steps.append(dataclasses.replace(step, nodes=(node.name,), target_zero=zero_points[1], part=part))
    return steps


def reduced_mean(
    node: onnx.NodeProto,
    constants: Mapping[str, npt.NDArray],
    types: Mapping[str, TensorType],
    model: onnx.ModelProto,
) -> AcceleratedStep:
    """A ReduceMean over all pixels of images, with what dequantises before it and quantises behind it.

    Raises ``NotAccelerable`` where no scale turns sums into ONNX Runtime's averages.
    """
    x, quantise = Dequantised.before(node, constants, model), quantised_behind(node, constants, model)
    source, target = x.node.input[0], quantise.output[0]
    taken, left = types[source], types[target]
    given = constants.get([*node.input, ""][1], attributes_of(node).get("axes", ()))
    rank = len(taken.shape)
    if rank not in (3, 4) or sorted(int(axis) % rank for axis in given) != list(range(2, rank)):
        raise NotAccelerable("a mean over other axes than those of images is not the accelerator's")
    if taken.dtype != left.dtype or x.scales.size != 1 or max(taken.shape[2:]) > LARGEST_KERNEL:
        raise NotAccelerable("a mean of such tensors is not the accelerator's")
    y_scale, y_zero = (constants[name].reshape(1) for name in quantise.input[1:3])
    scales = float(x.scales[0]), float(y_scale[0])
    zero_points = int(signed(x.zero_points)[0]), int(signed(y_zero)[0])
    size, (images, channels) = plane(taken), taken.shape[:2]
    rounding = _Question((x.node, node, quantise), size, (1, 1), scales, zero_points, taken).answered(constants, model)
    shape = Convolution(channels, *size, channels, size, groups=channels, images=images)
    layer = Layer(node.name, "avgpool", shape, zero_points[0], rounding.zero_point, alike=True)
    operands = dataclasses.replace(ones(shape, rounding.scale), bias=np.full(channels, rounding.bias, np.int32))
    step = pooling_step(layer, operands, (source, target), (taken, left), scales)
    return dataclasses.replace(step, nodes=(node.name, quantise.name), target_zero=zero_points[1])


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
    """What ONNX Runtime is asked about nodes: the average of each sum of a window of this ``kernel``.

    They follow each other, the averaging one with what dequantises and quantises or by itself. ``size`` is that of the
    images to ask about, in windows.
    """

    nodes: tuple[onnx.NodeProto, ...]
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
        operators = [node.op_type for node in self.nodes]
        added = operators == ["QLinearGlobalAveragePool"] or sums_are_exact(self.scales[0], 255 * self.pixels)
        if not added and _near_a_tie(self.pixels, self.scales, self.zero_points):
            raise NotAccelerable("some sums of its windows are so near to a tie that ONNX Runtime's rounding decides")
        question = (
            *operators, *self.kernel, *self.size, *map(float.hex, self.scales), *self.zero_points,
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
        source, target = self.nodes[0].input[0], self.nodes[-1].output[0]
        # As many windows side by side as the node leaves pixels, in any number of channels.
        (rows, columns), (height, width) = self.size, self.kernel
        axes = len(self.taken.shape) - 2
        plane = (rows * height, columns * width)[-axes:]
        kind = type_of(source, np.zeros((1, 1, *plane), self.taken.dtype))
        kind.tensor_type.shape.dim[1].dim_param = "channels"
        alone = [_alone(node, self.kernel[-axes:]) for node in self.nodes]
        session = open_session(model_of(alone, {source: kind}, constants, [target], model))
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
