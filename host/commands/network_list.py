"""Networks and their sizes, as JSON or as a table."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from rich.table import Table

from wingrid.host.networks.network import Network
from wingrid.host.reports.output import Deliverables
from wingrid.host.reports.report_table import compact_table
from wingrid.hw.version import version


def list_networks(networks: Iterable[Network], imported: Iterable[str], json_file: str | None) -> None:
    """Show a table, and write JSON if that is asked for."""
    # Imported here: what other commands do without.
    from wingrid.host.onnx_models.catalogue import describe_networks

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
