"""Which pixels of a picture an output of a layer depends on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce

from wingrid.host.networks.layer import Layer
from wingrid.host.onnx_models.graph import IMAGES, AcceleratedStep, ImportedGraph, inputs_of, outputs_of

POINTWISE = (
    *("Add", "Cast", "Clip", "Concat", "DequantizeLinear", "Div", "LeakyRelu", "Mul", "QLinearAdd", "QLinearConcat"),
    *("QLinearLeakyRelu", "QLinearMul", "QLinearSigmoid", "QuantizeLinear", "Relu", "Sigmoid", "Sub"),
)
"""Operators between layers whose outputs depend on the same pixel of their inputs alone."""


@dataclass(frozen=True)
class AxisField:
    """Along an axis: output i depends on the pixels from ``start + i * step``, ``size`` of them."""

    start: int = 0
    step: int = 1
    size: int = 1

    def behind(self, window: int, stride: int, padding: int = 0, dilation: int = 1) -> AxisField:
        """The field of a window's outputs over what has this field."""
        reach = dilation * (window - 1) * self.step
        return AxisField(self.start - padding * self.step, self.step * stride, self.size + reach)

    def joined(self, other: AxisField) -> AxisField:
        """What depends on both, which have the same step."""
        start = min(self.start, other.start)
        stop = max(self.start + self.size, other.start + other.size)
        return AxisField(start, self.step, stop - start)

    def pixels(self, index: int) -> tuple[int, int]:
        """The first pixel and the one behind the last; they may lie outside of the picture."""
        first = self.start + index * self.step
        return first, first + self.size


@dataclass(frozen=True)
class ReceptiveField:
    """The pixels behind an output, down and across."""

    down: AxisField = AxisField()
    across: AxisField = AxisField()

    def behind(self, layer: Layer) -> ReceptiveField:
        """The field of a layer's outputs, pooled if it pools, over what has this field."""
        shape, pool = layer.shape, layer.pool
        axes = []
        for axis, field in enumerate((self.down, self.across)):
            found = field.behind(shape.kernel[axis], shape.stride[axis], shape.padding[axis], shape.dilation[axis])
            axes.append(found.behind(pool.side, pool.stride) if pool else found)
        return ReceptiveField(*axes)

    def joined(self, other: ReceptiveField) -> ReceptiveField | None:
        """What depends on both; ``None`` if they do not lie in one grid."""
        if (self.down.step, self.across.step) != (other.down.step, other.across.step):
            return None
        return ReceptiveField(self.down.joined(other.down), self.across.joined(other.across))


def field_in_chain(layers: Iterable[Layer]) -> ReceptiveField:
    """The field of the last of layers that follow each other."""
    return reduce(ReceptiveField.behind, layers, ReceptiveField())


def field_in_graph(graph: ImportedGraph, name: str) -> ReceptiveField | None:
    """The field of a layer of an imported model; ``None`` where it is the whole picture, or not known."""
    fields: dict[str, ReceptiveField | None] = dict.fromkeys(graph.inputs, ReceptiveField())
    for step in graph.steps:
        taken = [fields[source] for source in inputs_of(step) if source in fields]
        field = _together(taken)
        if isinstance(step, AcceleratedStep):
            field = field.behind(step.layer) if field and step.arrangement == IMAGES else None
            if step.name == name:
                return field
        elif step.operator not in POINTWISE:
            field = None
        fields.update(dict.fromkeys(outputs_of(step), field))
    return None


def _together(fields: Sequence[ReceptiveField | None]) -> ReceptiveField | None:
    whole = fields[0] if fields else None
    for field in fields[1:]:
        whole = whole.joined(field) if whole and field else None
    return whole
