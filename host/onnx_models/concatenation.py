"""Concatenations along channels, which cost nothing where each layer can leave its results in their place.

A layer of its own copies what cannot be left there: tensors that others want as they are, or that are put together of
several layers' results themselves. Where channels before a tensor do not fill whole blocks, all are left at the starts
of blocks in a tensor with holes, of which another layer leaves the channels that there are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnx

from wingrid.host.compiler.cutting import Cutting
from wingrid.host.onnx_models.graph import IMAGES, AcceleratedStep, as_type, signed
from wingrid.host.onnx_models.nodes import Consumers, attributes_of
from wingrid.host.onnx_models.refusal import ModelRefused, NotAccelerable
from wingrid.host.onnx_models.session import compute, model_of, open_session, type_of
from wingrid.host.onnx_models.shapes import TensorType
from wingrid.hw.config import TABLE_ENTRIES, AcceleratorConfig

OPERATORS = ("Concat", "QLinearConcat")

BYTES = np.arange(TABLE_ENTRIES, dtype=np.uint8).view(np.int8)
"""Every int8 at its place in a table."""


@dataclass(frozen=True)
class Concatenation:
    """A node that puts tensors of layers behind each other."""

    node: onnx.NodeProto
    inputs: tuple[str, ...]
    firsts: tuple[int, ...]
    """Where in memory the channels of each begin, at the start of a block."""
    channels: tuple[int, ...]
    """Where in memory each of the whole's channels is."""
    copied: tuple[bool, ...]
    """Whether its layer has to leave it where it is."""

    @property
    def output(self) -> str:
        return self.node.output[0]

    @property
    def has_holes(self) -> bool:
        return self.channels != tuple(range(len(self.channels)))

    @classmethod
    def of(
        cls,
        node: onnx.NodeProto,
        makers: Mapping[str, AcceleratedStep],
        consumers: Consumers,
        types: Mapping[str, TensorType],
        config: AcceleratorConfig,
    ) -> Concatenation:
        """The node. Raises ``NotAccelerable`` if a tensor can be neither left in its place nor copied there."""
        inputs = tuple(node.input if node.op_type == "Concat" else node.input[2::3])
        whole = types[node.output[0]]
        if (
            len(whole.shape) not in (3, 4)
            or whole.shape[0] != 1
            or attributes_of(node).get("axis") not in (1, 1 - len(whole.shape))
        ):
            raise NotAccelerable("only channels of a single image are put behind each other in memory")
        firsts, copied = [], []
        channels: list[int] = []
        for name in inputs:
            maker = makers.get(name)
            if maker is None or maker.arrangement != IMAGES:
                raise NotAccelerable(f"{name} is no layer's")
            if maker.target_type.dtype != whole.dtype or Cutting.of(maker.layer.shape, maker.layer.pool):
                raise NotAccelerable(f"{name} is of another type, or cut into sections")
            first = -(-(channels[-1] + 1) // config.cols) * config.cols if channels else 0
            firsts.append(first)
            copied.append(maker.part is not None or consumers.only(name) is not node)
            channels += range(first, first + maker.target_type.shape[1])
        return cls(node, inputs, tuple(firsts), tuple(channels), tuple(copied))

    def functions(
        self, dtype: np.dtype, constants: Mapping[str, npt.NDArray], model: onnx.ModelProto
    ) -> Sequence[npt.NDArray[np.int8]]:
        """What each tensor's bytes become, int8 [256], as ONNX Runtime has it. Raises ``NotAccelerable``."""
        if self.node.op_type == "Concat":
            return [BYTES] * len(self.inputs)
        every = as_type(BYTES, dtype).reshape(1, TABLE_ENTRIES, 1, 1)
        values = dict.fromkeys(self.inputs, every)
        kinds = {name: type_of(name, value) for name, value in values.items()}
        try:
            session = open_session(model_of([self.node], kinds, constants, [self.output], model))
            told = signed(compute(session, values)[self.output])
        except ModelRefused as refusal:
            raise NotAccelerable(str(refusal)) from None
        return list(told.reshape(-1, TABLE_ENTRIES))
