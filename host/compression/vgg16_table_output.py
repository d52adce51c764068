"""The table of VGG-16's compression as JSON, CSV or a table."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from wingrid.host.compression.published import (
    PRINTED_TOTAL_DENSITY,
    PRINTED_TOTAL_RATE,
    PRINTED_TOTAL_RATE_HUFFMAN,
)
from wingrid.host.compression.vgg16_table import SYNTHETIC, TableRow, totals, vgg16_table
from wingrid.host.execution.listener import Listener
from wingrid.host.onnx_models.bundled import IMAGENET
from wingrid.host.reports.csv_text import csv_text
from wingrid.host.reports.output import Deliverables
from wingrid.host.reports.report_table import compact_table
from wingrid.hw.version import version


def deliver_table(listener: Listener, json_file: str | None, csv_file: Path | None) -> None:
    """Measure, write the files asked for, and show the table. Raises ``UserError``."""
    deliverables = Deliverables(json_file, csv_file)
    rows = vgg16_table(listener)
    deliverables.hand_over(lambda: as_json(rows), lambda: as_csv(rows), lambda: [table(rows)], footnotes(rows))


def table(rows: Sequence[TableRow]) -> Table:
    """A line per layer: as printed, by the formula, as measured; and all of them together."""
    shown = compact_table("Deep Compression of VGG-16: printed / by formula / measured here")
    shown.add_column("weights are")
    for name in ("weights", "P", "bits of values\nP+Q, P+Q+H", "bits of index\nP+Q, P+Q+H"):
        shown.add_column(name, justify="right", no_wrap=True)
    for name in ("rate, %\nP+Q", "rate, %\nP+Q+H"):
        shown.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        printed, formula, found = row.published, row.formula, row.measured
        shown.add_row(
            printed.name,
            row.weights,
            f"{printed.weights:,}",
            f"{printed.density:.0%}",
            f"{printed.value_bits}, {printed.value_bits_huffman:.1f} / {found.value_bits_huffman:.2f}",
            f"{printed.index_bits}, {printed.index_bits_huffman:.1f} / {found.index_bits_huffman:.2f}",
            _three(printed.rate, formula.rate, found.rate),
            _three(printed.rate_huffman, formula.rate_huffman, found.rate_huffman),
        )
    sums = totals(rows)
    shown.add_section()
    shown.add_row(
        "all rows", "", f"{sums.weights:,}", f"{sums.density:.1%}", "", "",
        _three(sums.rate, sums.formula_rate, sums.measured_rate),
        _three(sums.rate_huffman, sums.formula_rate_huffman, sums.measured_rate_huffman),
    )  # fmt: skip
    shown.add_row(
        "printed total", "", "", f"{PRINTED_TOTAL_DENSITY:.1%}", "", "",
        f"{PRINTED_TOTAL_RATE:.2f}", f"{PRINTED_TOTAL_RATE_HUFFMAN:.2f}",
    )  # fmt: skip
    return shown


def footnotes(rows: Sequence[TableRow]) -> Iterator[str]:
    """What the figures rest on."""
    yield "P: weights that stay. Q: shared values. H: Huffman codes. Rates are per cent of 32 bits for every weight."
    yield "Printed: Han, Mao and Dally, Deep Compression, 2016. Formula: from the printed bits, docs/compression.md."
    yield (
        f"real: the convolutions of {IMAGENET}, int8 codes times scales, pruned here by magnitude without training. "
        f"{SYNTHETIC}: Laplace weights, seeded, as nobody offers the real ones; zeros at random."
    )
    sums = totals(rows)
    yield (
        f"The printed totals are not what the rows come to: {sums.rate:.2f} and {sums.rate_huffman:.2f} % weighted by "
        f"weights, not {PRINTED_TOTAL_RATE} and {PRINTED_TOTAL_RATE_HUFFMAN} %."
    )
    convolutions = [row for row in rows if row.published.is_convolution]
    part = totals(convolutions)
    printed, found = (rate * 32 / 100 for rate in (part.rate_huffman, part.measured_rate_huffman))
    yield f"All convolutions, P+Q+H: {printed:.2f} bits a weight as printed, {found:.2f} as measured."


def as_json(rows: Sequence[TableRow]) -> str:
    """All figures."""
    found = {
        "wingrid": version(),
        "network": IMAGENET,
        "layers": [dataclasses.asdict(row) for row in rows],
        "all_rows": dataclasses.asdict(totals(rows)),
        "printed_total": {
            "density": PRINTED_TOTAL_DENSITY,
            "rate": PRINTED_TOTAL_RATE,
            "rate_huffman": PRINTED_TOTAL_RATE_HUFFMAN,
        },
    }
    return json.dumps(found, indent=2) + "\n"


def as_csv(rows: Sequence[TableRow]) -> str:
    """A line per layer."""
    lines: list[dict[str, Any]] = []
    for row in rows:
        line = {**dataclasses.asdict(row.published), "weights_are": row.weights}
        for name, figures in (("formula", row.formula), ("measured", row.measured)):
            line |= {f"{name}.{key}": value for key, value in dataclasses.asdict(figures).items()}
        lines.append(line)
    return csv_text(lines)


def _three(*figures: float) -> str:
    return " / ".join(f"{figure:.2f}" for figure in figures)
