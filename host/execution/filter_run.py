"""Runs a picture filter as a depthwise convolution."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from wingrid.host.errors import UserError
from wingrid.host.execution.layer_run import Job
from wingrid.host.execution.listener import Listener
from wingrid.host.execution.network_result import NetworkResult
from wingrid.host.execution.network_run import run_single
from wingrid.host.execution.setup import Setup, require_values
from wingrid.host.networks.filters import Filter, extended, filter_layer


def run_filter(
    pixels: npt.NDArray[np.uint8], kernel: Filter, stride: int, setup: Setup, listener: Listener | None = None
) -> NetworkResult:
    """Filter uint8 [H, W, 3]; the output is uint8 [ceil(H / stride), ceil(W / stride), 3].

    Raises ``UserError`` for a stride below 1 and for the timing model, which leaves no picture.
    """
    # Imported here: estimates do without pictures, and without the time that it takes.
    from wingrid.host.networks.pictures import from_activations, to_activations

    require_values(setup.backend, "a filtered picture")
    if stride < 1:
        raise UserError(f"stride {stride} must be at least 1")
    large = extended(pixels, kernel)
    layer, operands = filter_layer(kernel, large.shape[0], large.shape[1], stride)
    job = Job(layer, operands, to_activations(large))
    result = run_single(f"filter-{kernel.name}", job, setup, listener, images=1)
    return dataclasses.replace(result, output=from_activations(result.values))
