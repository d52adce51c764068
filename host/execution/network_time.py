"""What a built-in network, or some of its layers, takes by the timing model; and whether it can be run at all."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial

from wingrid.host.compiler.memory_map import require_reachable
from wingrid.host.execution.layer_times import time_layers
from wingrid.host.execution.listener import Listener, Silence
from wingrid.host.execution.network_result import NetworkResult
from wingrid.host.execution.setup import Setup
from wingrid.host.networks.network import Network
from wingrid.sim.timing import build


def time_network(
    network: Network,
    setup: Setup,
    names: Sequence[str] | None = None,
    images: int = 1,
    listener: Listener | None = None,
) -> NetworkResult:
    """What the layers of these names take, or all of them, for a batch of images, by the timing model.

    No tensor is computed. A layer of so many channels that its weights decide whether Winograd is exact gets the
    weights that a run would get. Raises ``UserError`` for names that the network does not have, and ``LayerError``.
    """
    hears: Listener = listener or Silence()
    require_sizes(network, setup, names, images)
    selected = network.select(names)
    build.library(hears.building)
    started = time.perf_counter()
    wanted = [layer for layer in network.layers(images) if layer.name in selected]
    layers = time_layers([(layer, partial(network.operands, layer)) for layer in wanted], setup, hears)
    whole = len(selected) == len(network.layers())
    seconds = time.perf_counter() - started
    return NetworkResult(network.name, setup, layers, images if whole else 0, seconds, weights=network.weights)


def require_sizes(network: Network, setup: Setup, names: Sequence[str] | None, images: int) -> None:
    """Raise ``LayerError``, before any tensor is made, if a layer to run is larger than the accelerator can address."""
    selected = network.select(names)
    for layer in network.layers(images):
        if layer.name in selected:
            require_reachable(layer, setup.config)
