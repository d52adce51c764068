"""A whole run of an ONNX model: its layers on a backend, its outputs from theirs, and ONNX Runtime's verdict."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path

import numpy.typing as npt
import onnx

from wingrid.host.execution.listener import Listener
from wingrid.host.execution.network_result import HostWork, NetworkResult
from wingrid.host.execution.parallel import run_layers
from wingrid.host.execution.setup import Setup, require_one_layer
from wingrid.host.networks.built_in import ONNX_BUILT_IN
from wingrid.host.networks.network import select_layers
from wingrid.host.onnx_models.bundled import DIGITS, IMAGENET, bundled_model, labelled_digits, photographs
from wingrid.host.onnx_models.graph import ImportedGraph
from wingrid.host.onnx_models.graph_walk import golden_jobs, outputs_from
from wingrid.host.onnx_models.importer import import_model, require_quantised
from wingrid.host.onnx_models.inputs import model_input_values
from wingrid.host.onnx_models.judge import judge
from wingrid.host.onnx_models.model_file import read_model
from wingrid.host.onnx_models.operators import require_operators
from wingrid.host.onnx_models.refusal import ModelRefused
from wingrid.host.onnx_models.shapes import model_input, open_type


def run_model(
    network: str,
    setup: Setup,
    *,
    source: npt.NDArray | str | None = None,
    images: int | None = None,
    layers: Sequence[str] | None = None,
    int8_kernels: bool = False,
    listener: Listener | None = None,
) -> NetworkResult:
    """Run a bundled network, or the model of an .onnx file; ``images`` is the batch if the input leaves it open.

    Raises ``UserError`` for a model or an input that cannot be run, and what ``run_layers`` does.
    """
    labels = None
    path = model_path(network)
    model = read_model(path)
    if network == DIGITS and source is None:
        digits = labelled_digits(images, setup.backend)
        x, labels = digits.images, digits.labels
    elif network == IMAGENET and source is None:
        x = photographs(images or 1)
    else:
        x = input_of(model, path, source, images)
    graph = imported(model, path, x.shape, setup, int8_kernels=int8_kernels)
    selected = select_layers(network, [layer.name for layer in graph.layers], layers)
    require_one_layer(setup, selected)
    return run_graph(graph, x, network, setup, selected, labels, listener)


def run_graph(
    graph: ImportedGraph,
    x: npt.NDArray,
    network: str,
    setup: Setup,
    selected: Sequence[str],
    labels: npt.NDArray | None = None,
    listener: Listener | None = None,
) -> NetworkResult:
    """Run the selected layers; after all of them the host's steps too, and have ONNX Runtime judge the outputs."""
    started = time.perf_counter()
    layers = list(run_layers(golden_jobs(graph, x, selected), setup, listener))
    seconds = time.perf_counter() - started
    result = NetworkResult(network, setup, layers, 0, seconds, weights=weights_of(network), host=host_work(graph))
    if len(selected) < len(graph.accelerated):
        last = next(step for step in graph.accelerated if step.name == selected[-1])
        return dataclasses.replace(result, output=last.model_output(layers[-1].values))
    outputs = outputs_from(graph, x, {layer.layer.name: layer.values for layer in layers})
    return dataclasses.replace(
        result,
        images=len(x) if x.ndim else 1,
        output=outputs[graph.outputs[0]],
        judgement=judge(graph, x, outputs, labels),
    )


def host_work(graph: ImportedGraph) -> list[HostWork]:
    """What a report says of the host's steps."""
    return [HostWork(step.name, step.operator, step.reason) for step in graph.host_steps]


def weights_of(network: str) -> str:
    """Where the weights come from."""
    return ONNX_BUILT_IN.get(network, "the model's own")


def model_path(network: str) -> Path:
    """Where the model of a network is: built in, or the file that it names."""
    return bundled_model(network) if network in ONNX_BUILT_IN else Path(network)


def input_of(model: onnx.ModelProto, path: Path, source: npt.NDArray | str | None, images: int | None) -> npt.NDArray:
    """The input from a file, or seeded noise. Raises ``UserError`` with the model's path where that is to blame."""
    require_runnable(model, path)
    return model_input_values(open_type(model_input(model)), source, images)


def require_runnable(model: onnx.ModelProto, path: Path) -> None:
    """Raise ``ModelRefused`` for what no input could change."""
    try:
        require_operators(model)
        require_quantised(model)
        open_type(model_input(model))
    except ModelRefused as refusal:
        raise type(refusal)(f"{path}: {refusal}") from None


def imported(
    model: onnx.ModelProto, path: Path, shape: Sequence[int], setup: Setup, *, int8_kernels: bool
) -> ImportedGraph:
    """``import_model`` with the path in front of what it refuses."""
    try:
        return import_model(model, shape, setup.config, int8_kernels=int8_kernels)
    except ModelRefused as refusal:
        raise type(refusal)(f"{path}: {refusal}") from None
