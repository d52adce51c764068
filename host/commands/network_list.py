"""Networks and their sizes, as JSON or as a table."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from rich.table import Table

from wingrid.host.errors import UserError
from wingrid.host.networks.built_in import ONNX_BUILT_IN
from wingrid.host.networks.network import Network
from wingrid.host.reports.output import Deliverables
from wingrid.host.reports.report_table import compact_table
from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.verilog import version


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
    from wingrid.host.onnx_models.bundled import TYPICAL_INPUTS
    from wingrid.host.onnx_models.model_estimate import imported_for_estimate
    from wingrid.host.onnx_models.model_run import model_path

    graph = imported_for_estimate(model_path(name), AcceleratorConfig(), shape=TYPICAL_INPUTS.get(name))
    return {
        "name": name,
        "source": ONNX_BUILT_IN.get(name, "an ONNX model"),
        "input": list(graph.input_type.shape[1:]),
        "layers": [layer.name for layer in graph.layers],
        "macs": sum(layer.shape.macs for layer in graph.layers),
        "weights": sum(layer.shape.weight_bytes for layer in graph.layers),
    }


def list_networks(networks: Iterable[Network], imported: Iterable[str], json_file: str | None) -> None:
    """Show a table, and write JSON if that is asked for."""
    deliverables = Deliverables(json_file, None)
    entries = describe_networks(networks, imported)
    text = json.dumps({"wingrid": version(), "networks": entries}, indent=2) + "\n"
    deliverables.hand_over(lambda: text, str, lambda: [network_table(entries)], ())


def network_table(entries: Iterable[dict[str, Any]]) -> Table:
    """A line per network."""
    table = compact_table(None, "network")
    for name in ("layers", "MMACs", "weights"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("source")
    for entry in entries:
        size = (f"{len(entry['layers'])}", f"{entry['macs'] / 1e6:,.1f}", f"{entry['weights']:,}")
        table.add_row(entry["name"], *size, entry["source"])
    return table
