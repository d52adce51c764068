"""What a network is made of: layers for the array, and what the host does between them, in order."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from wingrid.host.execution.layer_run import Job
from wingrid.host.networks.golden import golden
from wingrid.host.networks.layer import Layer
from wingrid.host.networks.network import Network
from wingrid.host.networks.seeded_operands import LOGIT_STEP
from wingrid.host.onnx_models.graph import IMAGES, AcceleratedStep, ImportedGraph
from wingrid.host.onnx_models.graph_walk import Segment, walk
from wingrid.host.onnx_models.shapes import TensorType

PICTURE = "picture"
"""Name of a built-in network's input."""


@dataclass(frozen=True)
class HostWork:
    """What the host does between layers, on tensors by name."""

    operators: tuple[str, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    model: bytes | None = field(default=None, repr=False)
    """The ONNX model that computes it."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Of what is no ONNX model, see ``wingrid.host.images.host_steps``."""


@dataclass(frozen=True)
class Work:
    """A network for inputs of certain shapes."""

    name: str
    steps: tuple[AcceleratedStep | HostWork, ...]
    inputs: Mapping[str, TensorType]
    outputs: tuple[str, ...]


def network_work(network: Network, images: int = 1) -> Work:
    """A built-in network for a batch."""
    steps: list[AcceleratedStep | HostWork] = []
    layers = network.layers(images)
    source, scale = PICTURE, 1.0
    taken = TensorType(np.dtype(np.int8), (images, network.channels, network.height, network.width))
    inputs = {source: taken}
    for position, layer in enumerate(layers):
        last = position == len(layers) - 1
        left = TensorType(np.dtype(np.int8), _by_image(layer, images))
        target_scale = LOGIT_STEP if last and network.classifies else 0.0
        steps.append(
            AcceleratedStep(
                layer,
                network.operands(layer),
                IMAGES,
                source,
                layer.name,
                taken,
                left,
                (layer.name,),
                source_scale=scale,
                target_scale=target_scale,
            )
        )
        source, taken, scale = layer.name, left, target_scale
        if how := layer.normalisation:
            source = f"{layer.name} normalised"
            parameters = {"size": how.size, "alpha": how.alpha, "beta": how.beta, "k": how.k}
            parameters["zero_point"] = layer.y_zero_point
            steps.append(HostWork(("ResponseNormalisation",), (layer.name,), (source,), parameters=parameters))
    return Work(network.name, tuple(steps), inputs, (source,))


def _by_image(layer: Layer, images: int) -> tuple[int, ...]:
    """What a layer leaves for a batch, whose images a fully connected one has below each other."""
    shape = layer.output_shape
    return (images, shape[1], math.prod(shape) // images // shape[1] // shape[3], shape[3])


def model_work(name: str, graph: ImportedGraph, inputs: Mapping[str, npt.NDArray]) -> Work:
    """An imported model for inputs of the types and shapes of these, which go through it once, by golden.

    Only so is known what the host's parts take where the model does not say.
    """
    work, _ = worked(name, graph, inputs)
    return work


def worked(name: str, graph: ImportedGraph, inputs: Mapping[str, npt.NDArray]) -> tuple[Work, list[Job]]:
    """The model as it is, and its layers in the order of the work, each with its golden input and output."""
    done: list[Segment | AcceleratedStep] = []
    jobs: list[Job] = []
    steps = walk(graph, inputs, done)
    try:
        step, taken = next(steps)
        while True:
            expected = golden(step.layer, step.operands, taken)
            jobs.append(Job(step.layer, step.operands, taken, expected))
            step, taken = steps.send(expected)
    except StopIteration:
        pass
    work = tuple(item if isinstance(item, AcceleratedStep) else _host_work(item[0]) for item in done)
    return Work(name, work, graph.inputs, tuple(graph.outputs)), jobs


def _host_work(model: onnx.ModelProto) -> HostWork:
    graph = model.graph
    return HostWork(
        tuple(node.op_type for node in graph.node),
        tuple(value.name for value in graph.input),
        tuple(value.name for value in graph.output),
        model.SerializeToString(),
    )
