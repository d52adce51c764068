"""What is built in, ONNX models among it: layers, multiplications and weights of each network."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from wingrid.host.errors import UserError
from wingrid.host.networks.built_in import ONNX_BUILT_IN
from wingrid.host.networks.network import Network
from wingrid.hw.config import AcceleratorConfig


def describe_networks(networks: Iterable[Network], imported: Iterable[str] = ()) -> list[dict[str, Any]]:
    """Name, source, input size, layers, multiplications and weights of each network.

    ``imported`` are names of those that are ONNX models; one that has to be fetched first is left out.
    """
    return [
        {
            "name": network.name,
            "source": network.source,
            "input": [network.channels, network.height, network.width],
            "layers": [layer.name for layer in network.layers()],
            "macs": sum(layer.shape.macs for layer in network.layers()),
            "weights": sum(layer.shape.weight_bytes for layer in network.layers()),
        }
        for network in networks
    ] + [_describe_onnx(name) for name in imported if name not in ONNX_BUILT_IN or _is_here(name)]


def _is_here(name: str) -> bool:
    # Imported here: what other commands do without.
    from wingrid.host.onnx_models.bundled import bundled_model

    try:
        return bundled_model(name).is_file()
    except UserError:
        return False


def _describe_onnx(name: str) -> dict[str, Any]:
    from wingrid.host.onnx_models.model_estimate import imported_for_estimate

    graph = imported_for_estimate(name, AcceleratorConfig())
    return {
        "name": name,
        "source": ONNX_BUILT_IN.get(name, "an ONNX model"),
        "input": list(next(iter(graph.inputs.values())).shape[1:]),
        "layers": [layer.name for layer in graph.layers],
        "macs": sum(step.macs for step in graph.accelerated),
        "weights": sum(layer.shape.weight_bytes for layer in graph.layers),
    }
