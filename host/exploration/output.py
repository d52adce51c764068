"""What ``wingrid explore`` leaves behind: table, JSON, CSV, Parquet and pictures."""

from __future__ import annotations

import io
from pathlib import Path

from rich.table import Table

from wingrid.host.errors import UserError
from wingrid.host.exploration.picture import drawn, page, title
from wingrid.host.exploration.result import as_json, figures_of, rows
from wingrid.host.exploration.search import Found
from wingrid.host.exploration.words import binding, next_step
from wingrid.host.files import require_folder, write_whole
from wingrid.host.fitting.fit import describe
from wingrid.host.reports.csv_text import csv_text
from wingrid.host.reports.report_table import compact_table

RESULT = "explore.json"

COLUMNS = {
    "images-per-second": "images/s", "cycles": "cycles/\nimage", "energy": "uJ/\nimage", "traffic": "MB/\nimage",
    "area": "area", "lut": "LUT", "dsp": "DSP", "bram": "BRAM", "buffers": "buffers\nKiB",
}  # fmt: skip

SHOWN_IN_WORDS = 12
"""Points of a longer front are told in words only in the files."""


def require_place(folder: Path) -> None:
    """Raise ``UserError`` unless results can be put there: into nothing, an empty folder, or an earlier search's."""
    require_folder(folder)
    if folder.exists() and any(folder.iterdir()) and not (folder / RESULT).is_file():
        raise UserError(f"{folder} holds something that is no search; name another folder, or an empty one")


def write(found: Found, folder: Path) -> None:
    """All forms; Parquet where pyarrow is installed."""
    folder.mkdir(parents=True, exist_ok=True)
    contents: dict[str, bytes] = {
        "explore.csv": csv_text(rows(found)).encode(),
        "front.svg": drawn(found, ".svg"),
        "front.png": drawn(found, ".png"),
        "front.html": page(found),
    }
    if (parquet := parquet_bytes(found)) is not None:
        contents["explore.parquet"] = parquet
    for name, content in {**contents, RESULT: as_json(found).encode()}.items():
        write_whole(folder / name, content)


def parquet_bytes(found: Found) -> bytes | None:
    """The rows of the CSV with their types; ``None`` without pyarrow."""
    try:
        import pyarrow as arrow
        from pyarrow import parquet
    except ImportError:
        return None
    content = io.BytesIO()
    parquet.write_table(arrow.Table.from_pylist(rows(found)), content)
    return content.getvalue()


def front_table(found: Found) -> Table:
    """A line per point of the front."""
    shown = compact_table(f"The front of {title(found)}", "")
    shown.add_column("mesh")
    shown.add_column("buffers")
    names = list(figures_of(found, found.front[0]))
    for name in names:
        shown.add_column(COLUMNS[name], justify="right", no_wrap=True)
    for number, point in enumerate(found.front, 1):
        config, figures = point.config, figures_of(found, point)
        buffers = f"{config.input_buffer}/{config.weight_buffer}/{config.accumulators}"
        shown.add_row(str(number), describe(config), buffers, *(_cell(name, figures[name]) for name in names))
    return shown


def words(found: Found) -> list[str]:
    """What binds each point, and what the next step costs and brings."""
    told = []
    for number, point in enumerate(found.front[:SHOWN_IN_WORDS]):
        told += [f"{number + 1}: {binding(found, point)}.", f"   next step: {next_step(found, number)}."]
    if len(found.front) > SHOWN_IN_WORDS:
        told.append(f"The other {len(found.front) - SHOWN_IN_WORDS} points are told in the files that -o writes.")
    return told


def _cell(name: str, value: float) -> str:
    if name == "area":
        return f"{value:.1%}"
    if name == "traffic":
        return f"{value / 1e6:,.2f}"
    if name == "buffers":
        return f"{value / 1024:,.0f}"
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"
