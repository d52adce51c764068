"""A network by its name, or an ONNX file, as work for an image, with an input that it takes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy.typing as npt

from wingrid.host.execution.network_jobs import by_image, network_jobs
from wingrid.host.images.work import PICTURE, Work, model_work, network_work
from wingrid.host.networks.built_in import ONNX_BUILT_IN, find, is_onnx, require_no_shapes
from wingrid.host.networks.inputs import network_input
from wingrid.host.onnx_models.bundled import HANDWRITTEN, IMAGENET, bundled_model, labelled_digits, photographs
from wingrid.host.onnx_models.graph_walk import onnxruntime_outputs
from wingrid.host.onnx_models.importer import import_model, require_quantised
from wingrid.host.onnx_models.inputs import Source, model_inputs
from wingrid.host.onnx_models.model_file import about, read_model
from wingrid.host.onnx_models.model_run import with_typical_shape
from wingrid.host.onnx_models.session import Value
from wingrid.host.onnx_models.sizes import NOTHING_SAID, ONLY, Sizes
from wingrid.hw.config import AcceleratorConfig


def named_work(
    network: str,
    config: AcceleratorConfig,
    *,
    sources: Mapping[str, Source] | None = None,
    sizes: Sizes = NOTHING_SAID,
    int8_kernels: bool = True,
) -> tuple[Work, Mapping[str, npt.NDArray]]:
    """The work of a built-in network or of an .onnx file, and the input, by name, of which it has the shape.

    Without ``sources`` that is a digit, a photograph or noise, a single one unless the sizes say more. Raises
    ``UserError`` for a network, a model or an input that cannot be.
    """
    if not is_onnx(network):
        require_no_shapes(network, sizes.shapes)
        found, images = find(network), sizes.images or 1
        return network_work(found, images), {PICTURE: network_input(found, (sources or {}).get(ONLY), images)}
    path = _path(network)
    model = read_model(path)
    with about(path):
        require_quantised(model)
        if not sources and network in HANDWRITTEN:
            sources, sizes = {ONLY: labelled_digits(sizes.images or 1, "golden").images}, Sizes()
        elif not sources and network == IMAGENET:
            sources, sizes = {ONLY: photographs(sizes.images or 1)}, Sizes()
        inputs = model_inputs(model.inputs, sources or {}, sizes if sources else with_typical_shape(network, sizes))
        shapes = {name: value.shape for name, value in inputs.items()}
        graph = import_model(model, shapes, config, int8_kernels=int8_kernels)
    return model_work(network, graph, inputs), inputs


def expected_outputs(
    network: str, config: AcceleratorConfig, inputs: Mapping[str, npt.NDArray], *, int8_kernels: bool = True
) -> Mapping[str, Value]:
    """What the network must give for an input that ``named_work`` returned, by name.

    Of an ONNX model it is what ONNX Runtime computes, of a built-in network with seeded weights what golden does.
    """
    if not is_onnx(network):
        found, taken = find(network), inputs[PICTURE]
        last = found.layers()[-1].name
        *_, job = network_jobs(found, taken, [last])
        assert job.expected is not None, "jobs of built-in networks have it"
        (name,) = network_work(found, len(taken)).outputs
        return {name: by_image(job.layer, job.expected, len(taken))}
    path = _path(network)
    shapes = {name: value.shape for name, value in inputs.items()}
    with about(path):
        graph = import_model(read_model(path), shapes, config, int8_kernels=int8_kernels)
        return onnxruntime_outputs(graph, inputs)


def _path(network: str) -> Path:
    return bundled_model(network) if network in ONNX_BUILT_IN else Path(network)
