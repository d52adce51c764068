"""Images enlarged by interpolation, as weighted sums of neighbouring pixels, where these are those of integers.

ONNX Runtime dequantises, interpolates in float32 and quantises again. Where weights are fractions of a power of two,
as they are if an axis grows two or four times, and the scale has few significant bits, float32 holds all products and
sums. Then a result is the rounded quotient of a sum of bytes times integers, which a convolution of each channel by
itself computes: one for each phase of the output, and for what is next to the border.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnx

from wingrid.host.compiler.cutting import Cutting
from wingrid.host.networks.layer import Convolution, Layer, Operands, Surface
from wingrid.host.onnx_models.dequantised import Dequantised, quantised_behind
from wingrid.host.onnx_models.graph import IMAGES, AcceleratedStep, Part
from wingrid.host.onnx_models.nodes import attributes_of
from wingrid.host.onnx_models.refusal import ModelRefused, NotAccelerable
from wingrid.host.onnx_models.repetition import repeated_pixels
from wingrid.host.onnx_models.session import compute, model_of, open_session, type_of
from wingrid.host.onnx_models.shapes import TensorType
from wingrid.host.onnx_models.short_scales import sums_are_exact

LARGEST_FACTOR = 4
"""By which an axis grows."""

FINEST = 1 << 6
"""Weights along an axis are fractions of this at most."""

LARGEST_WEIGHT = 127

SEED = 20261126


def is_interpolation(node: onnx.NodeProto) -> bool:
    """Whether the node enlarges, or shrinks, by linear interpolation."""
    return node.op_type == "Resize" and attributes_of(node).get("mode", b"nearest") == b"linear"


def interpolation(
    node: onnx.NodeProto,
    constants: Mapping[str, npt.NDArray],
    types: Mapping[str, TensorType],
    model: onnx.ModelProto,
    makers: Mapping[str, AcceleratedStep],
) -> list[AcceleratedStep]:
    """The node, with what dequantises before it and quantises behind it. Raises ``NotAccelerable``."""
    x = Dequantised.before(node, constants, model)
    quantise = quantised_behind(node, constants, model)
    source, target = x.node.input[0], quantise.output[0]
    if source not in makers:
        raise NotAccelerable("interpolation of what the host has is the host's")
    taken, left, maker = types[source], types[target], makers[source]
    before, behind = ([constants[name].reshape(-1) for name in other.input[1:3]] for other in (x.node, quantise))
    if x.scales.size != 1 or any((ours != theirs).any() for ours, theirs in zip(before, behind, strict=True)):
        raise NotAccelerable("interpolation to another scale is not the accelerator's")
    if taken.dtype != left.dtype or len(taken.shape) != 4 or maker.arrangement != IMAGES:
        raise NotAccelerable("only images of bytes are interpolated")
    matrices = _matrices(node, taken, left, constants, model)
    if taken.shape[2:] == (1, 1) and all((matrix == 1).all() for matrix in matrices):
        whole = repeated_pixels(node.name, maker, target, (left.shape[2], left.shape[3]))
        return [dataclasses.replace(step, nodes=(node.name, quantise.name)) for step in whole]
    down, across = (_Axis.of(matrix) for matrix in matrices)
    if not sums_are_exact(float(x.scales[0]), 255 * down.denominator * across.denominator):
        raise NotAccelerable("float32 does not hold all of its sums, so that ONNX Runtime's depend on their order")
    if down.heaviest * across.heaviest > LARGEST_WEIGHT:
        raise NotAccelerable("weights of an interpolation that take more than 8 bits")
    images, channels, height, width = taken.shape
    steps = []
    for number, (rows, columns) in enumerate(itertools.product(down.runs, across.runs)):
        kernel = np.outer(rows.weights, columns.weights)
        shape = Convolution(
            channels, height, width, channels, kernel=(len(rows.weights), len(columns.weights)),
            padding=(-rows.source, -columns.source, rows.after(height), columns.after(width)), groups=channels,
            images=images,
        )  # fmt: skip
        layer = Layer(
            f"{node.name} part {number}", "resize", shape, maker.target_zero_point, maker.target_zero_point,
            surface=Surface(left.shape[2], left.shape[3], down.factor, across.factor),
        )  # fmt: skip
        if Cutting.of(shape):
            raise NotAccelerable("its image is too large for one piece")
        operands = Operands(
            np.ascontiguousarray(np.broadcast_to(kernel.astype(np.int8), (channels, 1, *kernel.shape))),
            np.zeros(channels, np.int32),
            np.full(channels, 1 / (down.denominator * across.denominator), np.float32),
        )
        step = AcceleratedStep(
            layer, operands, IMAGES, source, target, taken, left, (node.name, quantise.name),
            source_scale=maker.target_scale, target_scale=maker.target_scale, target_zero=maker.target_zero_point,
            part=Part(0, rows.first, columns.first, down.factor, across.factor), model_macs=0,
        )  # fmt: skip
        steps.append(step)
    return steps


@dataclass(frozen=True)
class _Run:
    """Successive outputs of a phase that weigh their neighbours alike."""

    first: int
    """The first of them among all outputs of the axis."""
    count: int
    source: int
    """The pixel that the first weight of the first of them is for."""
    weights: tuple[int, ...]

    def after(self, size: int) -> int:
        """Padding behind an axis of that size with which there are as many outputs."""
        return self.source + self.count - 1 + len(self.weights) - size


@dataclass(frozen=True)
class _Axis:
    factor: int
    denominator: int
    """Weights are as many parts of it."""
    runs: tuple[_Run, ...]

    @property
    def heaviest(self) -> int:
        return max(abs(weight) for run in self.runs for weight in run.weights)

    @classmethod
    def of(cls, matrix: npt.NDArray[np.float32]) -> _Axis:
        """From the weight of each pixel in each output, [outputs, pixels]. Raises ``NotAccelerable``."""
        outputs, pixels = matrix.shape
        factor = outputs // pixels
        if outputs != factor * pixels or not 1 <= factor <= LARGEST_FACTOR:
            raise NotAccelerable(f"interpolation from {pixels} to {outputs} pixels is not the accelerator's")
        denominator = 1
        while denominator < FINEST and (matrix * denominator != np.rint(matrix * denominator)).any():
            denominator *= 2
        whole = matrix.astype(np.float64) * denominator
        if (whole != np.rint(whole)).any():
            raise NotAccelerable("weights of an interpolation that are no fractions of a power of two")
        runs: list[_Run] = []
        for phase in range(factor):
            begun: _Run | None = None
            for position, line in enumerate(whole[phase::factor]):
                met = np.flatnonzero(line)
                if not len(met):
                    raise NotAccelerable("an interpolation beyond the image is not the accelerator's")
                weights = tuple(int(weight) for weight in line[met[0] : met[-1] + 1])
                if begun and begun.weights == weights and begun.source + begun.count == met[0]:
                    begun = dataclasses.replace(begun, count=begun.count + 1)
                    runs[-1] = begun
                else:
                    begun = _Run(phase + position * factor, 1, int(met[0]), weights)
                    runs.append(begun)
        return cls(factor, denominator, tuple(runs))


def _matrices(
    node: onnx.NodeProto,
    taken: TensorType,
    left: TensorType,
    constants: Mapping[str, npt.NDArray],
    model: onnx.ModelProto,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """The weights of rows and those of columns, [outputs, pixels], as ONNX Runtime has them.

    Raises ``NotAccelerable`` if the node is not, on integers, what they make of rows and columns.
    """
    images, channels, *size = taken.shape
    if left.shape[:2] != taken.shape[:2]:
        raise NotAccelerable("only rows and columns are interpolated")
    source, target = node.input[0], node.output[0]
    kind = type_of(source, np.zeros(taken.shape, np.float32))
    try:
        session = open_session(model_of([node], {source: kind}, constants, [target], model))

        def asked(x: npt.NDArray) -> npt.NDArray:
            return np.asarray(compute(session, {source: x.astype(np.float32)})[target])

        matrices = []
        for axis in (0, 1):
            found = np.zeros((left.shape[2 + axis], size[axis]), np.float32)
            for start in range(0, size[axis], channels):
                places = np.arange(start, min(start + channels, size[axis]))
                x = np.zeros((images, channels, *size), np.float32)
                np.moveaxis(x, 2 + axis, 2)[:, places - start, places] = 1
                lines = np.moveaxis(asked(x), 2 + axis, 2)[0, : len(places), :, 0]
                found[:, places] = lines.T
            matrices.append(found)
        numbers = np.random.default_rng(SEED).integers(-255, 256, taken.shape)
        rows, columns = (matrix.astype(np.float64) for matrix in matrices)
        if not np.array_equal(asked(numbers), rows @ numbers @ columns.T):
            raise NotAccelerable("ONNX Runtime's interpolation is not exact")
    except ModelRefused as refusal:
        raise NotAccelerable(str(refusal)) from None
    return matrices[0], matrices[1]
