"""What ``wingrid estimate`` leaves behind: tables, JSON, CSV and a plot, for one configuration or several."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from wingrid.host.errors import UserError
from wingrid.host.estimates.power import power, power_lines, weight_table
from wingrid.host.estimates.sweep import Variant, layer_rows, variants_as_list
from wingrid.host.estimates.table import footnotes, layer_table, variant_footnotes, variant_table
from wingrid.host.files import write_whole
from wingrid.host.reports.csv_text import csv_text
from wingrid.host.reports.output import Deliverables
from wingrid.host.reports.plot_format import require_plot_format
from wingrid.host.reports.report import Report, as_json


class EstimateDeliverables:
    """Where estimates go; refused before any work if they cannot."""

    def __init__(
        self,
        json_file: str | None,
        csv_file: Path | None,
        plot: Path | None,
        configurations: int,
        rate: float | None = None,
        html: Path | None = None,
    ) -> None:
        self._deliverables = Deliverables(json_file, csv_file, {"--plot": plot, "--html": html})
        self._plot, self._rate = plot, rate
        for option, file in (("--plot", plot), ("--html", html)):
            if file is not None and configurations > 1:
                raise UserError(f"{option} draws one configuration, and the settings make {configurations}")
        if plot is not None:
            require_plot_format(plot)

    def deliver(self, variants: Sequence[Variant]) -> None:
        """Write and show what was asked for."""
        first = variants[0].report
        if self._plot is not None:
            # Imported here: it takes longer than the estimate.
            from wingrid.host.estimates.plot import drawn

            write_whole(self._plot, drawn(first, self._plot.suffix))
        if len(variants) == 1:
            self._deliver_one(first)
            return
        self._deliverables.hand_over(
            lambda: as_json(variants_as_list(variants, self._rate)),
            lambda: csv_text(layer_rows(variants)),
            lambda: [variant_table(variants, self._rate)],
            variant_footnotes(variants),
        )

    def _deliver_one(self, report: Report) -> None:
        found = power(report, self._rate) if self._rate is not None else None
        tables, lines = [layer_table(report)], list(footnotes(report))
        if found is not None:
            tables.append(weight_table(found))
            lines += power_lines(report, found)

        def entry() -> dict[str, Any]:
            return {**report.as_dict(), **({} if self._rate is None else {"power": found})}

        self._deliverables.hand_over(lambda: as_json(entry()), report.as_csv, lambda: tables, lines)
