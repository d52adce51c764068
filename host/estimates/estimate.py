"""A network's report from the timing model alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial

from wingrid.host.errors import UserError
from wingrid.host.execution.layer_run import time_layer
from wingrid.host.execution.listener import Listener, Silence
from wingrid.host.execution.machine import Machine
from wingrid.host.execution.network_jobs import select_layers
from wingrid.host.networks.built_in import find, is_onnx
from wingrid.host.networks.network import Network
from wingrid.host.networks.seeded_operands import seeded_operands
from wingrid.host.reports.report import Report
from wingrid.sim.timing import build


def estimate_network(
    network: Network,
    machine: Machine,
    names: Sequence[str] | None = None,
    images: int = 1,
    listener: Listener | None = None,
) -> Report:
    """What the layers of these names take, or all of them, for a batch of images.

    No tensor is computed. A layer of so many channels that its weights decide whether Winograd is exact gets the
    weights that a run would get. Raises ``UserError`` for names that the network does not have, and ``LayerError``.
    """
    hears: Listener = listener or Silence()
    selected = select_layers(network, names)
    build.library(hears.building)
    started = time.perf_counter()
    results = [
        time_layer(layer, partial(seeded_operands, layer), machine, hears)
        for layer in network.layers(images)
        if layer.name in selected
    ]
    whole = len(selected) == len(network.layers())
    return Report(network.name, machine, results, images if whole else 0, time.perf_counter() - started)


def estimator(
    network: str, names: Sequence[str] | None, images: int, *, assume_int8: bool = False
) -> Callable[[Machine, Listener | None], Report]:
    """What estimates a network on one machine after another: a built-in one, or the ONNX model of a file.

    ``assume_int8`` takes a float model too. Raises ``UserError`` for a network that there is not, and for layers that
    a built-in one does not have.
    """
    if is_onnx(network):
        # Imported here: what other networks do without.
        from wingrid.host.onnx_models.model_estimate import estimate_model

        return lambda on, listener: estimate_model(network, on, names, images, listener, assume_int8=assume_int8)
    if assume_int8:
        raise UserError(f"--assume-int8 is for .onnx files, and {network} is in int8 already")
    chosen = find(network)
    select_layers(chosen, names)
    return lambda on, listener: estimate_network(chosen, on, names, images, listener)
