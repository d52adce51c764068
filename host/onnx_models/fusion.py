"""What follows a layer and becomes part of it: max pooling, and whatever is a function of each byte by itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnx

from wingrid.host.compiler.algorithms import require_way
from wingrid.host.networks.layer import LayerError, Lookup, Pool
from wingrid.host.onnx_models.affine_maps import ChannelAxis
from wingrid.host.onnx_models.byte_functions import byte_part
from wingrid.host.onnx_models.concatenation import BYTES, Concatenation
from wingrid.host.onnx_models.constant_arithmetic import computed_constants
from wingrid.host.onnx_models.elementwise import quantisation_of_output
from wingrid.host.onnx_models.exhaustion import Exhaustion
from wingrid.host.onnx_models.graph import IMAGES, AcceleratedStep, Part, signed
from wingrid.host.onnx_models.holes import Gathering
from wingrid.host.onnx_models.identity_layers import identity_layer, selecting_layer
from wingrid.host.onnx_models.nodes import Consumers, attributes_of, padding_of
from wingrid.host.onnx_models.refusal import ModelRefused, NotAccelerable
from wingrid.host.onnx_models.shapes import TensorType
from wingrid.host.onnx_models.tensor_combination import TensorCombination
from wingrid.hw.config import TABLE_ENTRIES, AcceleratorConfig
from wingrid.sim.golden.lookup import looked_up

CLAMPING = ("Clip", "DequantizeLinear", "Identity", "Max", "Min", "QuantizeLinear", "Relu")
"""Operators that may amount to a clamp; to ask for others is worth the time only where there are tables."""


@dataclass(frozen=True)
class Left:
    """Why a node behind a layer did not become part of it, and what would change that, if anything would."""

    reason: str
    remedy: str = ""


DEPENDS_ON_PLACE = Left("ONNX Runtime's result for a byte depends on where in the tensor it stands")
NO_ADDENDS = Left("this accelerator combines results with no other tensors", "--set addends=1024")
NO_TABLES = Left("this accelerator has no tables for functions of a byte", "--set tables=8")
FALLS = Left("it follows max pooling and is not monotonic, so it cannot go before it")


class Falls(NotAccelerable):
    """A function behind max pooling that is not monotonic, or any behind a combination."""


class Fusion:
    """Makes layers take over what follows them."""

    def __init__(
        self,
        model: onnx.ModelProto,
        constants: Mapping[str, npt.NDArray],
        types: Mapping[str, TensorType],
        config: AcceleratorConfig,
    ) -> None:
        self._model = model
        self._consumers = Consumers(model.graph)
        self.computed = computed_constants(model, self._consumers, constants)
        """Constants that nodes compute from others."""
        self.constants = {**constants, **self.computed}
        """All that do not depend on inputs."""
        self._types = types
        self._config = config
        self.left: dict[str, Left] = {}
        """By name, the nodes so far that could have become part of a layer and did not."""
        self.gatherings: list[Gathering] = []
        """Layers so far that gather the channels of a tensor with holes."""

    def extended(self, step: AcceleratedStep) -> AcceleratedStep:
        """The layer with all that it can take over of what follows it."""
        while longer := self._pooled(step) or self._looked_up(step):
            step = longer
        return step

    def all_extended(self, steps: Sequence[AcceleratedStep]) -> list[AcceleratedStep]:
        """The layers, each with what it can take over; of those that leave parts of one tensor all, or none."""
        found: list[AcceleratedStep] = []
        for target in dict.fromkeys(step.target for step in steps):
            parts = [step for step in steps if step.target == target]
            if target not in self._types:  # it is none of the model's, but one layer's for the next
                found += parts
            else:
                found += [self.extended(parts[0])] if parts[0].part is None else self._parts_extended(parts)
        return found

    def _parts_extended(self, parts: list[AcceleratedStep]) -> list[AcceleratedStep]:
        """Layers that leave parts of a tensor, with functions of each byte behind it."""
        while True:
            longer = [step for part in parts if (step := self._looked_up(part))]
            if len(longer) < len(parts) or len({step.target for step in longer}) > 1:
                return parts
            parts = longer

    def by_itself(self, node: onnx.NodeProto, makers: Mapping[str, AcceleratedStep]) -> AcceleratedStep | None:
        """A layer that does the node, and as much of what follows as it can, to a tensor that others take too.

        ``None`` if the node is no function of each byte of a tensor that a layer leaves.
        """
        if node.name in self.left:
            return None
        for source in dict.fromkeys(node.input):
            if source not in makers:
                continue
            (first,) = (at for at in self._consumers.positions(source) if self._consumers.node(at).name == node.name)
            step = self._looked_up(identity_layer(node.name, "lookup", makers[source]), first)
            if step:
                return self.extended(step)
        return None

    def concatenated(self, node: onnx.NodeProto, makers: Mapping[str, AcceleratedStep]) -> list[AcceleratedStep] | None:
        """The layers that leave their results where the node would put them, in place of those in ``makers``.

        A layer that takes the very tensor copies it, where its maker has to leave it where it is. Of a tensor with
        holes a layer leaves the channels. ``None`` if one of them can do neither.
        """
        try:
            found = Concatenation.of(node, makers, self._consumers, self._types, self._config)
            whole = self._types[found.output]
            functions = found.functions(whole.dtype, self.constants, self._model)
            target, kind = found.output, whole
            if found.has_holes:
                target = f"{found.output} in blocks"
                kind = TensorType(whole.dtype, (whole.shape[0], found.channels[-1] + 1, *whole.shape[2:]))
            parts = [
                dataclasses.replace(
                    self._part(f"{node.name} part {number}", makers[name], function, copied),
                    target=target,
                    target_type=kind,
                    part=Part(first),
                )
                for number, (name, first, copied, function) in enumerate(
                    zip(found.inputs, found.firsts, found.copied, functions, strict=True)
                )
            ]
        except NotAccelerable as refusal:
            self._leave([node], Left(str(refusal)))
            return None
        scale, zero_point = self._quantisation(node)
        if node.op_type == "Concat":
            # All of them are of one scale, or it would be another operator.
            scale, zero_point = parts[0].target_scale, parts[0].target_zero_point
        parts = [
            dataclasses.replace(part, target_scale=scale, target_zero=zero_point, nodes=(*part.nodes, node.name))
            for part in parts
        ]
        if found.has_holes:
            joined = selecting_layer(node.name, parts[-1], found.channels)
            joined = dataclasses.replace(joined, target=found.output, target_type=whole, nodes=(node.name,))
            extended = self.extended(joined)
            if extended is joined:
                self.gatherings.append(Gathering(node.name, target, kind, found.output, found.channels))
            parts.append(extended)
        return parts

    def _part(self, name: str, maker: AcceleratedStep, table: npt.NDArray[np.int8], copied: bool) -> AcceleratedStep:
        """The layer, or one of that name that copies what it leaves, with each byte replaced by what the table has."""
        if not copied:
            try:
                return self._with_bytes(maker, table)
            except Falls:
                pass
        return self._with_bytes(identity_layer(name, "copy", maker), table)

    def combined(
        self, node: onnx.NodeProto, makers: Mapping[str, AcceleratedStep]
    ) -> tuple[AcceleratedStep, AcceleratedStep | None] | None:
        """A layer that adds or multiplies two tensors, and the one that it takes the place of, if it does.

        ``makers`` are the layers so far by what each leaves, the earliest first. ``None`` if no layer can.
        """
        if not self._config.addends:
            self._leave([node], NO_ADDENDS)
            return None
        try:
            found = TensorCombination.of(node, self.constants, self._types)
            step, replaced = found.fused(makers, list(makers), self._consumers, self._model, self._config)
        except NotAccelerable as refusal:
            self._leave([node], Left(str(refusal)))
            return None
        return self.extended(step), replaced

    def _with_bytes(self, step: AcceleratedStep, table: npt.NDArray[np.int8]) -> AcceleratedStep:
        """The layer with each of its bytes replaced by what the table has. Raises ``NotAccelerable``."""
        before = _function_of(step)
        if step.layer.combination:
            if not np.array_equal(table, BYTES):
                raise Falls
            return step
        if step.layer.pool and (np.diff(table[np.unique(before).view(np.uint8)].astype(np.int16)) < 0).any():
            raise Falls
        longer = _with_function(step, _composed(before, table))
        if longer.layer.lookup and not self._config.tables:
            raise NotAccelerable("tensors of several scales need tables: --set tables=8")
        return longer

    def _pooled(self, step: AcceleratedStep) -> AcceleratedStep | None:
        """With the max pooling behind it, if there is one that the accelerator does on its way out."""
        node = self._consumers.only(step.target)
        if node is None or node.op_type != "MaxPool" or node.domain not in ("", "ai.onnx") or step.layer.pool:
            return None
        attributes, sizes = attributes_of(node), step.target_type.shape[2:]
        if step.arrangement != IMAGES or len(sizes) != 2 or len([name for name in node.output if name]) != 1:
            return None
        kernel = attributes["kernel_shape"]
        strides, dilations = (attributes.get(name, [1, 1]) for name in ("strides", "dilations"))
        padding = padding_of(attributes, sizes, kernel, strides, dilations)
        if kernel[0] != kernel[1] or strides[0] != strides[1] or any(padding) or list(dilations) != [1, 1]:
            return None
        left = self._types[node.output[0]]
        try:
            layer = dataclasses.replace(step.layer, pool=Pool(kernel[0], strides[0]))
            require_way(layer, self._config)
        except LayerError:
            return None
        if layer.output_shape != left.shape:  # with ceil_mode, windows overhang
            return None
        return dataclasses.replace(
            step, layer=layer, target=node.output[0], target_type=left, nodes=(*step.nodes, node.name)
        )

    def _looked_up(self, step: AcceleratedStep, first: int | None = None) -> AcceleratedStep | None:
        """With the largest function of each byte behind it that is a clamp, or for which there is a table.

        It is all that follows, or begins with the node at position ``first``.
        """
        rank = len(step.target_type.shape)
        if rank < 2:
            return None
        channels = ChannelAxis(rank, step.channel_axis, step.layer.shape.kernels)
        part = byte_part(step.target, channels, self._consumers, self.constants, self._types, first)
        if part is not None and step.layer.combination:
            part = part.of_operators(CLAMPING)
        elif part is not None and not self._config.tables:
            self._leave(part.nodes, NO_TABLES)
            part = part.of_operators(CLAMPING)
        if part is None:
            return None
        before = _function_of(step)
        reachable = np.unique(before)
        try:
            tables = Exhaustion(part, reachable, self.constants, self._types, self._model).proven()
        except ModelRefused:  # so will the host be, if it gets there
            return None
        for (end, count), table in reversed(list(zip(part.ends, tables, strict=True))):
            nodes = part.nodes[:count]
            if step.layer.combination and (table is None or (table != BYTES).any()):
                # A layer of its own may do it.
                continue
            found = self._with_table(step, nodes, end, before, reachable, table)
            if isinstance(found, AcceleratedStep):
                return found
            self._leave(nodes, found)
        return None

    def _leave(self, nodes: Sequence[onnx.NodeProto], left: Left) -> None:
        for node in nodes:
            self.left.setdefault(node.name, left)

    def _with_table(
        self,
        step: AcceleratedStep,
        nodes: Sequence[onnx.NodeProto],
        end: str,
        before: npt.NDArray[np.int8],
        reachable: npt.NDArray[np.int8],
        table: npt.NDArray[np.int8] | None,
    ) -> AcceleratedStep | Left:
        """The layer with nodes that do what the table says, up to the tensor ``end``, or why not."""
        if table is None:
            return DEPENDS_ON_PLACE
        if step.layer.pool and (np.diff(table[..., reachable.view(np.uint8)].astype(np.int16)) < 0).any():
            return FALLS
        longer = step if step.layer.combination else _with_function(step, _composed(before, table))
        if longer.layer.lookup and not self._config.tables:
            return NO_TABLES
        try:
            require_way(longer.layer, self._config)
        except LayerError as error:
            return Left(str(error))
        scale, zero_point = self._quantisation(nodes[-1])
        return dataclasses.replace(
            longer,
            target=end,
            target_type=self._types[end],
            target_scale=scale,
            target_zero=zero_point,
            nodes=(*step.nodes, *(node.name for node in nodes)),
        )

    def _quantisation(self, node: onnx.NodeProto) -> tuple[float, int]:
        """Scale and zero point, as int8, of what the node leaves; 0 and 0 if it has one for each channel, or none."""
        names = quantisation_of_output(node)
        scale = self.constants.get(names[0]) if names else None
        if names is None or scale is None or scale.size != 1:
            return 0.0, 0
        dtype = self._types[node.output[0]].dtype
        zero_point = self.constants.get(names[1], np.zeros(1, dtype))
        return float(scale.reshape(())), int(signed(zero_point.reshape(1))[0])


def _function_of(step: AcceleratedStep) -> npt.NDArray[np.int8]:
    """What the layer makes of each requantised result, or leaves of each sum: int8 [256], or [kernels, 256]."""
    if step.layer.combination:
        return BYTES
    layer, table = step.layer, step.operands.table
    clamped = np.clip(BYTES, layer.minimum, layer.maximum)
    return clamped if table is None else table[..., clamped.view(np.uint8)]


def _composed(first: npt.NDArray[np.int8], second: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
    """One table for two that follow each other, [256] if all channels have the same."""
    rows = max(first.size, second.size) // TABLE_ENTRIES
    both = [np.broadcast_to(table, (rows, TABLE_ENTRIES)) for table in (first, second)]
    composed = looked_up(np.ascontiguousarray(both[0]), both[1])
    return composed[0] if (composed == composed[0]).all() else composed


def _with_function(step: AcceleratedStep, function: npt.NDArray[np.int8]) -> AcceleratedStep:
    """The layer with this function of each requantised result, a clamp if it is one, in place of what it had."""
    low, high = int(function.min()), int(function.max())
    if np.array_equal(function, np.clip(BYTES, low, high)):
        layer = dataclasses.replace(step.layer, minimum=low, maximum=high, lookup=None)
        return dataclasses.replace(step, layer=layer, operands=dataclasses.replace(step.operands, table=None))
    lookup = Lookup.CHANNEL if function.ndim == 2 else Lookup.LAYER
    layer = dataclasses.replace(step.layer, minimum=int(BYTES.min()), maximum=int(BYTES.max()), lookup=lookup)
    return dataclasses.replace(step, layer=layer, operands=dataclasses.replace(step.operands, table=function))
