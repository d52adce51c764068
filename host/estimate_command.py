"""What ``wingrid estimate`` leaves behind: tables, JSON, CSV and a plot, for one configuration or several."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from host.deliverables import Deliverables
from host.errors import UserError
from host.estimate_table import footnotes, layer_table, variant_table
from host.estimation import Variant
from host.outputs import require_writable, write_whole
from host.plot import require_plot_format
from host.report import csv_text, flat


class EstimateDeliverables:
    """Where estimates go; refused before any work if they cannot."""

    def __init__(self, json_file: str | None, csv_file: Path | None, plot: Path | None, configurations: int) -> None:
        self._deliverables, self._plot = Deliverables(json_file, csv_file), plot
        if plot is not None:
            if configurations > 1:
                raise UserError(f"--plot draws one configuration, and the settings make {configurations}")
            require_plot_format(plot)
            require_writable(plot)

    def deliver(self, variants: Sequence[Variant]) -> None:
        """Write and show what was asked for."""
        report = variants[0].report
        if self._plot is not None:
            # Imported here: it takes longer than the estimate.
            from host.plot import drawn

            write_whole(self._plot, drawn(report, self._plot.suffix))
        if len(variants) == 1:
            self._deliverables.hand_over(report.as_json, report.as_csv, lambda: layer_table(report), footnotes(report))
            return
        self._deliverables.hand_over(
            lambda: json.dumps(variants_as_list(variants), indent=2) + "\n",
            lambda: csv_text(layer_rows(variants)),
            lambda: variant_table(variants),
            (),
        )


def variants_as_list(variants: Sequence[Variant]) -> list[dict[str, Any]]:
    """A report for each configuration, with the settings that tell it from the others."""
    return [{**variant.report.as_dict(), "settings": variant.settings} for variant in variants]


def layer_rows(variants: Sequence[Variant]) -> list[dict[str, Any]]:
    """A row for each layer of each configuration, the varied settings first."""
    return [
        flat({"settings": variant.settings, **layer})
        for variant in variants
        for layer in variant.report.as_dict()["layers"]
    ]


def total_rows(variants: Sequence[Variant]) -> list[dict[str, Any]]:
    """A row for each configuration: the varied settings, then the network's totals."""
    return [{**variant.settings, **flat(variant.report.as_dict()["total"])} for variant in variants]
