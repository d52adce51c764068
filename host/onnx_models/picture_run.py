"""A picture through a model that makes pictures of pictures, tile by tile."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from wingrid.host.compiler.memory_map import require_reachable
from wingrid.host.execution.listener import Listener
from wingrid.host.execution.network_result import NetworkResult
from wingrid.host.execution.setup import Setup, require_one_layer
from wingrid.host.networks.pictures import load_picture
from wingrid.host.onnx_models.graph import ImportedGraph
from wingrid.host.onnx_models.importer import import_model, require_quantised
from wingrid.host.onnx_models.model_file import about, read_model
from wingrid.host.onnx_models.model_run import model_path, run_graph
from wingrid.host.onnx_models.picture_tiles import COLOURS, PROBES, Tiling, margin_of, with_open_batch


def run_picture(
    network: str,
    setup: Setup,
    *,
    source: str | npt.NDArray[np.uint8],
    tile: int,
    int8_kernels: bool = True,
    listener: Listener | None = None,
) -> NetworkResult:
    """Send a picture through a model that makes pictures of pictures, in tiles that leave ``tile`` pixels on a side.

    ``source`` names the picture, or is its pixels, uint8 [H, W, 3]. The result is that of all tiles as one batch, but
    its output is the picture, uint8 [H, W, 3], as large as the source.
    Raises what ``run_model`` does.
    """
    path = model_path(network)
    model = read_model(path)
    pixels = load_picture(source) if isinstance(source, str) else source
    height, width = pixels.shape[:2]
    with about(path):
        require_quantised(model)
        opened = with_open_batch(model)
        name = next(iter(opened.inputs))

        def imported(shape: Sequence[int]) -> ImportedGraph:
            return import_model(opened, {name: shape}, setup.config, int8_kernels=int8_kernels)

        probes = [imported((1, COLOURS, side, side)) for side in PROBES]
        tiling = Tiling(height, width, min(tile, max(height, width)), margin_of(probes))
        graph = imported(tiling.shape)
    for layer in graph.layers:
        require_reachable(layer, setup.config)
    inputs = {name: tiling.cut(pixels)}
    selected = [layer.name for layer in graph.layers]
    require_one_layer(setup, selected)
    result = run_graph(graph, inputs, network, setup, selected, listener=listener)
    return dataclasses.replace(result, output=tiling.join(result.values))
