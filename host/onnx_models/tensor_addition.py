"""Additions of two tensors, which a layer that leaves one of them takes over, or a layer that changes nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnx

from wingrid.host.compiler.algorithms import require_way
from wingrid.host.networks.layer import Addition, Convolution, Layer, LayerError, Operands
from wingrid.host.onnx_models.addition_proof import QuantisedSum
from wingrid.host.onnx_models.graph import IMAGES, AcceleratedStep, Addend, signed
from wingrid.host.onnx_models.layer_reading import ACTIVATIONS
from wingrid.host.onnx_models.nodes import Consumers
from wingrid.host.onnx_models.refusal import ModelRefused, NotAccelerable
from wingrid.host.onnx_models.shapes import TensorType
from wingrid.hw.config import AcceleratorConfig

OPERATOR = "QLinearAdd"


@dataclass(frozen=True)
class TensorAddition:
    """A node that adds two tensors of one shape and type of bytes, neither of them constant."""

    node: onnx.NodeProto
    terms: tuple[Addend, Addend]
    total: Addend

    @classmethod
    def of(
        cls, node: onnx.NodeProto, constants: Mapping[str, npt.NDArray], types: Mapping[str, TensorType]
    ) -> TensorAddition:
        """The node. Raises ``NotAccelerable`` for another kind of addition."""
        names = [*node.input, ""][:8]
        first, second, total = (
            _quantised(name, scale, zero_point, constants, types)
            for name, scale, zero_point in (names[0:3], names[3:6], (node.output[0], *names[6:8]))
        )
        if first.type != total.type or second.type != total.type:
            raise NotAccelerable(
                f"an addition of {list(first.type.shape)} and {list(second.type.shape)} is not the accelerator's: "
                "both have to be of the sum's shape and type"
            )
        if first.name == second.name or first.name in constants or second.name in constants:
            raise NotAccelerable("an addition of one tensor to itself, or of a constant one, is not the accelerator's")
        return cls(node, (first, second), total)

    def fused(
        self,
        makers: Mapping[str, AcceleratedStep],
        order: Sequence[str],
        consumers: Consumers,
        model: onnx.ModelProto,
        config: AcceleratorConfig,
    ) -> tuple[AcceleratedStep, AcceleratedStep | None]:
        """A layer that adds, and the one in whose place it is, if it is in one's.

        ``makers`` are the layers so far by what each leaves, ``order`` those tensors, the earliest first. The later of
        the two layers adds, if nobody else wants what it leaves; or the other one; or a layer that changes nothing.
        Raises ``NotAccelerable``.
        """
        made = sorted((term for term in self.terms if term.name in makers), key=lambda term: order.index(term.name))
        if not made:
            raise NotAccelerable("an addition of what the host has is the host's")
        refusal: LayerError | None = None
        for term in reversed(made):
            maker = makers[term.name]
            if maker.layer.pool or maker.layer.addition or maker.first_channel is not None:
                continue
            if consumers.only(term.name) is self.node:
                try:
                    return self._with(maker, term, model, config), maker
                except LayerError as error:
                    refusal = error
        for term in reversed(made):
            if makers[term.name].arrangement == IMAGES and len(term.type.shape) == 4:
                try:
                    return self._with(_unchanged(self.node.name, term), term, model, config), None
                except LayerError as error:
                    refusal = error
        raise NotAccelerable(str(refusal) if refusal else "an addition of such tensors is not the accelerator's")

    def _with(
        self, maker: AcceleratedStep, term: Addend, model: onnx.ModelProto, config: AcceleratorConfig
    ) -> AcceleratedStep:
        """The layer that leaves ``term`` with the addition behind it. Raises ``LayerError`` and ``NotAccelerable``."""
        other = self.terms[1] if term is self.terms[0] else self.terms[0]
        layer = dataclasses.replace(maker.layer, addition=Addition(0, 0, 0))
        require_way(layer, config)
        addition = self._proven(model)
        if term is self.terms[1]:
            addition = dataclasses.replace(addition, factor=addition.addend_factor, addend_factor=addition.factor)
        return dataclasses.replace(
            maker,
            layer=dataclasses.replace(layer, addition=addition),
            addend=other,
            target=self.total.name,
            target_type=self.total.type,
            target_scale=self.total.scale,
            target_zero=self.total.zero_point,
            nodes=tuple(dict.fromkeys((*maker.nodes, self.node.name))),
        )

    def _proven(self, model: onnx.ModelProto) -> Addition:
        numbers = (*self.terms, self.total)
        scales, zero_points = [tensor.scale for tensor in numbers], [tensor.zero_point for tensor in numbers]
        total = QuantisedSum(
            (scales[0], scales[1], scales[2]), (zero_points[0], zero_points[1], zero_points[2]), self.total.type.dtype
        )
        try:
            addition = total.proven(self.node, model)
        except ModelRefused as refusal:
            raise NotAccelerable(str(refusal)) from None
        if addition is None:
            raise NotAccelerable("no integers add all pairs of bytes as ONNX Runtime does")
        return addition


def _quantised(
    name: str,
    scale: str,
    zero_point: str,
    constants: Mapping[str, npt.NDArray],
    types: Mapping[str, TensorType],
) -> Addend:
    kind = types.get(name)
    if kind is None or kind.dtype not in ACTIVATIONS:
        raise NotAccelerable(f"the type or shape of {name} is not known, or it has no 8 bits")
    step, zero = constants.get(scale), constants.get(zero_point, np.zeros(1, kind.dtype))
    if step is None or step.size != 1 or zero.size != 1 or (zero_point and zero_point not in constants):
        raise NotAccelerable(f"{name} has no constant scale and zero point, one of each")
    return Addend(name, kind, float(step.reshape(())), int(signed(zero.reshape(1))[0]))


def _unchanged(name: str, term: Addend) -> AcceleratedStep:
    """A layer that leaves the tensor as it is."""
    images, channels, height, width = term.type.shape
    shape = Convolution(channels, height, width, channels, groups=channels, images=images)
    operands = Operands(
        np.ones((channels, 1, 1, 1), np.int8), np.zeros(channels, np.int32), np.ones(channels, np.float32)
    )
    layer = Layer(name, "add", shape, term.zero_point, term.zero_point)
    return AcceleratedStep(
        layer, operands, IMAGES, term.name, term.name, term.type, term.type, (name,), None, term.scale, term.scale
    )
