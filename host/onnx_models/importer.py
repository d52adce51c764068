"""From a checked model to layers of the accelerator and steps of the host.

ONNX Runtime is the judge of what a model is: it binds sizes, folds constants, infers shapes, and its optimiser says
which kernels it will call. It turns QuantizeLinear and DequantizeLinear around an operator into the quantised operator,
or leaves floating point where it would compute in floating point. So what is read here is what ONNX Runtime really
does, in QDQ and in QOperator form alike.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence

import numpy.typing as npt
import onnx

from wingrid.host.compiler.algorithms import require_way
from wingrid.host.networks.layer import LayerError
from wingrid.host.onnx_models.concatenation import OPERATORS
from wingrid.host.onnx_models.flattening import flattened
from wingrid.host.onnx_models.fusion import Fusion
from wingrid.host.onnx_models.graph import AcceleratedStep, HostStep, ImportedGraph, Step, inputs_of, outputs_of
from wingrid.host.onnx_models.holes import taken_as_they_lie
from wingrid.host.onnx_models.host_reasons import reason_for, remedy_for
from wingrid.host.onnx_models.layer_reading import IN_FLOAT, NO_LAYER, read_layers
from wingrid.host.onnx_models.model_file import Model, name_nodes
from wingrid.host.onnx_models.multiply_adds import multiply_adds
from wingrid.host.onnx_models.refusal import ModelRefused, NotAccelerable
from wingrid.host.onnx_models.relaying import Relaying
from wingrid.host.onnx_models.scheduling import scheduled
from wingrid.host.onnx_models.session import as_it_runs, branches_folded
from wingrid.host.onnx_models.shapes import TensorType, bound, tensor_types
from wingrid.host.onnx_models.tensor_combination import combines
from wingrid.host.onnx_models.tensors import constants_of, is_quantised_operator, require_scales
from wingrid.hw.config import AcceleratorConfig


class FloatModel(ModelRefused):
    """A model in which nothing is quantised."""


def import_model(
    model: Model, shapes: Mapping[str, Sequence[int]], config: AcceleratorConfig, *, int8_kernels: bool = True
) -> ImportedGraph:
    """The model for inputs of these shapes, on this accelerator.

    ``int8_kernels`` is explained at ``open_session``.

    Raises ``FloatModel`` for one that is not quantised, and ``ModelRefused`` for one that ONNX Runtime refuses.
    """
    require_quantised(model)
    whole = branches_folded(bound(model.proto, shapes))
    optimised = as_it_runs(whole, int8_kernels=int8_kernels)
    name_nodes(optimised)
    require_scales(optimised)
    constants = constants_of(optimised)
    inputs = {name: TensorType(wanted.dtype, tuple(shapes[name])) for name, wanted in model.inputs.items()}
    types = {
        **{name: TensorType(value.dtype, value.shape) for name, value in constants.items()},
        **tensor_types(optimised),
        **inputs,
    }
    outputs = {value.name: types.get(value.name) for value in optimised.graph.output}
    steps = flattened(_steps(optimised, constants, types, config), outputs, config)
    if not int8_kernels and any(isinstance(step, HostStep) and step.reason == IN_FLOAT for step in steps):
        steps = _with_int8_remedy(steps, whole)
    return ImportedGraph(
        whole,
        optimised,
        constants,
        inputs,
        outputs,
        tuple(_prepared(scheduled(steps))),
        int8_kernels,
        model.changes,
    )


def _steps(
    optimised: onnx.ModelProto,
    constants: Mapping[str, npt.NDArray],
    types: Mapping[str, TensorType],
    config: AcceleratorConfig,
) -> list[Step]:
    """Layers with what follows them and becomes part of them, and the nodes that are left to the host."""
    fusion = Fusion(optimised, constants, types, config)
    relaying = Relaying(optimised, constants, types, config)
    steps: list[Step] = []
    covered: set[str] = set()
    taken_over = set(fusion.computed)
    makers: dict[str, AcceleratedStep] = {}
    for node in optimised.graph.node:
        if node.name in covered:
            continue
        if node.op_type in OPERATORS and (parts := fusion.concatenated(node, makers)):
            covered.update(name for step in parts for name in step.nodes)
            _put(parts, steps, makers)
            continue
        if combines(node, fusion.constants) and (found := fusion.combined(node, makers)):
            step, replaced = found
            steps = [other for other in steps if other is not replaced] + [step]
            covered.update(step.nodes)
            makers[step.target] = step
            continue
        try:
            require_static(node, types)
            layers = read_layers(node, constants, types, optimised, makers)
            for step in layers:
                require_way(step.layer, config)
        except (NotAccelerable, LayerError) as refusal:
            if relaid := relaying.of(node, makers):
                relaid = fusion.all_extended(relaid)
                covered.update(name for step in relaid for name in step.nodes)
                _put(relaid, steps, makers)
                continue
            if copying := fusion.by_itself(node, makers):
                covered.update(copying.nodes)
                _put([copying], steps, makers)
                continue
            macs = multiply_adds(node, types)
            reason, remedy = reason_for(node, str(refusal), macs), remedy_for(node, constants, optimised.graph)
            if left := fusion.left.get(node.name):
                reason, remedy = left.reason, left.remedy
            steps.append(HostStep(node, reason, macs, remedy))
            continue
        taken_over.update(node.input)
        for step in fusion.all_extended(layers):
            covered.update(step.nodes)
            _put([step], steps, makers)
    outputs = {value.name for value in optimised.graph.output}
    steps = taken_as_they_lie(steps, fusion.gatherings, outputs, config)
    return _without_idle(steps, taken_over, optimised.graph)


def _put(made: Sequence[AcceleratedStep], steps: list[Step], makers: dict[str, AcceleratedStep]) -> None:
    """Add the layers, or put them in the place of those with their names."""
    at = {step.name: position for position, step in enumerate(steps)}
    for step in made:
        makers[step.target] = step
        if step.name in at:
            steps[at[step.name]] = step
        else:
            steps.append(step)


def _without_idle(steps: Sequence[Step], taken_over: Collection[str], graph: onnx.GraphProto) -> list[Step]:
    """The steps without those that make what only nodes took that are layers' now."""
    outputs = {value.name for value in graph.output}
    kept: list[Step] = []
    for step in reversed(steps):
        made = outputs_of(step)
        idle = all(name in taken_over and name not in outputs for name in made)
        if not (idle and made) or any(name in inputs_of(taker) for taker in kept for name in made):
            kept.append(step)
    return kept[::-1]


def require_static(node: onnx.NodeProto, types: Mapping[str, TensorType]) -> None:
    """Raise ``NotAccelerable`` if the shape of what the node takes or leaves is not known beforehand."""
    for name in (*node.input[:1], *node.output[:1]):
        if name and name not in types:
            raise NotAccelerable(
                f"the shape of {name} depends on data" if is_quantised_operator(node.op_type) else NO_LAYER
            )


def _prepared(steps: Sequence[Step]) -> list[Step]:
    """The steps, those layers marked that take what the host makes, and not what another layer leaves."""
    left = {step.target for step in steps if isinstance(step, AcceleratedStep)}
    return [
        dataclasses.replace(step, layer=dataclasses.replace(step.layer, prepared=True))
        if isinstance(step, AcceleratedStep) and step.source not in left
        else step
        for step in steps
    ]


def _with_int8_remedy(steps: Sequence[Step], model: onnx.ModelProto) -> list[Step]:
    """The steps, those in floating point with that remedy if ``--int8-kernels`` would bring them to the accelerator."""
    optimised = as_it_runs(model, int8_kernels=True)
    integer = {node.name for node in optimised.graph.node if is_quantised_operator(node.op_type)}
    return [
        dataclasses.replace(step, remedy="--int8-kernels")
        if isinstance(step, HostStep) and step.reason == IN_FLOAT and step.name in integer
        else step
        for step in steps
    ]


def require_quantised(model: Model) -> None:
    """Raise ``FloatModel``, naming the command that quantises, if no tensor is quantised."""
    if not model.is_quantised:
        raise FloatModel(
            "the model is not quantised; make it int8 with: "
            "wingrid quantize MODEL.onnx --calibration FILE.npz -o OUT.onnx"
        )
