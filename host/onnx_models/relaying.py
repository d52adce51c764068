"""Nodes that only lay a tensor out anew: channels shuffled, split or sliced, rows and columns cut or skipped.

There are no patterns for them either: ONNX Runtime moves the numbers of elements in place of the elements, and where
they end up says what the nodes do. A layer whose results nobody takes in another order leaves them in the new one;
otherwise a layer of its own does that, a convolution of one tap whose weights are zeros and ones.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnx

from wingrid.host.compiler.algorithms import require_way
from wingrid.host.compiler.cutting import Cutting
from wingrid.host.networks.layer import LayerError, Lookup, Operands, Surface
from wingrid.host.onnx_models.graph import IMAGES, AcceleratedStep, Part
from wingrid.host.onnx_models.identity_layers import identity_layer, selecting_layer
from wingrid.host.onnx_models.nodes import Consumers, taken_by
from wingrid.host.onnx_models.refusal import ModelRefused
from wingrid.host.onnx_models.session import compute, model_of, open_session, type_of
from wingrid.host.onnx_models.shapes import TensorType
from wingrid.hw.config import AcceleratorConfig

OPERATORS = (
    "DepthToSpace",
    "Flatten",
    "Gather",
    "Identity",
    "Reshape",
    "Resize",
    "Slice",
    "SpaceToDepth",
    "Split",
    "Squeeze",
    "Transpose",
    "Unsqueeze",
)
"""Those that leave elements as they are, each of them from the first input."""

LONGEST = 8
"""Nodes behind each other that are looked at; shuffles are three."""

LARGEST = 1 << 24
"""Elements of a tensor whose numbers are moved about."""


@dataclass(frozen=True)
class Selection:
    """What [images, channels, rows, columns] of a tensor another one is made of."""

    channels: tuple[int, ...]
    first: tuple[int, int]
    """Row and column of its first pixel."""
    step: tuple[int, int]
    """Rows and columns from one pixel to the next."""
    size: tuple[int, int]
    repeats: tuple[int, int] = (1, 1)
    """How often each row and column of a whole image occurs, one after the other."""

    @classmethod
    def of(cls, elements: npt.NDArray[np.int32], shape: Sequence[int]) -> Selection | None:
        """From the number of each element in a tensor of that shape, in C order; ``None`` if it is no such thing."""
        if elements.ndim != 4 or len(shape) != 4 or not elements.size or len(elements) != shape[0]:
            return None
        axes = np.unravel_index(elements, shape)
        lines = [np.moveaxis(places, axis, 0).reshape(elements.shape[axis], -1) for axis, places in enumerate(axes)]
        if any((line != line[:, :1]).any() for line in lines):
            return None
        images, channels, rows, columns = (line[:, 0] for line in lines)
        repeats = [_repetitions(places, size) for places, size in zip((rows, columns), shape[2:], strict=True)]
        rows, columns = rows[:: repeats[0]], columns[:: repeats[1]]
        steps = [int(places[1] - places[0]) if len(places) > 1 else 1 for places in (rows, columns)]
        if not np.array_equal(images, np.arange(shape[0])) or min(steps) < 1:
            return None
        if any((np.diff(places) != step).any() for places, step in zip((rows, columns), steps, strict=True)):
            return None
        return cls(
            tuple(map(int, channels)),
            (int(rows[0]), int(columns[0])),
            (steps[0], steps[1]),
            (len(rows), len(columns)),
            (repeats[0], repeats[1]),
        )

    def whole_images(self, shape: Sequence[int]) -> bool:
        """Whether it has all pixels of a tensor of that shape."""
        return (*self.first, *self.step, *self.size, *self.repeats) == (0, 0, 1, 1, *shape[2:], 1, 1)


@dataclass(frozen=True)
class _End:
    """A tensor that is a selection of another one, and the nodes that lead there."""

    tensor: str
    nodes: tuple[str, ...]
    selection: Selection


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
        ends = self._ends(node, maker.target)
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
        except LayerError:
            return None
        return steps

    def _ends(self, node: onnx.NodeProto, source: str) -> list[_End]:
        """What the node, or nodes behind it, leave of the tensor; all that a node with several outputs leaves."""
        shape = self._types[source].shape
        values = {source: np.arange(math.prod(shape), dtype=np.int32).reshape(shape)}
        found: list[_End] = []
        nodes: list[str] = []
        current: onnx.NodeProto | None = node
        while current is not None and len(nodes) < LONGEST and (moved := self._moved(current, values)):
            nodes.append(current.name)
            ends = [
                (name, Selection.of(elements, shape))
                for name, elements in moved.items()
                if self._consumers.positions(name) or self._consumers.is_output(name)
            ]
            if all(selection for _, selection in ends):
                found = [_End(name, tuple(nodes), selection) for name, selection in ends if selection]
            values = moved
            current = self._consumers.only(next(iter(moved))) if len(moved) == 1 else None
        return found

    def _moved(
        self, node: onnx.NodeProto, values: Mapping[str, npt.NDArray[np.int32]]
    ) -> dict[str, npt.NDArray[np.int32]] | None:
        """Numbers of elements as the node lays them out; ``None`` if it does anything else."""
        others = [name for name in taken_by(node) if name not in values]
        if node.op_type not in OPERATORS or node.domain not in ("", "ai.onnx") or node.input[0] not in values:
            return None
        if any(name not in self._constants for name in others):
            return None
        outputs = [name for name in node.output if name]
        kinds = {name: type_of(name, value) for name, value in values.items()}
        try:
            session = open_session(model_of([node], kinds, self._constants, outputs, self._model))
            return dict(compute(session, values))
        except ModelRefused:  # it may have no kernel for numbers of elements
            return None

    def _copies(self, name: str, maker: AcceleratedStep, end: _End) -> list[AcceleratedStep]:
        """Layers that leave the selection of what another one has left: one, or one for each of its repetitions."""
        images, channels, height, width = maker.target_type.shape
        down, across = end.selection.repeats
        if (down, across) == (1, 1):
            return [self._copied(name, maker, end)]
        once = dataclasses.replace(end.selection, repeats=(1, 1))
        if images > 1 or once.channels != tuple(range(channels)) or not once.whole_images(maker.target_type.shape):
            raise LayerError("pixels of a single whole image are repeated, and no others")
        steps = []
        if across > 1:
            # All pixels as one column, whose rows lie apart: only rows can.
            tensor = end.tensor if down == 1 else f"{end.tensor} columns"
            kind = TensorType(maker.target_type.dtype, (1, channels, height, width * across))
            for column in range(across):
                copy = identity_layer(f"{name} column {column}", "copy", maker)
                shape = dataclasses.replace(copy.layer.shape, height=height * width, width=1)
                layer = dataclasses.replace(
                    copy.layer, shape=shape, surface=Surface(height * width * across, 1, across)
                )
                part = Part(column=column, column_step=across)
                steps.append(dataclasses.replace(copy, layer=layer, target=tensor, target_type=kind, part=part))
                steps[-1] = dataclasses.replace(steps[-1], in_a_column=True, nodes=end.nodes)
            maker = steps[-1]
        if down > 1:
            kind = self._types[end.tensor]
            for row in range(down):
                copy = identity_layer(f"{name} row {row}", "copy", maker)
                layer = dataclasses.replace(copy.layer, surface=Surface(kind.shape[2], kind.shape[3], down))
                part = Part(row=row, row_step=down)
                steps.append(dataclasses.replace(copy, layer=layer, target_type=kind, target=end.tensor, part=part))
                steps[-1] = dataclasses.replace(steps[-1], nodes=end.nodes)
        return steps

    def _copied(self, name: str, maker: AcceleratedStep, end: _End) -> AcceleratedStep:
        """A layer that leaves the selection of what another one has left."""
        selection = end.selection
        step = selecting_layer(name, maker, selection.channels)
        _, _, height, width = maker.target_type.shape
        (top, left), (down, right) = selection.first, selection.step
        below = (selection.size[0] - 1) * down + 1 - height + top
        beside = (selection.size[1] - 1) * right + 1 - width + left
        shape = dataclasses.replace(step.layer.shape, stride=selection.step, padding=(-top, -left, below, beside))
        return self._ending(dataclasses.replace(step, layer=dataclasses.replace(step.layer, shape=shape)), end)

    def _folded(self, maker: AcceleratedStep, ends: Sequence[_End]) -> list[AcceleratedStep] | None:
        """The layer once for each end, with the kernels that this consists of; ``None`` if that would cost much."""
        shape = maker.layer.shape
        whole = all(end.selection.whole_images(maker.target_type.shape) for end in ends)
        if maker.part or not whole or (shape.groups > 1 and shape.kernel != (1, 1)):
            return None
        return [self._of_kernels(maker, number, end) for number, end in enumerate(ends)]

    def _of_kernels(self, maker: AcceleratedStep, number: int, end: _End) -> AcceleratedStep:
        layer, operands, chosen = maker.layer, maker.operands, list(end.selection.channels)
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


def _repetitions(places: npt.NDArray[np.intp], size: int) -> int:
    """How often each of ``size`` places occurs in turn; 1 if they are not all there so."""
    count = len(places) // size
    return count if count > 1 and np.array_equal(places, np.repeat(np.arange(size), count)) else 1


def _without_groups(weights: npt.NDArray[np.int8], groups: int) -> npt.NDArray[np.int8]:
    """Weights [K, C // groups, ...] as [K, C, ...], zero where a kernel takes nothing."""
    kernels, width = weights.shape[:2]
    dense = np.zeros((groups, kernels // groups, groups, width, *weights.shape[2:]), np.int8)
    for group in range(groups):
        dense[group, :, group] = weights[group * (kernels // groups) : (group + 1) * (kernels // groups)]
    return dense.reshape(kernels, groups * width, *weights.shape[2:])
