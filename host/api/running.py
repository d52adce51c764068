"""Runs of networks, ONNX models, filters and matrix products, on any backend."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from wingrid.host.api.conditions import Config, Memory, Setting, Shapes, as_texts, setup_for, shapes_by_name
from wingrid.host.api.outcomes import Run
from wingrid.host.errors import UserError
from wingrid.host.execution.filter_run import run_filter
from wingrid.host.execution.listener import Listener
from wingrid.host.execution.matmul_run import product_layer, run_matmul
from wingrid.host.execution.network_result import NetworkResult
from wingrid.host.execution.network_run import run_network
from wingrid.host.execution.network_time import require_sizes
from wingrid.host.execution.setup import require_values
from wingrid.host.networks.built_in import find, is_onnx, require_no_shapes
from wingrid.host.networks.filters import find_filter, from_values
from wingrid.host.networks.inputs import network_input
from wingrid.host.networks.layer import Operands

CORES = os.cpu_count() or 1


def run(
    network: str,
    input: npt.NDArray | str | Mapping[str, npt.NDArray | str] | None = None,
    *,
    backend: str = "rtl",
    config: Config = None,
    memory: Memory = None,
    clock: float | None = None,
    target: str | None = None,
    batch: int | None = None,
    shape: Shapes = None,
    layers: Sequence[str] | None = None,
    jobs: int = CORES,
    int8_kernels: bool = True,
    waves: str | Path | None = None,
    trace: str | Path | None = None,
    listener: Listener | None = None,
    **settings: Setting,
) -> Run:
    """Run a network, compare every layer with golden and its cycles with the timing model.

        run("digits", backend="golden").output

    ``network`` is a built-in one or the path of a quantised .onnx file. ``input`` is int8 [images, C, H, W] for a
    built-in network, what an ONNX model takes for that (by name if it has several inputs), or the name of a .npy file,
    of a picture, or of an .npz file with all inputs; ``None`` stands for sample photographs, digits or seeded noise.
    ``backend`` is rtl or golden (``estimate`` is for the timing model). ``jobs`` layers run side by side; one job runs
    a whole built-in network in one memory. ``waves`` and ``trace`` name files for the waveforms (FST) and the engines'
    work (Perfetto) of a single layer. With ``int8_kernels`` ONNX Runtime, the judge, keeps int8 activations in integers
    where they branch. A ``listener`` hears how work gets on.
    The other arguments are those of ``estimate``.

    Raises ``ChecksFailed`` if any bit or any cycle differs, ``UserError`` or ``ConfigError`` for what cannot be.
    """
    setup = setup_for(
        backend, config, memory, as_texts(settings), clock=clock, target=target, jobs=jobs, waves=waves, trace=trace
    )
    require_values(setup.backend, "run")
    if batch is not None and batch < 1:
        raise UserError(f"batch {batch} must be at least 1")
    if is_onnx(network):
        # Imported here: what other networks do without.
        from wingrid.host.images.chained_run import runner_for
        from wingrid.host.onnx_models.model_run import run_model
        from wingrid.host.onnx_models.sizes import ONLY, Sizes

        sources = {} if input is None else input if isinstance(input, Mapping) else {ONLY: input}
        sizes = Sizes(shapes_by_name(shape), batch)
        return checked(
            run_model(
                network,
                setup,
                sources=sources,
                sizes=sizes,
                layers=layers,
                int8_kernels=int8_kernels,
                listener=listener,
                runner=runner_for(setup),
            )
        )
    if isinstance(input, Mapping):
        raise UserError(f"{network} has one input without a name")
    require_no_shapes(network, shapes_by_name(shape))
    chosen = find(network)
    images = batch or (len(input) if isinstance(input, np.ndarray) and input.ndim == 4 else 1)
    require_sizes(chosen, setup, layers, images)
    return checked(run_network(chosen, network_input(chosen, input, images), setup, layers, listener))


def run_picture(
    network: str,
    pixels: npt.NDArray[np.uint8],
    *,
    tile: int = 64,
    backend: str = "rtl",
    config: Config = None,
    memory: Memory = None,
    clock: float | None = None,
    target: str | None = None,
    jobs: int = CORES,
    int8_kernels: bool = True,
    listener: Listener | None = None,
    **settings: Setting,
) -> Run:
    """Send a picture, uint8 [H, W, 3], through a model that makes pictures of pictures; the output is as large.

        run_picture("waifu2x", load_picture("photo.jpg")).output

    The picture goes through in tiles that leave ``tile`` pixels on a side; their seams do not show, as each takes the
    margin with it that its pixels depend on. The other arguments and the errors are those of ``run``.
    """
    # Imported here: what other networks do without.
    from wingrid.host.onnx_models.picture_run import run_picture as run_tiles

    _require_picture(pixels)
    if tile < 1:
        raise UserError(f"tile {tile} must be at least 1")
    setup = setup_for(backend, config, memory, as_texts(settings), clock=clock, target=target, jobs=jobs)
    require_values(setup.backend, "run_picture")
    return checked(run_tiles(network, setup, source=pixels, tile=tile, int8_kernels=int8_kernels, listener=listener))


def filter_picture(
    pixels: npt.NDArray[np.uint8],
    kernel: str | npt.NDArray,
    *,
    stride: int = 1,
    backend: str = "rtl",
    config: Config = None,
    memory: Memory = None,
    clock: float | None = None,
    target: str | None = None,
    waves: str | Path | None = None,
    listener: Listener | None = None,
    **settings: Setting,
) -> Run:
    """Filter a picture, uint8 [H, W, 3], as a depthwise convolution; the output is uint8
    [ceil(H / stride), ceil(W / stride), 3].

        filter_picture(pixels, "gaussian").output

    ``kernel`` is box, gaussian, sobel-x, sobel-y, the name of a .npy file, or a two-dimensional array. The other
    arguments and the errors are those of ``run``.
    """
    _require_picture(pixels)
    setup = setup_for(backend, config, memory, as_texts(settings), clock=clock, target=target, waves=waves)
    chosen = find_filter(kernel) if isinstance(kernel, str) else from_values("given", kernel)
    return checked(run_filter(pixels, chosen, stride, setup, listener))


def matmul(
    left: npt.NDArray[np.int8],
    right: npt.NDArray[np.int8],
    *,
    scale: float = 1.0,
    backend: str = "rtl",
    config: Config = None,
    memory: Memory = None,
    clock: float | None = None,
    target: str | None = None,
    waves: str | Path | None = None,
    listener: Listener | None = None,
    **settings: Setting,
) -> Run:
    """Multiply int8 [M, K] by int8 [K, N]; the output is int8 [M, N], the product times ``scale``, rounded and clamped.

        matmul(left, right, scale=1 / 64).output

    The other arguments and the errors are those of ``run``.
    """
    for name, factor in (("left", left), ("right", right)):
        if not isinstance(factor, np.ndarray) or factor.dtype != np.int8 or factor.ndim != 2 or not factor.size:
            raise UserError(f"the {name} factor must be an int8 matrix")
    if left.shape[1] != right.shape[0]:
        raise UserError(f"the factors' inner sizes {left.shape[1]} and {right.shape[0]} differ")
    setup = setup_for(backend, config, memory, as_texts(settings), clock=clock, target=target, waves=waves)
    require_values(setup.backend, "matmul")
    (m, k), n = left.shape, right.shape[1]
    weights = np.ascontiguousarray(right.T)[:, :, None, None]
    operands = Operands(weights, np.zeros(n, np.int32), np.full(n, scale, np.float32))
    return checked(run_matmul(product_layer(m, k, n), left, operands, setup, listener))


def checked(result: NetworkResult) -> Run:
    """The run, if all its checks hold; raises ``ChecksFailed`` otherwise."""
    result.require_checks()
    return Run(result)


def _require_picture(pixels: npt.NDArray[np.uint8]) -> None:
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise UserError("a picture must be uint8 [H, W, 3]")
