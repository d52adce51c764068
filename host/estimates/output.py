"""What ``wingrid estimate`` leaves behind: tables, JSON, CSV and a plot, for one configuration or several."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from wingrid.host.errors import UserError
from wingrid.host.estimates.sweep import Variant, layer_rows, variants_as_list
from wingrid.host.estimates.table import footnotes, layer_table, variant_footnotes, variant_table
from wingrid.host.files import write_whole
from wingrid.host.reports.output import Deliverables
from wingrid.host.reports.plot_format import require_plot_format
from wingrid.host.reports.report import csv_text


class EstimateDeliverables:
    """Where estimates go; refused before any work if they cannot."""

    def __init__(self, json_file: str | None, csv_file: Path | None, plot: Path | None, configurations: int) -> None:
        self._deliverables, self._plot = Deliverables(json_file, csv_file, {"--plot": plot}), plot
        if plot is not None:
            if configurations > 1:
                raise UserError(f"--plot draws one configuration, and the settings make {configurations}")
            require_plot_format(plot)

    def deliver(self, variants: Sequence[Variant]) -> None:
        """Write and show what was asked for."""
        first = variants[0].report
        if self._plot is not None:
            # Imported here: it takes longer than the estimate.
            from wingrid.host.estimates.plot import drawn

            write_whole(self._plot, drawn(first, self._plot.suffix))
        if len(variants) == 1:
            self._deliverables.hand_over(first.as_json, first.as_csv, lambda: [layer_table(first)], footnotes(first))
            return
        self._deliverables.hand_over(
            lambda: json.dumps(variants_as_list(variants), indent=2) + "\n",
            lambda: csv_text(layer_rows(variants)),
            lambda: [variant_table(variants)],
            variant_footnotes(variants),
        )
