"""A whole run of an ONNX model: its layers on a backend, its outputs from theirs, and ONNX Runtime's verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx

from host.cli_options import require_one_layer
from host.deliverables import run_all
from host.errors import UserError
from host.imported_network import HostWork, ImportedNetwork, Judgement
from host.networks import ONNX_BUILT_IN
from host.onnx_import.bundled import DIGITS, IMAGENET, bundled_model, labelled_digits, photographs
from host.onnx_import.execution import golden_jobs, outputs_from
from host.onnx_import.graph import ImportedGraph
from host.onnx_import.importer import import_model, require_quantised
from host.onnx_import.inputs import model_input_values
from host.onnx_import.judge import difference
from host.onnx_import.operators import require_operators
from host.onnx_import.reading import read_model
from host.onnx_import.refusal import ModelRefused
from host.onnx_import.shapes import model_input, open_type
from host.onnx_import.tiles import COLOURS, PROBES, Tiling, margin_of, with_open_batch
from host.pictures import load_picture
from host.report import Report
from host.runner import Machine


@dataclass(frozen=True)
class Outcome:
    """What a run leaves: its report, and the model's first output, or the last layer's if not all of them ran."""

    report: Report
    output: npt.NDArray


def run_model(
    network: str,
    on: Machine,
    *,
    source: str | None = None,
    images: int | None = None,
    layers: Sequence[str] | None = None,
    int8_kernels: bool = False,
) -> Outcome:
    """Run a bundled network, or the model of an .onnx file; ``images`` is the batch if the input leaves it open.

    Raises ``UserError`` for a model or an input that cannot be run, and what ``run_layers`` does.
    """
    labels = None
    path = model_path(network)
    model = read_model(path)
    if network == DIGITS and source is None:
        digits = labelled_digits(images, on.backend)
        x, labels = digits.images, digits.labels
    elif network == IMAGENET and source is None:
        x = photographs(images or 1)
    else:
        x = input_of(model, path, source, images)
    graph = imported(model, path, x.shape, on, int8_kernels=int8_kernels)
    selected = select_layers(graph, network, layers)
    require_one_layer(on, selected)
    return run_graph(graph, x, network, on, selected, labels)


def run_graph(
    graph: ImportedGraph,
    x: npt.NDArray,
    network: str,
    on: Machine,
    selected: Sequence[str],
    labels: npt.NDArray | None,
) -> Outcome:
    """Run the selected layers; after all of them the host's steps too, and have ONNX Runtime judge the outputs."""
    results, seconds = run_all(golden_jobs(graph, x, selected), on, Path(network).name)
    host, weights = host_work(graph), weights_of(network)
    if len(selected) < len(graph.accelerated):
        last = next(step for step in graph.accelerated if step.name == selected[-1])
        report = Report(network, on, results, 0, seconds, imported=ImportedNetwork(weights, host))
        return Outcome(report, last.model_output(results[-1].values))
    outputs = outputs_from(graph, x, {result.layer.name: result.values for result in results})
    judgement = judge(graph, x, outputs, labels)
    origin = ImportedNetwork(weights, host, judgement)
    report = Report(network, on, results, len(x) if x.ndim else 1, seconds, imported=origin)
    return Outcome(report, outputs[graph.outputs[0]])


def host_work(graph: ImportedGraph) -> list[HostWork]:
    """What a report says of the host's steps."""
    return [HostWork(step.name, step.operator, step.reason) for step in graph.host_steps]


def weights_of(network: str) -> str:
    """Where the weights come from."""
    return ONNX_BUILT_IN.get(network, "the model's own")


def model_path(network: str) -> Path:
    """Where the model of a network is: built in, or the file that it names."""
    return bundled_model(network) if network in ONNX_BUILT_IN else Path(network)


def run_picture(
    network: str, on: Machine, *, source: str, tile: int, int8_kernels: bool = False
) -> tuple[Report, npt.NDArray[np.uint8]]:
    """Send a picture through a model that makes pictures of pictures, in tiles that leave ``tile`` pixels on a side.

    Returns the report, of all tiles as one batch, and the picture, uint8 [H, W, 3], as large as the source. Raises
    what ``run_model`` does.
    """
    path = model_path(network)
    model = read_model(path)
    require_runnable(model, path)
    pixels = load_picture(source)
    opened = with_open_batch(model)
    probes = [imported(opened, path, (1, COLOURS, side, side), on, int8_kernels=int8_kernels) for side in PROBES]
    tiling = Tiling(pixels.shape[0], pixels.shape[1], tile, margin_of(probes))
    x = tiling.cut(pixels)
    graph = imported(opened, path, x.shape, on, int8_kernels=int8_kernels)
    selected = select_layers(graph, network, None)
    require_one_layer(on, selected)
    outcome = run_graph(graph, x, network, on, selected, None)
    return outcome.report, tiling.join(outcome.output)


def input_of(model: onnx.ModelProto, path: Path, source: str | None, images: int | None) -> npt.NDArray:
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
    model: onnx.ModelProto, path: Path, shape: Sequence[int], on: Machine, *, int8_kernels: bool
) -> ImportedGraph:
    """``import_model`` with the path in front of what it refuses."""
    try:
        return import_model(model, shape, on.config, int8_kernels=int8_kernels)
    except ModelRefused as refusal:
        raise type(refusal)(f"{path}: {refusal}") from None


def select_layers(graph: ImportedGraph, network: str, names: Sequence[str] | None) -> list[str]:
    """The layers to run, in the model's order; all of them for ``None``. Raises ``UserError`` for unknown ones."""
    known = [step.name for step in graph.accelerated]
    if names is None:
        return known
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise UserError(
            f"{network} has no layer {', '.join(map(repr, unknown)) or 'of that name'} on the accelerator; "
            f"there are {', '.join(known)}"
        )
    return [name for name in known if name in names]


def judge(
    graph: ImportedGraph, x: npt.NDArray, outputs: dict[str, npt.NDArray], labels: npt.NDArray | None
) -> Judgement:
    """What ONNX Runtime says of the outputs, and how many images were classified as labelled."""
    where = difference(graph, x, outputs)
    if labels is None:
        return Judgement(where is None, where)
    classes = outputs[graph.outputs[0]].argmax(axis=1)
    return Judgement(where is None, where, len(labels), int(np.sum(classes == labels)))
