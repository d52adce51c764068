"""The memory footprint of a network as JSON, CSV or tables."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from wingrid.host.networks.network import Network
from wingrid.host.reports.csv_text import csv_text
from wingrid.host.reports.footprint import FLOAT32_BYTES, Row, footprint
from wingrid.host.reports.output import Deliverables
from wingrid.host.reports.report_table import compact_table, megabytes
from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.version import version


def deliver_footprint(
    network: Network,
    config: AcceleratorConfig,
    images: int,
    algorithm: str | None,
    json_file: str | None,
    csv_file: Path | None,
) -> None:
    """Work the footprint out, write the files asked for, and show tables."""
    deliverables = Deliverables(json_file, csv_file)
    rows = list(footprint(network, config, images, algorithm))
    deliverables.hand_over(
        lambda: json.dumps(as_dict(network.name, rows, config, images), indent=2) + "\n",
        lambda: as_csv(rows),
        lambda: [memory_table(network.name, rows, images), traffic_table(network.name, rows, config)],
        footnotes(rows),
    )


def footnotes(rows: Sequence[Row]) -> Iterator[str]:
    """What the tables' figures mean."""
    yield "MB are millions of bytes; weights are counted without biases."
    yield "im2col matrix: what explicit im2col writes to memory and reads back, in place of the input alone."
    yield "Moved: what the programs compiled for this accelerator load and store, whole bus beats."
    for row in rows:
        if row.machinery and row.machinery.unfolded:
            down, right = row.machinery.unfolded
            yield f"The host lays out {down}x{right} taps as channels of {row.name}'s input, which therefore is larger."


def as_dict(network: str, rows: Sequence[Row], config: AcceleratorConfig, images: int) -> dict[str, Any]:
    """The footprint's JSON object; bytes unless a name says otherwise."""
    return {
        "wingrid": version(),
        "network": network,
        "images": images,
        "config": config.as_dict(),
        "footprint": [_entry(row) for row in rows],
        "total": total(rows),
    }


def as_csv(rows: Sequence[Row]) -> str:
    """A line per row; bytes by class have a column each, empty where the row is no layer."""
    classes = next(list(row.machinery.bytes) for row in rows if row.machinery)
    lines = []
    for entry in map(_entry, rows):
        moved = entry.pop("bytes") or {}
        for name in ("output", "unfolded"):
            entry[name] = "x".join(map(str, entry[name] or ()))
        lines.append({**entry, **{f"bytes.{name}": moved.get(name) for name in classes}})
    return csv_text(lines)


def total(rows: Sequence[Row]) -> dict[str, Any]:
    """The sums over all rows."""
    values, weights = sum(row.values for row in rows), sum(row.weights for row in rows)
    machinery = [row.machinery for row in rows if row.machinery]
    by_class = {name: sum(entry.bytes[name] for entry in machinery) for name in machinery[0].bytes}
    return {
        "values": values,
        "weights": weights,
        "float32_output_bytes": values * FLOAT32_BYTES,
        "float32_weight_bytes": weights * FLOAT32_BYTES,
        "int8_output_bytes": values,
        "int8_weight_bytes": weights,
        "input_bytes": sum(row.inputs or 0 for row in rows),
        "im2col_bytes": sum(row.im2col or 0 for row in rows),
        "bytes": by_class,
        "dram_bytes": sum(by_class.values()),
        "lower_bound_bytes": sum(entry.lower_bound_bytes for entry in machinery),
    }


def memory_table(network: str, rows: Sequence[Row], images: int) -> Table:
    """What has to be kept: outputs and weights, 32-bit and int8."""
    batch = "" if images == 1 else f", {images} images"
    table = compact_table(f"Memory that {network} takes{batch}")
    for name in ("output", "values", "weights", "outputs, MB\n32-bit", "weights, MB\n32-bit"):
        table.add_column(name, justify="right")
    for name in ("outputs, MB\nint8", "weights, MB\nint8"):
        table.add_column(name, justify="right")
    for row in rows:
        channels, height, width = row.output
        size = f"{height}x{width}x{channels}" if row.operator != "fc" else f"{channels}"
        table.add_row(row.name, size, *_memory_cells(row.values, row.weights))
    table.add_section()
    sums = total(rows)
    table.add_row("total", "", *_memory_cells(sums["values"], sums["weights"]))
    return table


def traffic_table(network: str, rows: Sequence[Row], config: AcceleratorConfig) -> Table:
    """What has to move: the matrix of explicit im2col, beside what the compiled programs load and store."""
    title = f"What {network} moves in int8, MB (on chip: {config.on_chip_bytes / 1024:.0f} KiB)"
    table = compact_table(title)
    for name in (
        "algorithm",
        "input",
        "im2col\nmatrix",
        "times\ninput",
        "instruc-\ntions",
        "weights",
        "activa-\ntions",
    ):
        table.add_column(name, justify="right")
    for name in ("para-\nmeters", "results", "moved\nin all", "least\npossible", "times\nleast"):
        table.add_column(name, justify="right")
    for row in rows:
        if row.machinery is None or row.inputs is None or row.im2col is None:
            continue
        cells = [row.machinery.algorithm, megabytes(row.inputs), megabytes(row.im2col)]
        cells += [f"{row.im2col / row.inputs:.3g}", *map(megabytes, row.machinery.bytes.values())]
        table.add_row(row.name, *cells, *_against(row.machinery.dram_bytes, row.machinery.lower_bound_bytes))
    table.add_section()
    sums = total(rows)
    cells = [
        "",
        megabytes(sums["input_bytes"]),
        megabytes(sums["im2col_bytes"]),
        "",
        *map(megabytes, sums["bytes"].values()),
    ]
    table.add_row("total", *cells, *_against(sums["dram_bytes"], sums["lower_bound_bytes"]))
    return table


def _memory_cells(values: int, weights: int) -> list[str]:
    counts = (values * FLOAT32_BYTES, weights * FLOAT32_BYTES, values, weights)
    return [f"{values:,}", f"{weights:,}", *map(megabytes, counts)]


def _against(moved: int, least: int) -> list[str]:
    return [megabytes(moved), megabytes(least), f"{moved / least:.2f}"]


def _entry(row: Row) -> dict[str, Any]:
    machinery = row.machinery
    return {
        "name": row.name,
        "operator": row.operator,
        "output": list(row.output),
        "values": row.values,
        "weights": row.weights,
        "float32_output_bytes": row.values * FLOAT32_BYTES,
        "float32_weight_bytes": row.weights * FLOAT32_BYTES,
        "int8_output_bytes": row.values,
        "int8_weight_bytes": row.weights,
        "input_bytes": row.inputs,
        "im2col_bytes": row.im2col,
        "im2col_ratio": round(row.im2col / row.inputs, 4) if row.inputs and row.im2col else None,
        "algorithm": machinery.algorithm if machinery else None,
        "unfolded": list(machinery.unfolded) if machinery and machinery.unfolded else None,
        "bytes": dict(machinery.bytes) if machinery else None,
        "dram_bytes": machinery.dram_bytes if machinery else None,
        "lower_bound_bytes": machinery.lower_bound_bytes if machinery else None,
    }
