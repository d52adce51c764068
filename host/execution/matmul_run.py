"""Runs a matrix product: its left factor as pixels, its right one as the weights of a 1x1 convolution."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from wingrid.host.execution.layer_run import Job
from wingrid.host.execution.listener import Listener
from wingrid.host.execution.network_result import GIVEN, NetworkResult
from wingrid.host.execution.network_run import run_single
from wingrid.host.execution.setup import Setup
from wingrid.host.networks.layer import Layer, Operands, matrix_product


def product_layer(m: int, k: int, n: int) -> Layer:
    """The layer that multiplies [m, k] by [k, n]. Raises ``LayerError`` for sizes below 1."""
    return Layer(f"matmul-{m}x{k}x{n}", "matmul", matrix_product(m, k, n))


def run_matmul(
    layer: Layer,
    left: npt.NDArray[np.int8],
    operands: Operands,
    setup: Setup,
    listener: Listener | None = None,
    *,
    weights: str = GIVEN,
) -> NetworkResult:
    """Multiply int8 [m, k] by the right factor, the operands' weights [n, k, 1, 1]; the output is int8 [m, n]."""
    shape = layer.shape
    pixels = np.zeros((shape.channels, shape.height * shape.width), np.int8)
    pixels[:, : len(left)] = left.T
    job = Job(layer, operands, pixels.reshape(1, shape.channels, shape.height, shape.width))
    result = run_single("matmul", job, setup, listener, weights=weights)
    if result.output is None:
        return result
    return dataclasses.replace(result, output=result.output.reshape(shape.kernels, -1)[:, : len(left)].T.copy())
