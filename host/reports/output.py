"""What a command leaves behind when its layers have run: the report, in the forms asked for."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from wingrid.host.execution.network_result import NetworkResult
from wingrid.host.files import require_writable, write_whole
from wingrid.host.reports.report import Report
from wingrid.host.reports.report_table import footnotes, table

PIPE_WIDTH = 120
"""Width of a table that does not go to a terminal."""


def show(tables: Iterable[Table], lines: Iterable[str] = ()) -> None:
    """Print tables, then lines, on standard output."""
    console = Console(width=None if sys.stdout.isatty() else PIPE_WIDTH, highlight=False)
    for shown in tables:
        console.print(shown)
    for line in lines:
        console.print(line, markup=False)


class ChecksFailed(Exception):
    """Some output differs from golden, or some time from the model's; the message has a line for each."""


class Deliverables:
    """Where a command's report goes; refused before any work if it cannot be written."""

    def __init__(self, json_file: str | None, csv_file: Path | None) -> None:
        self._json, self._csv = json_file, csv_file
        if json_file not in (None, "-"):
            require_writable(Path(json_file))
        if csv_file is not None:
            require_writable(csv_file)

    def deliver(self, result: NetworkResult) -> None:
        """Write and show the report; raises ``ChecksFailed`` if a layer's check failed, or the judge objects."""
        report = Report(result)
        self.hand_over(report.as_json, report.as_csv, lambda: table(report), footnotes(report))
        if failed := list(result.failures()):
            raise ChecksFailed("\n".join(failed))

    def hand_over(
        self, json: Callable[[], str], csv: Callable[[], str], shown: Callable[[], Table], lines: Iterable[str]
    ) -> None:
        """Write the forms that were asked for; show the table and the lines unless JSON goes to standard output."""
        if self._json == "-":
            sys.stdout.write(json())
        else:
            show([shown()], lines)
            if self._json is not None:
                write_whole(Path(self._json), json().encode())
        if self._csv is not None:
            write_whole(self._csv, csv().encode())
