"""Networks with their images, and what runs of them must give."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from imported_graphs import imported
from layer_cases import SQUARE
from random_graphs import judged_case
from small_networks import SMALL_ALEXNET, SMALL_VGG16

from wingrid.host.execution.network_jobs import by_image, network_jobs
from wingrid.host.images.building import build_image
from wingrid.host.images.image import Image
from wingrid.host.images.running import ImageRun
from wingrid.host.images.work import PICTURE, Work, model_work, network_work
from wingrid.host.networks.network import Network
from wingrid.host.onnx_models.bundled import DIGITS, bundled_model, labelled_digits
from wingrid.host.onnx_models.graph import ImportedGraph
from wingrid.host.onnx_models.importer import import_model
from wingrid.host.onnx_models.judge import difference
from wingrid.host.onnx_models.model_file import read_model
from wingrid.hw.config import AcceleratorConfig

BUILT_IN = {"vgg16": SMALL_VGG16, "alexnet": SMALL_ALEXNET}


@dataclass(frozen=True)
class ImageCase:
    """A network, an input, and who judges its outputs: ONNX Runtime, or golden layers for a built-in network."""

    work: Work
    inputs: Mapping[str, np.ndarray]
    graph: ImportedGraph | None = None
    expected: np.ndarray | None = None

    def image(self, config: AcceleratorConfig = SQUARE) -> Image:
        return build_image(self.work, config)

    def wrong(self, run: ImageRun) -> str | None:
        """How the outputs of a run are wrong, if they are."""
        if self.graph is not None:
            return difference(self.graph, self.inputs, run.outputs)
        (output,) = run.outputs.values()
        return None if np.array_equal(output, self.expected) else f"{np.sum(output != self.expected)} elements"


def built_in_case(name: str, images: int = 1) -> ImageCase:
    """A built-in network, cut down, on noise."""
    network: Network = BUILT_IN[name]
    size = (images, network.channels, network.height, network.width)
    x = np.random.default_rng(5).integers(-128, 128, size, np.int8)
    last = network.layers()[-1].name
    *_, job = network_jobs(network, x, [last])
    return ImageCase(network_work(network, images), {PICTURE: x}, expected=by_image(job.layer, job.expected, images))


@functools.cache
def digits_case(images: int = 1, name: str = DIGITS) -> ImageCase:
    """The digits that the package has, for ``digits`` or its compressed kin."""
    model = read_model(bundled_model(name))
    inputs = {next(iter(model.inputs)): labelled_digits(images, "golden").images}
    shapes = {name: value.shape for name, value in inputs.items()}
    graph = import_model(model, shapes, SQUARE)
    return ImageCase(model_work(name, graph, inputs), inputs, graph)


def random_graph_case(seed: int) -> ImageCase:
    """A small network of ONNX nodes, in one of the forms of ONNX Runtime's quantiser."""
    model, x, name = judged_case(seed)
    x = x[: 1 + seed % 2]
    graph = imported(model, x)
    inputs = dict.fromkeys(graph.inputs, x)
    return ImageCase(model_work(name, graph, inputs), inputs, graph)
