"""How close an int8 model comes to the float model that it was made of: its outputs, and each quantised tensor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import onnx

from wingrid.host.execution.listener import Listener
from wingrid.host.execution.quantisation_result import Closeness
from wingrid.host.onnx_models.closeness import ClosenessSums
from wingrid.host.onnx_models.inputs import Values
from wingrid.host.onnx_models.model_file import Model
from wingrid.host.onnx_models.quantising import Quantised
from wingrid.host.onnx_models.session import Level, compute, open_session

WORST = 5
"""Layers that are named."""

MOVES = ("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose")
"""Operators that leave values as they are: no layers to name beside the one that made the values."""


@dataclass(frozen=True)
class Accuracy:
    """Of all outputs, and of the quantised tensors that are least close."""

    outputs: Sequence[Closeness]
    worst: Sequence[Closeness]


def accuracy(before: Model, after: Quantised, feeds: Iterable[Values], listener: Listener) -> Accuracy:
    """Run both models on ``feeds``, the int8 one as it is and with its inner tensors laid open.

    Raises ``ModelRefused`` if ONNX Runtime cannot run one of them.
    """
    float_session, int8_session = open_session(before.proto), open_session(after.model.proto)
    pairs = quantised_tensors(after)
    # Without optimisation, as that would merge what lies between.
    float_inside = open_session(_exposing(after.prepared, list(pairs)), Level.ORT_DISABLE_ALL)
    int8_inside = open_session(_exposing(after.model.proto, list(pairs.values())), Level.ORT_DISABLE_ALL)
    outputs = {value.name: ClosenessSums() for value in before.proto.graph.output}
    inside = {name: ClosenessSums() for name in pairs}
    for done, feed in enumerate(feeds, 1):
        expected, found = compute(float_session, feed), compute(int8_session, feed)
        for name, sums in outputs.items():
            sums.add(expected[name], found[name])
        expected, found = compute(float_inside, feed), compute(int8_inside, feed)
        for name, sums in inside.items():
            sums.add(expected[name], found[pairs[name]])
        listener.simulated("comparing", done)
    makers = {name: node for node in after.prepared.graph.node for name in node.output}
    layers = [sums.closeness(makers[name].name, makers[name].op_type) for name, sums in inside.items()]
    return Accuracy(
        [sums.closeness(name, makers[name].op_type if name in makers else "input") for name, sums in outputs.items()],
        sorted((layer for layer in layers if layer.snr_db is not None), key=_ratio)[:WORST],
    )


def _ratio(layer: Closeness) -> float:
    assert layer.snr_db is not None
    return layer.snr_db


def quantised_tensors(after: Quantised) -> dict[str, str]:
    """Tensors that the float model's nodes make, and the int8 model's tensors that hold them, quantised and back."""
    nodes = (node for node in after.prepared.graph.node if node.op_type not in MOVES)
    made = {name for node in nodes for name in node.output if name}
    return dict(_pairs(after.model.proto, made))


def _pairs(model: onnx.ModelProto, made: set[str]) -> Iterator[tuple[str, str]]:
    quantisers = {node.output[0]: node for node in model.graph.node if node.op_type == "QuantizeLinear"}
    for node in model.graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in quantisers:
            # Of an output of the model, what comes back has the name; of other tensors, what goes in.
            for name in (node.output[0], quantisers[node.input[0]].input[0]):
                if name in made:
                    yield name, node.output[0]
                    break


def _exposing(model: onnx.ModelProto, names: Iterable[str]) -> onnx.ModelProto:
    """The model with these tensors among its outputs."""
    exposed = onnx.ModelProto()
    exposed.CopyFrom(model)
    known = {value.name for value in exposed.graph.output}
    exposed.graph.output.extend(onnx.ValueInfoProto(name=name) for name in dict.fromkeys(names) if name not in known)
    return exposed
