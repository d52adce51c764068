"""A layer of a network, ready to be shown a picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from wingrid.host.errors import UserError
from wingrid.host.execution.layer_run import Job
from wingrid.host.execution.listener import Listener
from wingrid.host.execution.network_jobs import network_jobs
from wingrid.host.execution.network_result import NetworkResult
from wingrid.host.execution.network_run import run_single
from wingrid.host.execution.setup import Setup
from wingrid.host.feature_maps.receptive_field import ReceptiveField, field_in_chain, field_in_graph
from wingrid.host.networks.built_in import find, is_onnx
from wingrid.host.networks.layer import Layer
from wingrid.host.networks.network import select_layers
from wingrid.host.networks.pictures import fitted, load_picture, to_activations
from wingrid.host.onnx_models.bundled import DIGITS, labelled_digits
from wingrid.host.onnx_models.calibration_folders import PICTURES, kind_of
from wingrid.host.onnx_models.calibration_pictures import AS_THEY_ARE
from wingrid.host.onnx_models.graph_walk import golden_jobs
from wingrid.host.onnx_models.importer import import_model, require_quantised
from wingrid.host.onnx_models.model_file import about, read_model
from wingrid.host.onnx_models.model_run import model_path, weights_of
from wingrid.host.onnx_models.sizes import listed
from wingrid.hw.config import AcceleratorConfig

FIRST_DIGIT = "digit:0"
SAMPLE = "sample:flower"


@dataclass(frozen=True)
class Seen:
    """A picture as a layer sees it: through all layers before it."""

    source: str
    pixels: npt.NDArray[np.uint8]
    """The picture as the network takes it, uint8 [H, W, 3]."""
    job: Job
    """The layer with the golden input that the picture gives it."""
    field: ReceptiveField | None
    """The pixels behind each output; ``None`` where it is the whole picture, or not known."""
    first: bool
    """Whether the layer takes the picture itself."""
    weights: str
    """Where its weights come from."""

    def run(self, network: str, setup: Setup, listener: Listener | None = None) -> NetworkResult:
        """The layer on a backend that computes values. Raises what ``run_network`` does, but for names."""
        return run_single(network, self.job, setup, listener, weights=self.weights)


Subject = Callable[[str], Seen]
"""What makes of the name of a picture what a layer sees of it; raises ``UserError`` for what is none."""


def responses(layer: Layer, y: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
    """A layer's output for one image, int8 [K, OH, OW]."""
    return y.reshape(layer.shape.kernels, *y.shape[2:])


def usual_picture(network: str) -> str:
    """The name of a picture to show a network if nobody names one."""
    return FIRST_DIGIT if network == DIGITS else SAMPLE


def subject(network: str, layer: str, config: AcceleratorConfig) -> Subject:
    """Opens a layer of a built-in network, or of the model of an .onnx file.

    Raises ``UserError`` for what there is not, and for a model that takes no picture.
    """
    return _of_model(network, layer, config) if is_onnx(network) else _of_built_in(network, layer)


def _of_built_in(name: str, layer: str) -> Subject:
    network = find(name)
    network.select([layer])
    layers = network.layers()
    before = [found.name for found in layers].index(layer)
    field = field_in_chain(layers[: before + 1])

    def seen(source: str) -> Seen:
        pixels = fitted(load_picture(source), network.height, network.width)
        (job,) = network_jobs(network, to_activations(pixels), [layer])
        return Seen(source, pixels, job, field, before == 0, network.weights)

    return seen


def _of_model(name: str, layer: str, config: AcceleratorConfig) -> Subject:
    path = model_path(name)
    model = read_model(path)
    with about(path):
        require_quantised(model)
        if len(model.inputs) != 1:
            raise UserError(f"a picture goes into a model with one input, and not {listed(model.inputs)}")
    ((tensor, wanted),) = model.inputs.items()

    def seen(source: str) -> Seen:
        if source == FIRST_DIGIT and name == DIGITS:
            x = labelled_digits(1, "golden").images
        else:
            x = AS_THEY_ARE.picture(source, tensor, wanted)[None]
        with about(path):
            graph = import_model(model, {tensor: x.shape}, config)
        select_layers(name, [found.name for found in graph.layers], [layer])
        (job,) = golden_jobs(graph, {tensor: x}, [layer])
        first = graph.layers[0].name == layer
        return Seen(source, _as_pixels(x), job, field_in_graph(graph, layer), first, weights_of(name))

    return seen


def _as_pixels(x: npt.NDArray) -> npt.NDArray[np.uint8]:
    """A model's input, [1, 1 or 3, H, W], as RGB."""
    pixels = x[0].transpose(1, 2, 0)
    if pixels.dtype != np.uint8:
        pixels = np.rint(pixels * 255).astype(np.uint8)
    return np.broadcast_to(pixels, (*pixels.shape[:2], 3))


def first_filters(seen: Seen) -> npt.NDArray[np.int8] | None:
    """The filters of a layer that takes the picture itself, int8 [K, 1 or 3, kh, kw]; ``None`` of any other."""
    weights = seen.job.operands.weights
    return weights if seen.first and weights.shape[1] in (1, 3) else None


def pictures_in(folder: Path) -> list[str]:
    """The pictures in a folder by name, hidden files and folders inside it left out.

    Raises ``UserError`` if there are none.
    """
    try:
        found = [path for path in sorted(folder.iterdir()) if not path.name.startswith(".") and path.is_file()]
    except OSError as error:
        raise UserError(f"cannot read {folder}: {error.strerror or error}") from None
    pictures = [str(path) for path in found if kind_of(path) == PICTURES]
    if not pictures:
        raise UserError(f"{folder} holds no pictures")
    return pictures
