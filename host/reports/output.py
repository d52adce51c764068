"""What a command leaves behind when its layers have run: the report, in the forms asked for."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table

from wingrid.host.execution.network_result import NetworkResult
from wingrid.host.files import is_standard_output, require_outputs, write_whole
from wingrid.host.reports.narrow_tables import fitted, least_width
from wingrid.host.reports.report import Report
from wingrid.host.reports.report_table import footnotes, table
from wingrid.host.standard_output import encoding, print_text

PIPE_WIDTH = 120
"""Width of a table that goes neither to a terminal nor into as many COLUMNS as the environment names."""


def show(tables: Iterable[Table], lines: Iterable[str] = ()) -> None:
    """Print tables, then lines, on standard output."""
    terminal = sys.stdout is not None and sys.stdout.isatty()
    columns = os.environ.get("COLUMNS", "")
    chosen = int(columns) if columns.isdecimal() and int(columns) else None
    # The console decides by the encoding whether to draw lines or hyphens.
    text = io.TextIOWrapper(io.BytesIO(), encoding=encoding(), errors="backslashreplace")
    console = Console(
        file=text,
        force_terminal=terminal,
        width=chosen or (None if terminal else PIPE_WIDTH),
        highlight=False,
        markup=False,
        emoji=False,
    )
    width = console.width
    for whole in tables:
        if whole.title:
            console.print(whole.title, style="italic")
        for shown in fitted(whole, width):
            # What cannot be narrower than this is not cut: the terminal wraps its lines.
            console.width = max(width, least_width(shown))
            console.print(shown)
        console.width = width
    for line in lines:
        console.print(line)
    text.seek(0)
    print_text(text.read())


class Deliverables:
    """Where a command's report goes; refused before any work if it cannot be written.

    ``others`` are the files that the command writes itself, by option: no two may be the same, and if one of them all
    is standard output, then nothing else goes there.
    """

    def __init__(
        self, json_file: str | None, csv_file: Path | None, others: Mapping[str, Path | None] | None = None
    ) -> None:
        self._json, self._csv = json_file, csv_file
        outputs: dict[str, str | Path | None] = {"--json": json_file, "--csv": csv_file, **(others or {})}
        require_outputs(outputs)
        self._silent = any(map(is_standard_output, outputs.values()))

    def deliver(self, result: NetworkResult) -> None:
        """Write and show the report; raises ``ChecksFailed`` if a layer's check failed, or the judge objects."""
        report = Report(result)
        self.hand_over(report.as_json, report.as_csv, lambda: [table(report)], footnotes(report))
        result.require_checks()

    def hand_over(
        self,
        json: Callable[[], str],
        csv: Callable[[], str],
        shown: Callable[[], Iterable[Table]],
        lines: Iterable[str],
    ) -> None:
        """Write the forms that were asked for; show tables and lines unless standard output is for something else."""
        for file, text in ((self._json, json), (self._csv, csv)):
            if file is not None:
                write_whole(Path(file), text().encode())
        if not self._silent:
            show(shown(), lines)
