"""Which layers run in one start, and which tensors they meet through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from wingrid.host.compiler.compile_layer import PlannedLayer
from wingrid.host.images.layer_layouts import addend_layout, input_layout, output_layout, output_offset
from wingrid.host.images.tensor_layout import TensorLayout
from wingrid.host.images.work import HostWork, Work
from wingrid.host.onnx_models.graph import AcceleratedStep
from wingrid.host.onnx_models.shapes import TensorType


@dataclass(eq=False)
class MemoryTensor:
    """A tensor in the accelerator's memory, and from which layer to which it is needed there, both included."""

    name: str
    value: str
    """The network's tensor of which it holds the values."""
    type: TensorType
    layout: TensorLayout
    scale: float
    zero_point: int
    """As memory has it, int8."""
    first: int
    last: int


@dataclass(eq=False)
class Entry:
    """Layers that run in one start."""

    layers: list[int] = field(default_factory=list)
    inputs: list[MemoryTensor] = field(default_factory=list)
    """What the host writes before it."""
    outputs: list[MemoryTensor] = field(default_factory=list)
    """What the host reads after it."""


@dataclass(frozen=True)
class Segmentation:
    """A network as entries and the host's work, in order."""

    steps: list[Entry | HostWork]
    tensors: list[MemoryTensor]
    taken: list[MemoryTensor]
    """Each layer's input."""
    added: list[MemoryTensor | None]
    """What each layer adds, if it does."""
    left: list[MemoryTensor]
    """Each layer's output, or the tensor that this is a part of."""
    offsets: list[int]
    """Where in that tensor each layer's output begins, in bytes."""

    @property
    def entries(self) -> list[Entry]:
        return [step for step in self.steps if isinstance(step, Entry)]


def segmented(work: Work, planned: Sequence[PlannedLayer]) -> Segmentation:
    """A new entry begins where the host has work to do before a layer, or has to lay out anew what one has left."""
    return _Segmenter(work, planned).result


class _Value(NamedTuple):
    """A tensor of the network as a layer wants it."""

    name: str
    type: TensorType
    scale: float
    zero_point: int
    layout: TensorLayout


class _Segmenter:
    def __init__(self, work: Work, planned: Sequence[PlannedLayer]) -> None:
        self._planned = planned
        self.result = Segmentation([], [], [], [], [], [])
        self._made: dict[str, tuple[MemoryTensor, Entry]] = {}
        self._written: list[MemoryTensor] = []
        self._entry: Entry | None = None
        for step in work.steps:
            if isinstance(step, HostWork):
                self._entry = None
                self._read(step.inputs)
                self.result.steps.append(step)
            else:
                self._layer(step)
        self._read(work.outputs)

    def _layer(self, step: AcceleratedStep) -> None:
        position = len(self.result.taken)
        planned = self._planned[position]
        values = [
            _Value(
                step.source, step.source_type, step.source_scale, step.layer.x_zero_point, input_layout(step, planned)
            )
        ]
        if added := step.addend:
            layout = addend_layout(step, planned, added.type)
            values.append(_Value(added.name, added.type, added.scale, added.zero_point, layout))
        if any(self._has_to_be_laid_out_anew(value) for value in values):
            self._entry = None
        if self._entry is None:
            self._entry = Entry()
            self.result.steps.append(self._entry)
        entry = self._entry
        entry.layers.append(position)
        taken = [self._taken(value, step, entry) for value in values]
        for tensor in taken:
            tensor.last = max(tensor.last, position)
        begun = self._made.get(step.target)
        if begun:
            # Another layer has left its part.
            left = begun[0]
            left.last = max(left.last, position)
        else:
            left = MemoryTensor(
                step.target,
                step.target,
                step.target_type,
                output_layout(step, planned),
                step.target_scale,
                step.target_zero_point,
                position,
                position,
            )
            self.result.tensors.append(left)
        self.result.taken.append(taken[0])
        self.result.added.append(taken[1] if added else None)
        self.result.left.append(left)
        self.result.offsets.append(output_offset(step, planned))
        self._made[step.target] = left, entry

    def _has_to_be_laid_out_anew(self, value: _Value) -> bool:
        """Whether a layer of this entry has left it, and not as it is wanted."""
        made = self._made.get(value.name)
        return made is not None and made[0].layout != value.layout and made[1] is self._entry

    def _taken(self, value: _Value, step: AcceleratedStep, entry: Entry) -> MemoryTensor:
        """What a layer has left, or what the host writes."""
        made = self._made.get(value.name)
        return made[0] if made and made[0].layout == value.layout else self._host_written(value, step, entry)

    def _host_written(self, value: _Value, step: AcceleratedStep, entry: Entry) -> MemoryTensor:
        """A tensor that the host writes before the entry; the one that an earlier layer took, where it is the same."""
        for tensor in self._written:
            if tensor.value == value.name and tensor.layout == value.layout:
                return tensor
        self._read([value.name])
        names = {tensor.name for tensor in self.result.tensors}
        name = value.name if value.name not in names else f"{value.name} for {step.name}"
        name = name if name not in names else f"{value.name} to add in {step.name}"
        tensor = MemoryTensor(
            name,
            value.name,
            value.type,
            value.layout,
            value.scale,
            value.zero_point,
            entry.layers[0],
            entry.layers[-1],
        )
        self.result.tensors.append(tensor)
        self._written.append(tensor)
        entry.inputs.append(tensor)
        return tensor

    def _read(self, names: Sequence[str]) -> None:
        """The host needs these tensors; it reads those that layers made when their entry is over."""
        for name in names:
            if name in self._made:
                tensor, entry = self._made[name]
                if tensor not in entry.outputs:
                    entry.outputs.append(tensor)
                    tensor.last = max(tensor.last, entry.layers[-1])
