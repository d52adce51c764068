"""The page that ``--html`` asks for."""

from __future__ import annotations

from pathlib import Path

from wingrid.host.execution.network_result import NetworkResult
from wingrid.host.files import write_whole
from wingrid.host.reports.report import Report
from wingrid.host.reports.report_table import footnotes


def write_page(file: Path | None, result: NetworkResult) -> None:
    """Write the page of a result, whether or not its checks hold; nothing without a file."""
    if file is None:
        return
    # Imported here: what other commands do without.
    from wingrid.host.pages.report_page import report_page

    write_whole(file, report_page(result, footnotes(Report(result))).encode())
