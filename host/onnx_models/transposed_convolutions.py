"""Transposed convolutions as convolutions, one for each phase of their output.

ONNX Runtime has no integer kernel for ConvTranspose: it dequantises, computes in float32 and quantises again. That is
arithmetic of integers, whatever the order of its sums, where scales have so few significant bits that float32 holds
every product and every sum; ``wingrid quantize`` chooses such scales. Then each result is a function of the sum of
bytes times weights, and there is a scale with which the accelerator rounds every sum as ONNX Runtime does, or the node
is the host's.

Along an axis of stride s, outputs p, p + s, p + 2s ... meet every s-th tap. So the outputs of a phase p are those of a
convolution with these taps, and lie s apart (Dumoulin and Visin, A guide to convolution arithmetic for deep learning,
2016, chapter 4).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnx

from wingrid.host.compiler.cutting import Cutting
from wingrid.host.compiler.layout import check_sums
from wingrid.host.networks.layer import Convolution, Layer, Operands, Pair, Surface
from wingrid.host.onnx_models.dequantised import Dequantised, quantised_behind
from wingrid.host.onnx_models.graph import IMAGES, AcceleratedStep, Part, signed
from wingrid.host.onnx_models.multiply_adds import multiply_adds
from wingrid.host.onnx_models.nodes import attributes_of
from wingrid.host.onnx_models.refusal import ModelRefused, NotAccelerable
from wingrid.host.onnx_models.rounding import rounding_scale
from wingrid.host.onnx_models.shapes import TensorType
from wingrid.host.onnx_models.short_scales import sums_are_exact
from wingrid.host.onnx_models.tensors import ACTIVATIONS, centred_weights

OPERATOR = "ConvTranspose"


@dataclass(frozen=True)
class _Phase:
    """The outputs of an axis that are ``stride`` apart, as a convolution of a kernel's taps over the input."""

    first: int
    taps: tuple[int, ...]
    """Of the transposed kernel, in the order in which they meet the input."""
    dilation: int
    before: int
    after: int

    @classmethod
    def of(cls, first: int, size: int, outputs: int, kernel: int, stride: int, dilation: int, padding: int) -> _Phase:
        """Phase ``first`` of so many outputs of an input of that size."""
        # Output o meets input y by tap t where o + padding = y * stride + t * dilation.
        reach = {tap: first + padding - tap * dilation for tap in range(kernel)}
        met = sorted((distance // stride, tap) for tap, distance in reach.items() if distance % stride == 0)
        spacing = dilation // math.gcd(dilation, stride)
        start = met[0][0] if met else 0
        count = len(range(first, outputs, stride))
        span = spacing * (max(len(met), 1) - 1) + 1
        return cls(first, tuple(tap for _, tap in met), spacing, -start, count - 1 + span + start - size)


@dataclass(frozen=True)
class FloatingProduct:
    """The arithmetic of a ConvTranspose in floating point, between what dequantises before it and quantises behind it.

    In integers: weights [K, C // groups, kh, kw] less their zero point, and a bias and a unit for each kernel, the real
    number that one of its sums stands for.
    """

    node: onnx.NodeProto
    x: Dequantised
    quantise: onnx.NodeProto
    groups: int
    weights: npt.NDArray[np.int8]
    bias: npt.NDArray[np.int32]
    units: npt.NDArray[np.float64]

    @classmethod
    def of(cls, node: onnx.NodeProto, constants: Mapping[str, npt.NDArray], model: onnx.ModelProto) -> FloatingProduct:
        """Raises ``NotAccelerable`` if it is not that."""
        producers = {name: other for other in model.graph.node for name in other.output}
        x, w = (Dequantised.of(producers.get(name), constants) for name in node.input[:2])
        quantise = quantised_behind(node, constants, model)
        if x.scales.size != 1:
            raise NotAccelerable("scales other than one for each tensor")
        groups = attributes_of(node).get("group", 1)
        weights = by_kernel(_weights(w, constants), groups)
        units = np.resize(w.scales.astype(np.float64), len(weights)) * np.float64(x.scales[0])
        return cls(node, x, quantise, groups, weights, _bias(node, producers, constants, units), units)

    def scales(self, constants: Mapping[str, npt.NDArray], model: onnx.ModelProto) -> npt.NDArray[np.float32] | None:
        """For each kernel, the scale that rounds all sums that it can have; ``None`` if there is not one for each.

        Raises ``NotAccelerable`` if ONNX Runtime's sums depend on their order.
        """
        attributes = attributes_of(self.node)
        axes = len(attributes.get("strides", [1, 1]))
        strides, dilations = (_pair([1, *attributes.get(name, [1] * axes)]) for name in ("strides", "dilations"))
        largest = largest_sums(self.weights, strides, dilations) * 255 + np.abs(self.bias.astype(np.int64))
        scales = np.zeros(len(self.units), np.float32)
        for unit in np.unique(self.units):
            alike = self.units == unit
            most = int(largest[alike].max())
            if not sums_are_exact(float(unit), most):
                raise NotAccelerable(
                    "float32 does not hold all of its sums, so that ONNX Runtime's depend on their order"
                )
            try:
                scale = rounding_scale(self.quantise, float(unit), most, constants, model)
            except ModelRefused as refusal:
                raise NotAccelerable(str(refusal)) from None
            if scale is None:
                return None
            scales[alike] = scale
        return scales


def transposed_convolution(
    node: onnx.NodeProto,
    constants: Mapping[str, npt.NDArray],
    types: Mapping[str, TensorType],
    model: onnx.ModelProto,
) -> list[AcceleratedStep]:
    """The node, with what dequantises before it and quantises behind it, as a layer for each phase.

    Raises ``NotAccelerable`` where ONNX Runtime's sums depend on their order, or no scale rounds them as it does.
    """
    product = FloatingProduct.of(node, constants, model)
    source, target = product.x.node.input[0], product.quantise.output[0]
    taken, left = types[source], types[target]
    if taken.dtype not in ACTIVATIONS or left.dtype not in ACTIVATIONS:
        raise NotAccelerable(f"activations of type {taken.dtype} and {left.dtype}: the accelerator's have 8 bits")
    geometry, weights = _Geometry.of(node, product.weights.shape, taken, left), product.weights
    scales = product.scales(constants, model)
    if scales is None:
        raise NotAccelerable("no scale turns its sums into ONNX Runtime's results")
    y_scale, y_zero = (constants[name].reshape(1) for name in product.quantise.input[1:3])
    zero_points = int(signed(product.x.zero_points)[0]), int(signed(y_zero)[0])
    rows, columns = geometry.phases()
    alone = len(rows) * len(columns) == 1
    steps = []
    for number, (down, across) in enumerate(itertools.product(rows, columns)):
        shape = Convolution(
            taken.shape[1], *geometry.sizes, len(weights),
            (max(len(down.taps), 1), max(len(across.taps), 1)), (1, 1),
            (down.before, across.before, down.after, across.after), (down.dilation, across.dilation),
            product.groups, taken.shape[0],
        )  # fmt: skip
        layer = Layer(
            node.name if alone else f"{node.name} part {number}", "transposed", shape, *zero_points,
            surface=None if alone else Surface(*geometry.outputs, *geometry.strides),
        )  # fmt: skip
        if layer.surface and Cutting.of(shape):
            raise NotAccelerable("its image is too large for one piece")
        operands = Operands(_met(weights, down, across), product.bias, scales)
        check_sums(layer, operands)
        step = AcceleratedStep(
            layer, operands, IMAGES, source, target, taken, left, (node.name, product.quantise.name),
            source_scale=float(product.x.scales[0]), target_scale=float(y_scale[0]), target_zero=zero_points[1],
            part=None if alone else Part(0, down.first, across.first, *geometry.strides),
            model_macs=0 if number else multiply_adds(node, types),
        )  # fmt: skip
        steps.append(step)
    return steps


def largest_sums(weights: npt.NDArray, strides: Pair, dilations: Pair) -> npt.NDArray:
    """For each of the kernels [K, C, kh, kw], the largest sum of magnitudes of those taps that meet in an output."""
    phases = [
        [range(size)[first :: stride // math.gcd(stride, dilation)] for first in range(min(stride, size))]
        for size, stride, dilation in zip(weights.shape[2:], strides, dilations, strict=True)
    ]
    magnitudes = np.abs(weights.astype(np.int64 if weights.dtype == np.int8 else weights.dtype)).sum(axis=1)
    sums = [
        magnitudes[:, list(down)][:, :, list(across)].sum(axis=(1, 2)) for down, across in itertools.product(*phases)
    ]
    return np.max(sums, axis=0)


@dataclass(frozen=True)
class _Geometry:
    """Vertical, then horizontal; a line is an image of one row."""

    kernel: Pair
    strides: Pair
    dilations: Pair
    starts: Pair
    """Outputs that are left out before the first."""
    sizes: Pair
    outputs: Pair

    @classmethod
    def of(cls, node: onnx.NodeProto, weights: tuple[int, ...], taken: TensorType, left: TensorType) -> _Geometry:
        attributes = attributes_of(node)
        if attributes.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID") or "output_shape" in attributes:
            raise NotAccelerable("a transposed convolution whose padding follows from its output is the host's")
        axes = len(taken.shape) - 2
        if axes not in (1, 2):
            raise NotAccelerable(f"transposed convolutions over {axes} axes are not the accelerator's")
        strides, dilations = (list(attributes.get(name, [1] * axes)) for name in ("strides", "dilations"))
        starts = list(attributes.get("pads", [0] * axes))[:axes]
        return cls(
            (weights[-2], weights[-1]),
            _pair([1, *strides]),
            _pair([1, *dilations]),
            _pair([0, *starts]),
            _pair([1, *taken.shape[2:]]),
            _pair([1, *left.shape[2:]]),
        )

    def phases(self) -> list[list[_Phase]]:
        """Those of each axis that have outputs."""
        every = zip(self.sizes, self.outputs, self.kernel, self.strides, self.dilations, self.starts, strict=True)
        return [
            [_Phase.of(first, size, outputs, kernel, stride, dilation, start) for first in range(min(stride, outputs))]
            for size, outputs, kernel, stride, dilation, start in every
        ]


def _pair(values: list[int]) -> Pair:
    return values[-2], values[-1]


def _weights(found: Dequantised, constants: Mapping[str, npt.NDArray]) -> npt.NDArray[np.int8]:
    """[C, K // groups, kh, kw] less their zero point."""
    raw = constants.get(found.node.input[0])
    if raw is None or raw.dtype not in ACTIVATIONS or raw.ndim not in (3, 4):
        raise NotAccelerable("weights that are no constant bytes")
    if found.scales.size > 1 and attributes_of(found.node).get("axis", 1) not in (1, 1 - raw.ndim):
        raise NotAccelerable("scales of weights other than one for each output channel")
    weights = centred_weights(raw.swapaxes(0, 1), found.zero_points).swapaxes(0, 1)
    if weights.min() < -128 or weights.max() > 127:
        raise NotAccelerable("weights less their zero point leave int8")
    narrow = weights.astype(np.int8)
    return narrow if raw.ndim == 4 else narrow[:, :, None]


def by_kernel(weights: npt.NDArray, groups: int) -> npt.NDArray:
    """Weights [C, K // groups, kh, kw] as [K, C // groups, kh, kw]."""
    channels, per_group, *kernel = weights.shape
    grouped = weights.reshape(groups, channels // groups, per_group, *kernel).swapaxes(1, 2)
    return grouped.reshape(groups * per_group, channels // groups, *kernel)


def _met(weights: npt.NDArray[np.int8], down: _Phase, across: _Phase) -> npt.NDArray[np.int8]:
    """The taps of a phase; a single one of zero where it meets none."""
    if not down.taps or not across.taps:
        taps = max(len(down.taps), 1), max(len(across.taps), 1)
        return np.zeros((*weights.shape[:2], *taps), np.int8)
    return np.ascontiguousarray(weights[:, :, list(down.taps)][..., list(across.taps)])


def _bias(
    node: onnx.NodeProto,
    producers: Mapping[str, onnx.NodeProto],
    constants: Mapping[str, npt.NDArray],
    units: npt.NDArray[np.float64],
) -> npt.NDArray[np.int32]:
    """The bias in units of its kernel's sums. Raises ``NotAccelerable`` if it is no whole number of them."""
    if len(node.input) < 3 or not node.input[2]:
        return np.zeros(len(units), np.int32)
    values = constants.get(node.input[2])
    if values is None:
        found = Dequantised.of(producers.get(node.input[2]), constants)
        stored = constants.get(found.node.input[0])
        if stored is None or found.zero_points.any():
            raise NotAccelerable("the bias is no constant")
        values = stored.astype(np.float32) * found.scales
    whole = values.astype(np.float64) / units
    if (whole != np.rint(whole)).any() or (np.abs(whole) > np.iinfo(np.int32).max).any():
        raise NotAccelerable("the bias is no whole number of what its sums are in")
    return whole.astype(np.int32)
