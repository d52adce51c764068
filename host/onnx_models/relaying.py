"""Nodes that only lay a tensor out anew: channels shuffled, split or sliced, rows and columns cut, padded or skipped.

There are no patterns for them either: ONNX Runtime moves the numbers of elements in place of the elements, and where
they end up says what the nodes do. A layer whose results nobody takes in another order leaves them in the new one;
otherwise a layer of its own does that, a convolution of one tap whose weights are zeros and ones, or several, each of
which leaves a piece. Where ONNX Runtime moves real numbers, between a DequantizeLinear and a QuantizeLinear of the same
scale, bytes are moved.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper

from wingrid.host.compiler.algorithms import require_way
from wingrid.host.compiler.cutting import Cutting
from wingrid.host.networks.layer import LayerError, Lookup, Operands, Surface
from wingrid.host.onnx_models.graph import IMAGES, AcceleratedStep, as_type, signed
from wingrid.host.onnx_models.identity_layers import selecting_layer
from wingrid.host.onnx_models.mosaics import FILL, Mosaic
from wingrid.host.onnx_models.nodes import Consumers, attributes_of, taken_by
from wingrid.host.onnx_models.refusal import ModelRefused
from wingrid.host.onnx_models.repetition import repeated_pixels
from wingrid.host.onnx_models.selections import Selection
from wingrid.host.onnx_models.session import compute, model_of, open_session, type_of
from wingrid.host.onnx_models.shapes import TensorType
from wingrid.host.onnx_models.tensors import LINEAR
from wingrid.hw.config import AcceleratorConfig

OPERATORS = (
    "DepthToSpace",
    "Flatten",
    "Gather",
    "Identity",
    "Pad",
    "Reshape",
    "Resize",
    "Slice",
    "SpaceToDepth",
    "Split",
    "Squeeze",
    "Transpose",
    "Unsqueeze",
)
"""Those that leave elements as they are, each of them from the first input, or put a number between them."""

NUMBERS = (np.dtype(np.int32), np.dtype(np.float32))
"""Types in which numbers of elements are moved: the first for which there is a kernel. Both hold all of them."""

LONGEST = 8
"""Nodes behind each other that are looked at; shuffles are three."""

LARGEST = 1 << 24
"""Elements of a tensor whose numbers are moved about."""


@dataclass(frozen=True)
class _End:
    """A tensor that is a selection of another one, and the nodes that lead there."""

    tensor: str
    nodes: tuple[str, ...]
    layout: Selection | Mosaic
    fill: int | None
    """The int8 with which pixels are filled that the other one does not have."""


@dataclass
class _Trail:
    """Nodes behind each other, and what has become of the numbers of a tensor's elements behind the last of them."""

    values: dict[str, npt.NDArray]
    nodes: list[str]
    fill: int | None = None
    quantisation: tuple[npt.NDArray, npt.NDArray] | None = None
    """Scale and zero point, where numbers are real ones."""


class Relaying:
    """Finds what nodes only lay out anew, and has layers do it."""

    def __init__(
        self,
        model: onnx.ModelProto,
        constants: Mapping[str, npt.NDArray],
        types: Mapping[str, TensorType],
        config: AcceleratorConfig,
    ) -> None:
        self._model = model
        self._consumers = Consumers(model.graph)
        self._constants = constants
        self._types = types
        self._config = config

    def of(self, node: onnx.NodeProto, makers: Mapping[str, AcceleratedStep]) -> list[AcceleratedStep] | None:
        """Layers that do the node, and as many behind it as they can; one with its maker's name stands in its place.

        ``None`` if the node does anything else, or they cannot.
        """
        maker = makers.get(node.input[0]) if node.input else None
        if maker is None or maker.arrangement != IMAGES or math.prod(maker.target_type.shape) > LARGEST:
            return None
        ends = self._ends(node, maker)
        if not ends:
            return None
        folds = self._consumers.only(maker.target) is node
        try:
            steps = folds and self._folded(maker, ends)
            if not steps:
                names = [node.name] if len(ends) == 1 else [f"{node.name} part {number}" for number in range(len(ends))]
                steps = [step for name, end in zip(names, ends, strict=True) for step in self._copies(name, maker, end)]
            for step in steps:
                require_way(step.layer, self._config)
                if step.layer.surface and Cutting.of(step.layer.shape):
                    return None
        except (LayerError, ModelRefused):
            return None
        return steps

    def _ends(self, node: onnx.NodeProto, maker: AcceleratedStep) -> list[_End]:
        """What the node, or nodes behind it, leave of the tensor; all that a node with several outputs leaves."""
        kind = self._types[maker.target]
        shape = _image(kind.shape)
        trail = _Trail({maker.target: np.arange(math.prod(shape), dtype=np.int32).reshape(kind.shape)}, [])
        found: list[_End] = []
        current: onnx.NodeProto | None = node
        while current is not None and len(trail.nodes) < LONGEST and self._moved(current, trail, maker):
            trail.nodes.append(current.name)
            ends = [
                (name, self._layout(name, elements, shape))
                for name, elements in trail.values.items()
                if self._consumers.positions(name) or self._consumers.is_output(name)
            ]
            if trail.quantisation is None and all(layout for _, layout in ends):
                found = [_End(name, tuple(trail.nodes), layout, trail.fill) for name, layout in ends if layout]
            current = self._consumers.only(next(iter(trail.values))) if len(trail.values) == 1 else None
        return found

    def _layout(self, name: str, elements: npt.NDArray, shape: tuple[int, ...]) -> Selection | Mosaic | None:
        if len(_image(elements.shape)) != 4 or len(shape) != 4 or self._types[name].shape != elements.shape:
            return None
        image = elements.reshape(_image(elements.shape))
        selection = None if (image == FILL).any() else Selection.of(image, shape)
        if selection and (selection.repeats == (1, 1) or (elements.ndim == 4 and selection.repeats_all(shape))):
            return selection
        return Mosaic.of(image, shape)

    def _moved(self, node: onnx.NodeProto, trail: _Trail, maker: AcceleratedStep) -> bool:
        """Whether the node only lays elements out anew; the trail then goes on behind it."""
        if node.domain not in ("", "ai.onnx") or node.input[0] not in trail.values:
            return False
        if node.op_type in LINEAR:
            return self._between_numbers(node, trail)
        others = [name for name in taken_by(node) if name not in trail.values]
        if node.op_type not in OPERATORS or any(name not in self._constants for name in others):
            return False
        attributes = attributes_of(node)
        if node.op_type == "Resize" and attributes.get("mode", b"nearest") != b"nearest":
            return False
        fills = node.op_type == "Pad" and attributes.get("mode", b"constant") == b"constant"
        if fills and not self._fills(node, trail, maker):
            return False
        outputs = [name for name in node.output if name]
        for dtype in NUMBERS:
            values = {name: value.astype(dtype) for name, value in trail.values.items()}
            kinds = {name: type_of(name, value) for name, value in values.items()}
            asked, constants = node, self._constants
            if fills:
                asked = onnx.NodeProto()
                asked.CopyFrom(node)
                asked.input[2:] = ["fill", *node.input[3:]]
                constants = {**constants, "fill": np.array(FILL, dtype)}
            try:
                moved = compute(open_session(model_of([asked], kinds, constants, outputs, self._model)), values)
            except ModelRefused:  # it may have no kernel for numbers of elements
                continue
            trail.values = {name: np.asarray(value).astype(np.int32) for name, value in moved.items()}
            return True
        return False

    def _fills(self, node: onnx.NodeProto, trail: _Trail, maker: AcceleratedStep) -> bool:
        """Whether a Pad fills with a byte that is known, and the only one so far."""
        name = [*node.input, "", ""][2]
        value = self._constants[name].reshape(1) if name else np.zeros(1, maker.target_type.dtype)
        if trail.quantisation is None:
            fill = int(signed(value.astype(maker.target_type.dtype))[0])
        elif value[0] == 0:
            fill = int(signed(trail.quantisation[1].reshape(1))[0])
        else:
            return False
        same = trail.fill in (None, fill)
        trail.fill = fill
        return same

    def _between_numbers(self, node: onnx.NodeProto, trail: _Trail) -> bool:
        """Whether the node makes bytes real numbers, or real numbers the bytes that they were."""
        scale, zero_point = (self._constants.get(name) for name in [*node.input, "", ""][1:3])
        if scale is None or zero_point is None or scale.size != 1:
            return False
        if node.op_type == "DequantizeLinear":
            if trail.quantisation is not None:
                return False
            trail.quantisation = scale, zero_point
        else:
            known = trail.quantisation
            if known is None or known[0] != scale or known[1] != zero_point or known[1].dtype != zero_point.dtype:
                return False
            if not self._leaves_bytes(node, zero_point.dtype):
                return False
            trail.quantisation = None
        trail.values = {node.output[0]: trail.values[node.input[0]]}
        return True

    def _leaves_bytes(self, quantise: onnx.NodeProto, dtype: np.dtype) -> bool:
        """Whether a QuantizeLinear makes of each byte, dequantised by the same numbers, that byte."""
        every = as_type(np.arange(-128, 128).astype(np.int8), dtype)
        dequantise = helper.make_node("DequantizeLinear", ["bytes", *quantise.input[1:3]], [quantise.input[0]])
        kind = type_of("bytes", every)
        (left,) = quantise.output
        session = open_session(model_of([dequantise, quantise], {"bytes": kind}, self._constants, [left], self._model))
        return np.array_equal(compute(session, {"bytes": every})[left], every)

    def _copies(self, name: str, maker: AcceleratedStep, end: _End) -> list[AcceleratedStep]:
        """Layers that leave what another one has left as the end has it, together where one cannot."""
        if isinstance(end.layout, Mosaic):
            return self._pieces(name, maker, end, end.layout)
        repeats = end.layout.repeats
        if repeats == (1, 1):
            return [self._copied(name, maker, end, end.layout)]
        steps = repeated_pixels(name, maker, end.tensor, repeats)
        return [dataclasses.replace(step, nodes=end.nodes) for step in steps]

    def _pieces(self, name: str, maker: AcceleratedStep, end: _End, mosaic: Mosaic) -> list[AcceleratedStep]:
        """A layer for each piece, with the margins that it has."""
        steps = []
        for number, piece in enumerate(mosaic.pieces):
            named = name if mosaic.is_whole else f"{name} piece {number}"
            step = self._copied(named, maker, end, piece.selection, piece.margins)
            zero_point = maker.target_zero_point if end.fill is None else end.fill
            layer = dataclasses.replace(step.layer, x_zero_point=zero_point, y_zero_point=zero_point)
            if not mosaic.is_whole:
                layer = dataclasses.replace(
                    layer, surface=Surface(*mosaic.size, piece.part.row_step, piece.part.column_step)
                )
                step = dataclasses.replace(step, part=piece.part)
            steps.append(dataclasses.replace(step, layer=layer, target_zero=maker.target_zero_point))
        return steps

    def _copied(
        self,
        name: str,
        maker: AcceleratedStep,
        end: _End,
        selection: Selection,
        margins: tuple[int, int, int, int] = (0, 0, 0, 0),
    ) -> AcceleratedStep:
        """A layer that leaves the selection of what another one has left, with margins of its zero point."""
        step = selecting_layer(name, maker, selection.channels, selection.offsets)
        size, kernel = _image(maker.target_type.shape)[2:], step.layer.shape.kernel
        before, after = [], []
        for axis, (first, steps) in enumerate(zip(selection.first, selection.step, strict=True)):
            before.append(margins[axis] * steps - first)
            last = first + (selection.size[axis] - 1 + margins[2 + axis]) * steps
            after.append(last + kernel[axis] - size[axis])
        shape = dataclasses.replace(
            step.layer.shape, stride=selection.step, padding=(before[0], before[1], after[0], after[1])
        )
        return self._ending(dataclasses.replace(step, layer=dataclasses.replace(step.layer, shape=shape)), end)

    def _folded(self, maker: AcceleratedStep, ends: Sequence[_End]) -> list[AcceleratedStep] | None:
        """The layer once for each end, with the kernels that this consists of; ``None`` if that would cost much."""
        shape = maker.layer.shape
        size = _image(maker.target_type.shape)
        layouts = [end.layout for end in ends]
        chosen = [layout.channels for layout in layouts if isinstance(layout, Selection) and layout.whole_images(size)]
        if maker.part or len(chosen) < len(ends) or (shape.groups > 1 and shape.kernel != (1, 1)):
            return None
        return [
            self._of_kernels(maker, number, end, list(channels))
            for number, (end, channels) in enumerate(zip(ends, chosen, strict=True))
        ]

    def _of_kernels(self, maker: AcceleratedStep, number: int, end: _End, chosen: list[int]) -> AcceleratedStep:
        layer, operands = maker.layer, maker.operands
        weights = _without_groups(operands.weights, layer.shape.groups)[chosen]
        table = operands.table[chosen] if layer.lookup is Lookup.CHANNEL and operands.table is not None else None
        name = layer.name if number == 0 else f"{layer.name} part {number}"
        shape = dataclasses.replace(layer.shape, kernels=len(chosen), groups=1)
        step = dataclasses.replace(
            maker,
            layer=dataclasses.replace(layer, name=name, shape=shape),
            operands=Operands(
                np.ascontiguousarray(weights),
                operands.bias[chosen],
                operands.scales[chosen],
                operands.table if table is None else table,
            ),
            model_macs=maker.macs * len(chosen) // layer.shape.kernels,
        )
        return self._ending(step, end)

    def _ending(self, step: AcceleratedStep, end: _End) -> AcceleratedStep:
        return dataclasses.replace(
            step, target=end.tensor, target_type=self._types[end.tensor], nodes=(*step.nodes, *end.nodes)
        )


def _image(shape: Sequence[int]) -> tuple[int, ...]:
    """[images, channels, rows, columns] of a tensor's shape; a line is an image of one row."""
    return (*shape[:2], 1, *shape[2:]) if len(shape) == 3 else tuple(shape)


def _without_groups(weights: npt.NDArray[np.int8], groups: int) -> npt.NDArray[np.int8]:
    """Weights [K, C // groups, ...] as [K, C, ...], zero where a kernel takes nothing."""
    kernels, width = weights.shape[:2]
    dense = np.zeros((groups, kernels // groups, groups, width, *weights.shape[2:]), np.int8)
    for group in range(groups):
        dense[group, :, group] = weights[group * (kernels // groups) : (group + 1) * (kernels // groups)]
    return dense.reshape(kernels, groups * width, *weights.shape[2:])
