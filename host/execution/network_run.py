"""Runs a built-in network, or some of its layers, on a backend."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial

import numpy as np
import numpy.typing as npt

from wingrid.host.execution.layer_run import Job
from wingrid.host.execution.listener import Listener
from wingrid.host.execution.network_chain import run_chain
from wingrid.host.execution.network_jobs import by_image, network_jobs
from wingrid.host.execution.network_result import GIVEN, NetworkResult
from wingrid.host.execution.parallel import run_layers
from wingrid.host.execution.setup import Setup, require_one_layer
from wingrid.host.networks.network import Network
from wingrid.host.networks.seeded_operands import LOGIT_STEP
from wingrid.host.networks.softmax import likeliest


def run_network(
    network: Network,
    x: npt.NDArray[np.int8],
    setup: Setup,
    names: Sequence[str] | None = None,
    listener: Listener | None = None,
) -> NetworkResult:
    """Run the layers of these names, or all of them, on golden or RTL, from int8 [images, C, H, W].

    Layers run side by side, ``setup.jobs`` at a time, each from its golden input; a whole network with one job on the
    RTL runs in one memory, each layer from the results of the one before. Raises ``UserError`` for names that the
    network does not have, ``LayerError``, ``MachineFault`` or the simulator's errors.
    """
    selected = network.select(names)
    require_one_layer(setup, selected)
    whole = len(selected) == len(network.layers())
    chained = whole and len(selected) > 1 and setup.backend == "rtl" and setup.jobs == 1 and setup.scheduler is None
    runner = partial(run_chain, images=len(x)) if chained else run_layers
    started = time.perf_counter()
    layers = list(runner(network_jobs(network, x, selected), setup, listener))
    seconds = time.perf_counter() - started
    output = by_image(layers[-1].layer, layers[-1].values, len(x))
    guesses = likeliest(output, LOGIT_STEP) if whole and network.classifies else None
    images = len(x) if whole else 0
    return NetworkResult(network.name, setup, layers, images, seconds, output, network.weights, guesses)


def run_single(
    name: str, job: Job, setup: Setup, listener: Listener | None = None, *, images: int = 0, weights: str = GIVEN
) -> NetworkResult:
    """Run one layer as a network of that name; its output is that of the layer, int8 [images, K, OH, OW].

    Raises what ``run_network`` does, but for names.
    """
    started = time.perf_counter()
    layers = list(run_layers([job], setup, listener))
    return NetworkResult(name, setup, layers, images, time.perf_counter() - started, layers[0].output, weights)
