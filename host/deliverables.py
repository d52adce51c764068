"""What a command leaves behind when its layers have run: the report, in the forms asked for."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

from host.outputs import require_writable, write_whole
from host.progress import Bar
from host.report import Report
from host.report_table import footnotes, table
from host.runner import Job, LayerResult, Listener, Machine, run_layers

PIPE_WIDTH = 120
"""Width of a table that does not go to a terminal."""


Runner = Callable[[Iterable[Job], Machine, Listener | None], Iterator[LayerResult]]


def show(tables: Iterable[Table], lines: Iterable[str] = ()) -> None:
    """Print tables, then lines, on standard output."""
    console = Console(width=None if sys.stdout.isatty() else PIPE_WIDTH, highlight=False)
    for shown in tables:
        console.print(shown)
    for line in lines:
        console.print(line, markup=False)


class ChecksFailed(Exception):
    """Some output differs from golden; the message has a line for each layer."""


class Deliverables:
    """Where a command's report goes; refused before any work if it cannot be written."""

    def __init__(self, json_file: str | None, csv_file: Path | None) -> None:
        self._json, self._csv = json_file, csv_file
        if json_file not in (None, "-"):
            require_writable(Path(json_file))
        if csv_file is not None:
            require_writable(csv_file)

    def deliver(self, report: Report) -> None:
        """Write and show the report; raises ``ChecksFailed`` if a layer is not exact."""
        if self._json == "-":
            sys.stdout.write(report.as_json())
        else:
            show([table(report)], footnotes(report))
            if self._json is not None:
                write_whole(Path(self._json), report.as_json().encode())
        if self._csv is not None:
            write_whole(self._csv, report.as_csv().encode())
        failed = [str(result.mismatch) for result in report.results if result.mismatch]
        if failed:
            raise ChecksFailed("\n".join(failed))


def run_all(
    jobs: Iterable[Job], on: Machine, what: str, runner: Runner | None = None
) -> tuple[list[LayerResult], float]:
    """Run jobs under a progress bar, each from its golden input or as ``runner`` does; results and wall seconds."""
    started = time.perf_counter()
    with Bar(what) as bar:
        results = list((runner or run_layers)(jobs, on, bar))
    return results, time.perf_counter() - started
