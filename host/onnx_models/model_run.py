"""A whole run of an ONNX model: its layers on a backend, its outputs from theirs, and ONNX Runtime's verdict."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from wingrid.host.execution.layer_result import LayerResult
from wingrid.host.execution.listener import Listener
from wingrid.host.execution.network_result import HostWork, NetworkResult, Placement, TensorMemory
from wingrid.host.execution.parallel import run_layers
from wingrid.host.execution.setup import Setup, require_one_layer
from wingrid.host.networks.built_in import ONNX_BUILT_IN
from wingrid.host.networks.network import select_layers
from wingrid.host.onnx_models.bundled import (
    HANDWRITTEN,
    IMAGENET,
    TYPICAL_INPUTS,
    bundled_model,
    labelled_digits,
    photographs,
)
from wingrid.host.onnx_models.graph import ImportedGraph
from wingrid.host.onnx_models.graph_walk import golden_jobs, outputs_from
from wingrid.host.onnx_models.importer import import_model, require_quantised
from wingrid.host.onnx_models.inputs import Source, model_inputs
from wingrid.host.onnx_models.judge import judge
from wingrid.host.onnx_models.model_file import about, read_model
from wingrid.host.onnx_models.scheduling import crossing_bytes, segments
from wingrid.host.onnx_models.session import Value
from wingrid.host.onnx_models.sizes import NOTHING_SAID, ONLY, Sizes


@dataclass(frozen=True)
class WholeRun:
    """A graph that ran as a whole: its layers, and the outputs that came of them."""

    graph: ImportedGraph
    layers: Sequence[LayerResult]
    outputs: Mapping[str, Value]
    memory: TensorMemory


WholeRunner = Callable[[ImportedGraph, Mapping[str, npt.NDArray], Setup, Listener | None], WholeRun]
"""Runs all layers of a graph, and the host's steps between them."""


def run_model(
    network: str,
    setup: Setup,
    *,
    sources: Mapping[str, Source] | None = None,
    sizes: Sizes = NOTHING_SAID,
    layers: Sequence[str] | None = None,
    int8_kernels: bool = True,
    listener: Listener | None = None,
    runner: WholeRunner | None = None,
) -> NetworkResult:
    """Run a bundled network, or the model of an .onnx file, on what ``model_inputs`` makes of the sources.

    Without ``runner``, or where not all layers are asked for, layers run side by side. Raises ``UserError`` for a model
    or an input that cannot be run, and what ``run_layers`` does.
    """
    labels = None
    path = model_path(network)
    model = read_model(path)
    with about(path):
        require_quantised(model)
        if network in HANDWRITTEN and not sources:
            digits = labelled_digits(sizes.images, setup.backend)
            sources, labels, sizes = {ONLY: digits.images}, digits.labels, Sizes()
        elif network == IMAGENET and not sources:
            sources = {ONLY: photographs(sizes.images or 1)}
        inputs = model_inputs(model.inputs, sources or {}, sizes if sources else with_typical_shape(network, sizes))
        shapes = {name: value.shape for name, value in inputs.items()}
        graph = import_model(model, shapes, setup.config, int8_kernels=int8_kernels)
    selected = select_layers(network, [layer.name for layer in graph.layers], layers)
    require_one_layer(setup, selected)
    return run_graph(graph, inputs, network, setup, selected, labels, listener, runner)


def run_graph(
    graph: ImportedGraph,
    inputs: Mapping[str, npt.NDArray],
    network: str,
    setup: Setup,
    selected: Sequence[str],
    labels: npt.NDArray | None = None,
    listener: Listener | None = None,
    runner: WholeRunner | None = None,
) -> NetworkResult:
    """Run the selected layers; after all of them the host's steps too, and have ONNX Runtime judge the outputs."""
    started = time.perf_counter()
    whole = runner(graph, inputs, setup, listener) if runner and len(selected) == len(graph.accelerated) else None
    graph = whole.graph if whole else graph
    layers = whole.layers if whole else list(run_layers(golden_jobs(graph, inputs, selected), setup, listener))
    seconds = time.perf_counter() - started
    weights = weights_of(network)
    result = NetworkResult(network, setup, layers, 0, seconds, weights=weights, placement=placement_of(graph))
    if len(selected) < len(graph.accelerated):
        last = next(step for step in graph.accelerated if step.name == selected[-1])
        return dataclasses.replace(result, output=last.model_output(layers[-1].values))
    results = {layer.layer.name: layer.values for layer in layers}
    outputs = dict(whole.outputs) if whole else outputs_from(graph, inputs, results)
    return dataclasses.replace(
        result,
        images=images_in(graph),
        output=next((value for value in outputs.values() if isinstance(value, np.ndarray)), None),
        outputs=outputs,
        judgement=judge(graph, inputs, outputs, labels),
        tensor_memory=whole.memory if whole else None,
    )


def images_in(graph: ImportedGraph) -> int:
    """The batch: the first size of the first input."""
    first = next(iter(graph.inputs.values()), None)
    return first.shape[0] if first is not None and first.shape else 1


def placement_of(graph: ImportedGraph) -> Placement:
    """What a report says of who does what."""
    int8 = any(step.source_type.dtype == np.int8 for step in graph.accelerated)
    return Placement(
        sum(step.macs for step in graph.accelerated),
        segments(graph.steps),
        crossing_bytes(graph),
        [HostWork(step.name, step.operator, step.reason, step.macs, step.remedy) for step in graph.host_steps],
        graph.changes,
        graph.int8_kernels and int8,
    )


def weights_of(network: str) -> str:
    """Where the weights come from."""
    return ONNX_BUILT_IN.get(network, "the model's own")


def model_path(network: str) -> Path:
    """Where the model of a network is: built in, or the file that it names."""
    return bundled_model(network) if network in ONNX_BUILT_IN else Path(network)


def with_typical_shape(network: str, sizes: Sizes) -> Sizes:
    """The sizes, with a typical shape for a bundled network that takes any, if nobody gives one."""
    typical = TYPICAL_INPUTS.get(network)
    if typical is None or sizes.shapes:
        return sizes
    return Sizes({ONLY: (sizes.images or typical[0], *typical[1:])}, sizes.images)
