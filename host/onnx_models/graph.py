"""An imported model: layers of the accelerator and steps of the host, in order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import onnx

from wingrid.host.networks.layer import Layer, Operands
from wingrid.host.onnx_models.nodes import taken_by
from wingrid.host.onnx_models.shapes import TensorType

IMAGES = "images"
"""A layer's input as the model has it: [N, C, H, W], or [N, C, W] with a height of one."""

ROWS = "rows"
"""A matrix product: the last axis of the input holds channels, each vector along it is a pixel."""


def signed(values: npt.NDArray) -> npt.NDArray[np.int8]:
    """uint8 as int8, 128 less; int8 as it is."""
    return values if values.dtype == np.int8 else (values ^ np.uint8(128)).view(np.int8)


def as_type(values: npt.NDArray[np.int8], dtype: np.dtype) -> npt.NDArray:
    """The inverse of ``signed``."""
    return values if dtype == np.int8 else values.view(np.uint8) ^ np.uint8(128)


@dataclass(frozen=True)
class Addend:
    """A tensor of the model that a layer adds to its results, of their shape and arrangement."""

    name: str
    type: TensorType
    scale: float
    """The real number that a step of it stands for."""
    zero_point: int
    """As int8."""


class Taken(NamedTuple):
    """What a layer takes, int8: its input [images, C, H, W], and of one that adds the other tensor of its results'
    shape."""

    x: npt.NDArray[np.int8]
    addend: npt.NDArray[np.int8] | None = None


@dataclass(frozen=True)
class Part:
    """Where in a tensor [N, C, H, W], or [N, C, W], the first element of a part of it lies."""

    channel: int = 0
    row: int = 0
    column: int = 0
    row_step: int = 1
    """Rows of the tensor from one row of the part to the next."""
    column_step: int = 1


@dataclass(frozen=True)
class AcceleratedStep:
    """A layer of the accelerator, with what ties it to tensors of the model."""

    layer: Layer
    operands: Operands
    arrangement: str
    source: str
    target: str
    source_type: TensorType
    target_type: TensorType
    nodes: tuple[str, ...]
    """Names of the model's nodes that the layer stands for."""
    repeats: tuple[int, ...] | None = None
    """The model's channel behind each of the layer's, where the host repeats some (see ``SplitWeights``)."""
    source_scale: float = 0.0
    """The real number that a step of the input stands for; 0 where nobody said."""
    target_scale: float = 0.0
    """The same of the output."""
    target_zero: int | None = None
    """The int8 that stands for zero in the output; ``None`` where that is the layer's ``y_zero_point``."""
    addend: Addend | None = None
    """What the layer adds to its results, if it does."""
    part: Part | None = None
    """Of a layer that leaves a part of ``target``, where that begins; ``None`` if it leaves all."""
    model_macs: int | None = None
    """Multiply-adds of the nodes that it stands for, where the layer does others for them."""

    @property
    def name(self) -> str:
        return self.layer.name

    @property
    def macs(self) -> int:
        """Multiply-adds of the model's layer: channels that the host repeats count once."""
        if self.model_macs is not None:
            return self.model_macs
        shape = self.layer.shape
        return shape.macs if self.repeats is None else shape.macs // shape.channels * len(set(self.repeats))

    @property
    def target_zero_point(self) -> int:
        """The int8 that stands for zero in the output, as ``target_scale`` does for one."""
        return self.layer.y_zero_point if self.target_zero is None else self.target_zero

    @property
    def channel_axis(self) -> int:
        """Where in the model's tensors channels are."""
        return 1 if self.arrangement == IMAGES else len(self.target_type.shape) - 1

    def layer_input(self, values: npt.NDArray) -> npt.NDArray[np.int8]:
        """The model's tensor as the layer takes it, int8 [images, C, H, W]."""
        shape = self.layer.shape
        x = self._arranged(signed(values), shape.height, shape.width)
        return np.ascontiguousarray(x if self.repeats is None else x[:, self.repeats])

    def layer_addend(self, values: npt.NDArray) -> npt.NDArray[np.int8]:
        """The model's tensor as the layer adds it, int8 of ``layer.addend_shape``."""
        _, _, height, width = self.layer.addend_shape
        return np.ascontiguousarray(self._arranged(signed(values), height, width))

    def _arranged(self, x: npt.NDArray[np.int8], height: int, width: int) -> npt.NDArray[np.int8]:
        if self.arrangement == IMAGES:
            return x.reshape(self.layer.shape.images, x.shape[1], height, width)
        vectors = x.reshape(-1, x.shape[-1])
        pixels = np.zeros((height * width, x.shape[-1]), np.int8)
        pixels[: len(vectors)] = vectors
        return pixels.T.reshape(1, -1, height, width)

    @property
    def left_type(self) -> TensorType:
        """Of what the layer leaves, ``target`` or its part of that."""
        whole = self.target_type
        if self.part is None:
            return whole
        images, channels, *size = self.layer.output_shape
        return TensorType(whole.dtype, (images, channels, *size))

    def left_in(self, whole: npt.NDArray) -> npt.NDArray:
        """The layer's part of the model's tensor, as a view."""
        if self.part is None:
            return whole
        _, channels, height, width = self.left_type.shape
        part = self.part
        images = whole if whole.ndim == 4 else whole[:, :, None]  # a line is an image of one row
        pixels = images[:, part.channel :, part.row :: part.row_step, part.column :: part.column_step]
        return pixels[:, :channels, :height, :width]

    def model_output(self, y: npt.NDArray[np.int8]) -> npt.NDArray:
        """What the layer leaves, as the model has it."""
        wanted = self.left_type
        if self.arrangement == ROWS:
            vectors = int(np.prod(wanted.shape[:-1], dtype=np.int64))
            y = y.reshape(self.layer.shape.kernels, -1)[:, :vectors].T
        return as_type(np.ascontiguousarray(y).reshape(wanted.shape), wanted.dtype)


@dataclass(frozen=True)
class HostStep:
    """A node that the host leaves to ONNX Runtime."""

    node: onnx.NodeProto
    reason: str
    """Why it is not the accelerator's."""
    macs: int | None = 0
    """Multiply-adds, see ``multiply_adds``."""
    remedy: str = ""
    """What would bring it to the accelerator, if anything would."""

    @property
    def name(self) -> str:
        return self.node.name

    @property
    def operator(self) -> str:
        return self.node.op_type


Step = AcceleratedStep | HostStep


def inputs_of(step: Step) -> list[str]:
    """Names of the tensors that a step takes."""
    if isinstance(step, AcceleratedStep):
        return [step.source, step.addend.name] if step.addend else [step.source]
    return list(taken_by(step.node))


def outputs_of(step: Step) -> list[str]:
    """Names of the tensors that a step leaves."""
    return [step.target] if isinstance(step, AcceleratedStep) else [name for name in step.node.output if name]


@dataclass(frozen=True)
class ImportedGraph:
    """A model for inputs of certain shapes."""

    model: onnx.ModelProto = field(repr=False)
    """In canonical form, its inputs' shapes bound: what ONNX Runtime runs to judge the outcome."""
    optimised: onnx.ModelProto = field(repr=False)
    constants: dict[str, npt.NDArray] = field(repr=False)
    inputs: Mapping[str, TensorType]
    outputs: Mapping[str, TensorType | None]
    """``None`` where the shape depends on data."""
    steps: tuple[Step, ...]
    int8_kernels: bool = True
    """Whether ONNX Runtime may use its int8 kernels wherever it can, see ``open_session``."""
    changes: tuple[str, ...] = ()
    """A sentence for each thing that is not as the file has it."""

    @property
    def accelerated(self) -> list[AcceleratedStep]:
        return [step for step in self.steps if isinstance(step, AcceleratedStep)]

    @property
    def layers(self) -> list[Layer]:
        """What the accelerator does, in order."""
        return [step.layer for step in self.accelerated]

    @property
    def host_steps(self) -> list[HostStep]:
        return [step for step in self.steps if isinstance(step, HostStep)]
