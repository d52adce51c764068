"""Networks and their sizes, as JSON or as a table."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from host.networks.network import Network
from host.outputs import require_writable, write_whole
from hw.verilog import version


def describe_networks(networks: Iterable[Network]) -> list[dict[str, Any]]:
    """Name, source, input size, layers, multiplications and weights of each network."""
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
    ]


def list_networks(networks: Iterable[Network], json_file: str | None) -> None:
    """Show a table, or write JSON; to standard output for ``-``."""
    entries = describe_networks(networks)
    text = json.dumps({"wingrid": version(), "networks": entries}, indent=2) + "\n"
    if json_file == "-":
        sys.stdout.write(text)
        return
    if json_file is not None:
        require_writable(Path(json_file))
        write_whole(Path(json_file), text.encode())
    table = Table()
    for name in ("network", "layers", "MMACs", "weights", "source"):
        table.add_column(name, justify="right" if name in ("layers", "MMACs", "weights") else "left")
    for entry in entries:
        size = (f"{len(entry['layers'])}", f"{entry['macs'] / 1e6:,.1f}", f"{entry['weights']:,}")
        table.add_row(entry["name"], *size, entry["source"])
    Console().print(table)
