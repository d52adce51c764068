"""Sums and products of two tensors, which a layer that leaves one of them takes over, or one that changes nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass

import numpy.typing as npt
import onnx

from wingrid.host.compiler.algorithms import require_way
from wingrid.host.networks.layer import Combination, LayerError
from wingrid.host.onnx_models.combination_proof import KINDS, QuantisedCombination
from wingrid.host.onnx_models.graph import IMAGES, AcceleratedStep, Addend
from wingrid.host.onnx_models.identity_layers import identity_layer
from wingrid.host.onnx_models.nodes import Consumers
from wingrid.host.onnx_models.refusal import ModelRefused, NotAccelerable
from wingrid.host.onnx_models.shapes import TensorType
from wingrid.host.onnx_models.tensors import ACTIVATIONS
from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.isa import Combining

WORDS = {Combining.SUM: ("an addition", "add"), Combining.PRODUCT: ("a multiplication", "multiply")}
"""What a combination is called, and what it does."""


def combines(node: onnx.NodeProto, constants: Container[str]) -> bool:
    """Whether the node combines two tensors: else it is a function of each byte of one of them."""
    if node.op_type not in KINDS:
        return False
    first, second = node.input[0], node.input[3]
    return first != second and first not in constants and second not in constants


@dataclass(frozen=True)
class TensorCombination:
    """A node that adds or multiplies two tensors of one type of bytes.

    Both are of the same shape, or a factor is a gate: it has one number for all pixels of a channel.
    """

    node: onnx.NodeProto
    terms: tuple[Addend, Addend]
    left: Addend
    numbers: QuantisedCombination
    gate: Addend | None

    @classmethod
    def of(
        cls, node: onnx.NodeProto, constants: Mapping[str, npt.NDArray], types: Mapping[str, TensorType]
    ) -> TensorCombination:
        """The node, one that ``combines``. Raises ``NotAccelerable`` for what the accelerator does not combine."""
        numbers = QuantisedCombination.of(node, constants)
        what, _ = WORDS[KINDS[node.op_type]]
        if numbers is None:
            raise NotAccelerable(f"{what} needs constant scales and zero points, one for each tensor")
        names = node.input[0], node.input[3], node.output[0]
        first, second, left = (
            Addend(name, _bytes(name, types), scale, zero_point)
            for name, scale, zero_point in zip(names, numbers.scales, numbers.zero_points, strict=True)
        )
        others = [term for term in (first, second) if term.type != left.type]
        gate = others[0] if others else None
        if gate and not (len(others) == 1 and numbers.kind is Combining.PRODUCT and _is_gate(gate.type, left.type)):
            may = " or one of them has a number for each channel" if numbers.kind is Combining.PRODUCT else ""
            raise NotAccelerable(
                f"{what} of {list(first.type.shape)} and {list(second.type.shape)} is not the accelerator's: "
                f"both have to be of the result's shape and type{may}"
            )
        return cls(node, (first, second), left, numbers, gate)

    def fused(
        self,
        makers: Mapping[str, AcceleratedStep],
        order: Sequence[str],
        consumers: Consumers,
        model: onnx.ModelProto,
        config: AcceleratorConfig,
    ) -> tuple[AcceleratedStep, AcceleratedStep | None]:
        """A layer that combines, and the one in whose place it is, if it is in one's.

        ``makers`` are the layers so far by what each leaves, ``order`` those tensors, the earliest first. The later of
        the two layers combines, if nobody else wants what it leaves; or the other one; or a layer that changes nothing.
        Raises ``NotAccelerable``.
        """
        what, verb = WORDS[self.numbers.kind]
        made = [term for term in self.terms if term.name in makers and term is not self.gate]
        made.sort(key=lambda term: order.index(term.name))
        if not made:
            raise NotAccelerable(f"{what} of what the host has is the host's")
        if self.gate:
            made = [term for term in made if makers[term.name].arrangement == IMAGES]
        refusal: LayerError | None = None
        for term in reversed(made):
            maker = makers[term.name]
            if maker.layer.pool or maker.layer.combination or maker.part is not None:
                continue
            if consumers.only(term.name) is self.node:
                try:
                    return self._with(maker, term, model, config), maker
                except LayerError as error:
                    refusal = error
        for term in reversed(made):
            try:
                return self._with(identity_layer(self.node.name, verb, makers[term.name]), term, model, config), None
            except LayerError as error:
                refusal = error
        raise NotAccelerable(str(refusal) if refusal else f"{what} of such tensors is not the accelerator's")

    def _with(
        self, maker: AcceleratedStep, term: Addend, model: onnx.ModelProto, config: AcceleratorConfig
    ) -> AcceleratedStep:
        """The layer that leaves ``term``, with the combination. Raises ``LayerError`` and ``NotAccelerable``."""
        other = self.terms[1] if term is self.terms[0] else self.terms[0]
        kind, gated = self.numbers.kind, self.gate is not None
        layer = dataclasses.replace(maker.layer, combination=Combination(kind, 0, broadcast=gated))
        require_way(layer, config)
        combination = dataclasses.replace(self._proven(model), broadcast=gated)
        if term is self.terms[1]:
            combination = combination.swapped
        return dataclasses.replace(
            maker,
            layer=dataclasses.replace(layer, combination=combination),
            addend=other,
            target=self.left.name,
            target_type=self.left.type,
            target_scale=self.left.scale,
            target_zero=self.left.zero_point,
            nodes=tuple(dict.fromkeys((*maker.nodes, self.node.name))),
        )

    def _proven(self, model: onnx.ModelProto) -> Combination:
        """The integers that combine first and second term. Raises ``NotAccelerable`` if there are none."""
        try:
            combination = self.numbers.proven(self.node, model)
        except ModelRefused as refusal:
            raise NotAccelerable(str(refusal)) from None
        if combination is None:
            _, verb = WORDS[self.numbers.kind]
            raise NotAccelerable(f"no integers {verb} all pairs of bytes as ONNX Runtime does")
        return combination


def _is_gate(kind: TensorType, of: TensorType) -> bool:
    """Whether a tensor has a number for each channel of images of another one."""
    rank = len(of.shape)
    return rank > 2 and kind.dtype == of.dtype and kind.shape == (*of.shape[:2], *(1,) * (rank - 2))


def _bytes(name: str, types: Mapping[str, TensorType]) -> TensorType:
    """The tensor's type. Raises ``NotAccelerable`` if it is not known, or its values have no 8 bits."""
    kind = types.get(name)
    if kind is None or kind.dtype not in ACTIVATIONS:
        raise NotAccelerable(f"the type or shape of {name} is not known, or it has no 8 bits")
    return kind
