"""What times a network as its image will run it: an ONNX model's fully connected layers take images as they lie."""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Mapping

from wingrid.host.execution.layer_times import time_layers
from wingrid.host.execution.listener import Listener, Silence
from wingrid.host.execution.network_result import NetworkResult
from wingrid.host.execution.network_run import time_network
from wingrid.host.execution.setup import Setup
from wingrid.host.fitting.fit import Estimate
from wingrid.host.networks.built_in import find, is_onnx, require_no_shapes
from wingrid.host.networks.layer import Operands
from wingrid.host.onnx_models.graph import AcceleratedStep
from wingrid.host.onnx_models.model_estimate import imported_for_estimate
from wingrid.host.onnx_models.model_run import images_in, placement_of, weights_of
from wingrid.host.onnx_models.sizes import Sizes
from wingrid.hw.config import AcceleratorConfig
from wingrid.sim.timing import build

TABLES = 8
"""As many as a block RAM of 2 KiB holds, of the most usual kind."""


def image_estimator(
    network: str, shapes: Mapping[str, tuple[int, ...]], *, int8_kernels: bool = True, listener: Listener | None = None
) -> Estimate:
    """What times a built-in network, or an .onnx file, on a setup, layer by layer, for a single image.

    Raises ``UserError`` for a network that there is not, and for shapes of a built-in one.
    """
    hears: Listener = listener or Silence()
    if not is_onnx(network):
        require_no_shapes(network, shapes)
        chosen = find(network)
        return lambda setup: time_network(chosen, setup, listener=hears)

    def estimate(setup: Setup) -> NetworkResult:
        graph = imported_for_estimate(network, setup.config, Sizes(shapes), int8_kernels=int8_kernels)
        build.library(hears.building)
        started = time.perf_counter()
        steps = graph.accelerated
        layers = time_layers([(step.layer, functools.partial(_operands, step)) for step in steps], setup, hears)
        seconds, weights = time.perf_counter() - started, weights_of(network)
        placement = placement_of(graph)
        return NetworkResult(network, setup, layers, images_in(graph), seconds, weights=weights, placement=placement)

    return estimate


def with_tables(
    network: str, config: AcceleratorConfig, shapes: Mapping[str, tuple[int, ...]], *, int8_kernels: bool = True
) -> AcceleratorConfig:
    """The configuration, with tables if the network's layers have something to look up in them.

    Raises ``UserError`` for a network or model that cannot be.
    """
    tabled = dataclasses.replace(config, tables=TABLES)
    if not is_onnx(network):
        return config
    graph = imported_for_estimate(network, tabled, Sizes(shapes), int8_kernels=int8_kernels)
    return tabled if any(layer.lookup for layer in graph.layers) else config


def _operands(step: AcceleratedStep) -> Operands:
    return step.operands
