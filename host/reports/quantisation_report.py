"""The report of a quantisation, as a table with lines under it, and as JSON."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence

from rich.table import Table

from wingrid.host.execution.quantisation_result import Closeness, QuantisationResult
from wingrid.host.reports.remarks import share_of_array
from wingrid.host.reports.report_table import compact_table
from wingrid.hw.version import version


def table(result: QuantisationResult) -> Table:
    """A line for each output, and one for each of the worst layers."""
    samples = f"the first {result.compared} of " if result.compared < result.samples else ""
    count = "1 sample" if result.samples == 1 else f"{samples}{result.samples} samples"
    shown = compact_table(f"{result.network} in int8 against float ({result.method}, {count})", "output or layer")
    for name in ("", "operator"):
        shown.add_column(name, justify="left", no_wrap=True)
    for name in ("SNR\ndB", "cosine"):
        shown.add_column(name, justify="right", no_wrap=True)
    for kind, group in (("output", result.outputs), ("layer", result.worst)):
        for entry in group:
            shown.add_row(entry.name, kind, entry.operator, _ratio(entry), _cosine(entry))
        shown.add_section()
    return shown


def footnotes(result: QuantisationResult) -> Iterator[str]:
    """What the table has no column for."""
    if result.worst:
        yield "Under the outputs: the layers whose tensors are furthest from the float model's, the worst one first."
    yield from share_of_array(result.placement)
    yield from result.remarks


def as_json(result: QuantisationResult) -> str:
    """All figures; null stands for a ratio of tensors that are equal, or no numbers."""
    placement = result.placement
    found = {
        "wingrid": version(),
        "network": result.network,
        "method": result.method,
        "samples": result.samples,
        "compared": result.compared,
        "outputs": _as_list(result.outputs),
        "worst_layers": _as_list(result.worst),
        "macs_array": placement.macs_array,
        "macs_host": placement.macs_host,
        "share_of_array": placement.share,
        "host": [dataclasses.asdict(work) for work in placement.host],
        "remarks": list(result.remarks),
    }
    return json.dumps(found, indent=2) + "\n"


def _as_list(group: Sequence[Closeness]) -> list[dict[str, object]]:
    return [dataclasses.asdict(entry) for entry in group]


def _ratio(entry: Closeness) -> str:
    if entry.snr_db is not None:
        return f"{entry.snr_db:.1f}"
    return "equal" if entry.equal else "-"


def _cosine(entry: Closeness) -> str:
    return "-" if entry.cosine is None else f"{entry.cosine:.5f}"
