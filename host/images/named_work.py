"""A network by its name, or an ONNX file, as work for an image, with an input that it takes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy.typing as npt

from wingrid.host.images.work import PICTURE, Work, model_work, network_work
from wingrid.host.networks.built_in import ONNX_BUILT_IN, find, is_onnx, require_no_shapes
from wingrid.host.networks.inputs import network_input
from wingrid.host.onnx_models.bundled import DIGITS, IMAGENET, bundled_model, labelled_digits, photographs
from wingrid.host.onnx_models.importer import import_model, require_quantised
from wingrid.host.onnx_models.inputs import Source, model_inputs
from wingrid.host.onnx_models.model_file import about, read_model
from wingrid.host.onnx_models.model_run import with_typical_shape
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
    path = bundled_model(network) if network in ONNX_BUILT_IN else Path(network)
    model = read_model(path)
    with about(path):
        require_quantised(model)
        if not sources and network == DIGITS:
            sources, sizes = {ONLY: labelled_digits(sizes.images or 1, "golden").images}, Sizes()
        elif not sources and network == IMAGENET:
            sources, sizes = {ONLY: photographs(sizes.images or 1)}, Sizes()
        inputs = model_inputs(model.inputs, sources or {}, sizes if sources else with_typical_shape(network, sizes))
        shapes = {name: value.shape for name, value in inputs.items()}
        graph = import_model(model, shapes, config, int8_kernels=int8_kernels)
    return model_work(network, graph, inputs), inputs
