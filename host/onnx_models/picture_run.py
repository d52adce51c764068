"""A picture through a model that makes pictures of pictures, tile by tile."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from wingrid.host.execution.machine import Machine, require_one_layer
from wingrid.host.networks.pictures import load_picture
from wingrid.host.onnx_models.model_file import read_model
from wingrid.host.onnx_models.model_run import (
    imported,
    model_path,
    require_runnable,
    run_graph,
    select_layers,
)
from wingrid.host.onnx_models.picture_tiles import COLOURS, PROBES, Tiling, margin_of, with_open_batch
from wingrid.host.reports.report import Report


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
