"""Additions of two tensors, which a layer that leaves one of them takes over, or a layer that changes nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy.typing as npt
import onnx

from wingrid.host.compiler.algorithms import require_way
from wingrid.host.networks.layer import Addition, LayerError
from wingrid.host.onnx_models.addition_proof import QuantisedSum
from wingrid.host.onnx_models.graph import AcceleratedStep, Addend
from wingrid.host.onnx_models.identity_layers import identity_layer
from wingrid.host.onnx_models.nodes import Consumers
from wingrid.host.onnx_models.refusal import ModelRefused, NotAccelerable
from wingrid.host.onnx_models.shapes import TensorType
from wingrid.host.onnx_models.tensors import ACTIVATIONS
from wingrid.hw.config import AcceleratorConfig

OPERATOR = "QLinearAdd"


@dataclass(frozen=True)
class TensorAddition:
    """A node that adds two tensors of one shape and type of bytes, neither of them constant."""

    node: onnx.NodeProto
    terms: tuple[Addend, Addend]
    total: Addend
    sum: QuantisedSum

    @classmethod
    def of(
        cls, node: onnx.NodeProto, constants: Mapping[str, npt.NDArray], types: Mapping[str, TensorType]
    ) -> TensorAddition:
        """The node. Raises ``NotAccelerable`` for another kind of addition."""
        numbers = QuantisedSum.of(node, constants)
        if numbers is None:
            raise NotAccelerable("an addition needs constant scales and zero points, one for each tensor")
        names = node.input[0], node.input[3], node.output[0]
        first, second, total = (
            Addend(name, _bytes(name, types), scale, zero_point)
            for name, scale, zero_point in zip(names, numbers.scales, numbers.zero_points, strict=True)
        )
        if first.type != total.type or second.type != total.type:
            raise NotAccelerable(
                f"an addition of {list(first.type.shape)} and {list(second.type.shape)} is not the accelerator's: "
                "both have to be of the sum's shape and type"
            )
        if first.name == second.name or first.name in constants or second.name in constants:
            raise NotAccelerable("an addition of one tensor to itself, or of a constant one, is not the accelerator's")
        return cls(node, (first, second), total, numbers)

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
            if maker.layer.pool or maker.layer.addition or maker.part is not None:
                continue
            if consumers.only(term.name) is self.node:
                try:
                    return self._with(maker, term, model, config), maker
                except LayerError as error:
                    refusal = error
        for term in reversed(made):
            try:
                return self._with(identity_layer(self.node.name, "add", makers[term.name]), term, model, config), None
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
        """The integers that add first and second term. Raises ``NotAccelerable`` if there are none."""
        try:
            addition = self.sum.proven(self.node, model)
        except ModelRefused as refusal:
            raise NotAccelerable(str(refusal)) from None
        if addition is None:
            raise NotAccelerable("no integers add all pairs of bytes as ONNX Runtime does")
        return addition


def _bytes(name: str, types: Mapping[str, TensorType]) -> TensorType:
    """The tensor's type. Raises ``NotAccelerable`` if it is not known, or its values have no 8 bits."""
    kind = types.get(name)
    if kind is None or kind.dtype not in ACTIVATIONS:
        raise NotAccelerable(f"the type or shape of {name} is not known, or it has no 8 bits")
    return kind
