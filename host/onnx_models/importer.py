"""From a checked model to layers of the accelerator and steps of the host.

ONNX Runtime's own optimiser says which kernels it will call: it turns QuantizeLinear and DequantizeLinear around an
operator into the quantised operator, or leaves floating point where it would compute in floating point. So
what is read here is what ONNX Runtime really does, in QDQ and in QOperator form alike.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import onnx

from wingrid.host.compiler.algorithms import require_way
from wingrid.host.networks.layer import LayerError
from wingrid.host.onnx_models.fusion import extended
from wingrid.host.onnx_models.graph import AcceleratedStep, HostStep, ImportedGraph
from wingrid.host.onnx_models.layer_reading import IN_FLOAT, NO_LAYER, NotAccelerable, read_layer
from wingrid.host.onnx_models.model_file import name_nodes
from wingrid.host.onnx_models.nodes import Consumers
from wingrid.host.onnx_models.operators import require_operators
from wingrid.host.onnx_models.refusal import ModelRefused
from wingrid.host.onnx_models.session import as_it_runs
from wingrid.host.onnx_models.shapes import TensorType, model_input, open_type, tensor_types, with_input_shape
from wingrid.host.onnx_models.tensors import constants_of, is_quantised, is_quantised_operator, require_scales
from wingrid.hw.config import AcceleratorConfig


class FloatModel(ModelRefused):
    """A model in which nothing is quantised."""


def import_model(
    model: onnx.ModelProto, shape: Sequence[int], config: AcceleratorConfig, *, int8_kernels: bool = False
) -> ImportedGraph:
    """The checked model (see ``read_model``) for an input of this shape, on this accelerator.

    ``int8_kernels`` is explained at ``open_session``.

    Raises ``FloatModel`` for one that is not quantised, and ``ModelRefused`` for one that cannot be run or of which
    the accelerator could do nothing.
    """
    require_operators(model)
    require_quantised(model)
    bound = with_input_shape(model, shape)
    optimised = as_it_runs(bound, int8_kernels=int8_kernels)
    name_nodes(optimised)
    require_scales(optimised)
    constants = constants_of(optimised)
    source = model_input(bound)
    input_type = TensorType(open_type(source).dtype, tuple(shape))
    types = {
        **{name: TensorType(value.dtype, value.shape) for name, value in constants.items()},
        **tensor_types(optimised),
        source.name: input_type,
    }
    consumers = Consumers(optimised.graph)
    steps: list[AcceleratedStep | HostStep] = []
    covered: set[str] = set()
    for node in optimised.graph.node:
        if node.name in covered:
            continue
        try:
            step = read_layer(node, constants, types)
            require_way(step.layer, config)
        except (NotAccelerable, LayerError) as reason:
            steps.append(HostStep(node, str(reason)))
            continue
        step = extended(step, consumers, constants, types, optimised, config)
        covered.update(step.nodes)
        steps.append(step)
    if not int8_kernels and any(isinstance(step, HostStep) and step.reason == IN_FLOAT for step in steps):
        steps = _hinted(steps, bound)
    outputs = tuple(value.name for value in optimised.graph.output)
    graph = ImportedGraph(
        bound,
        optimised,
        constants,
        source.name,
        input_type,
        outputs,
        types[outputs[0]],
        tuple(_prepared(steps)),
        int8_kernels,
    )
    if not graph.accelerated:
        telling = [step for step in graph.host_steps if step.reason != NO_LAYER] or graph.host_steps
        reasons = "; ".join(f"{step.name} ({step.operator}): {step.reason}" for step in telling)
        raise ModelRefused(f"no node of the model can run on the accelerator: {reasons}")
    return graph


def _prepared(steps: Sequence[AcceleratedStep | HostStep]) -> list[AcceleratedStep | HostStep]:
    """The steps, those layers marked that take what the host makes, and not what another layer leaves."""
    left = {step.target for step in steps if isinstance(step, AcceleratedStep)}
    return [
        dataclasses.replace(step, layer=dataclasses.replace(step.layer, prepared=True))
        if isinstance(step, AcceleratedStep) and step.source not in left
        else step
        for step in steps
    ]


def _hinted(steps: Sequence[AcceleratedStep | HostStep], model: onnx.ModelProto) -> list[AcceleratedStep | HostStep]:
    """The steps, those in floating point with a hint if ``--int8-kernels`` would bring them to the accelerator."""
    optimised = as_it_runs(model, int8_kernels=True)
    integer = {node.name for node in optimised.graph.node if is_quantised_operator(node.op_type)}
    return [
        HostStep(step.node, f"{IN_FLOAT}, in int8 with --int8-kernels")
        if isinstance(step, HostStep) and step.reason == IN_FLOAT and step.name in integer
        else step
        for step in steps
    ]


def require_quantised(model: onnx.ModelProto) -> None:
    """Raise ``FloatModel``, naming the command that quantises, if no tensor is quantised."""
    if not is_quantised(model):
        raise FloatModel(
            "the model is not quantised; make it int8 with: "
            "wingrid quantize MODEL.onnx --calibration FILE.npz -o OUT.onnx"
        )
