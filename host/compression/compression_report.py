"""The report of a model's compression, as a table with lines under it, as JSON and as CSV."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from functools import reduce
from operator import add
from typing import Any

from rich.table import Table

from wingrid.host.compression.compression_result import CompressionResult, LayerCompression
from wingrid.host.compression.pipeline import NOTHING, Sizes
from wingrid.host.execution.quantisation_result import Closeness
from wingrid.host.reports.csv_text import csv_text
from wingrid.host.reports.report_table import compact_table
from wingrid.hw.version import version

STAGES = ("dense", "pruned", "shared", "huffman", "huffman_dense")


def table(result: CompressionResult) -> Table:
    """A line for each layer, and all of them together."""
    shown = compact_table(f"{result.network}, compressed (index of {result.index_bits} bits)")
    shown.add_column("kind", no_wrap=True)
    names = ("weights", "density\nbefore", "\nafter", "values\nbefore", "\nafter", "bytes\nint8")
    stages = ("\npruned", "\nshared", "\nHuffman", "times\nsmaller", "Huffman\nalone", "alone:\nSNR dB")
    for name in (*names, *stages):
        shown.add_column(name, justify="right", no_wrap=True)
    for layer in result.layers:
        before, after = (f"{share:.1%}" for share in (layer.density_before, layer.density))
        values = f"{layer.values_before}", f"{layer.values}"
        cells = f"{layer.sizes.weights:,}", before, after, *values, *_bytes(layer.sizes), _alone(layer)
        shown.add_row(layer.layer, layer.kind, *cells)
    shown.add_section()
    sums = total(result)
    shown.add_row("total", "", f"{sums.weights:,}", "", f"{_density(result):.1%}", "", "", *_bytes(sums), "")
    return shown


def footnotes(result: CompressionResult) -> Iterator[str]:
    """What the columns mean, and how close the outputs stay."""
    yield (
        "Bytes after each stage, with what it needs to be undone: index and int8 code of each weight; index and "
        "entry of the codebook; both by Huffman codes."
    )
    yield "Huffman alone: the bytes of all weights, zeros too, by one code, without an index."
    if result.samples:
        yield (
            "alone: the first output against that of the model as it was, if only this layer is compressed; the lower "
            "the ratio, the more sensitive the layer."
        )
    for entry in result.outputs:
        cosine = "" if entry.cosine is None else f", cosine {entry.cosine:.5f}"
        ratio = f"SNR {_ratio(entry)} dB{cosine}" if entry.snr_db is not None else _ratio(entry)
        yield f"Output {entry.name} against the model as it was, over {_samples(result)}: {ratio}."
    if result.agreement is not None:
        yield f"The largest element of the first output is the same one in {result.agreement:.2%} of the rows."
    yield from result.left_alone


def as_json(result: CompressionResult) -> str:
    """All figures; null stands for what is not known without samples."""
    found = {
        "wingrid": version(),
        "network": result.network,
        "index_bits": result.index_bits,
        "layers": [{**_entry(layer), "alone": _as_list(layer.alone)} for layer in result.layers],
        "total": {"density": round(_density(result), 6), **_stages(total(result))},
        "samples": result.samples,
        "outputs": _as_list(result.outputs),
        "agreement": result.agreement,
        "left_alone": list(result.left_alone),
    }
    return json.dumps(found, indent=2) + "\n"


def as_csv(result: CompressionResult) -> str:
    """A line per layer."""
    lines = [{**_entry(layer), "alone_snr_db": _snr(layer)} for layer in result.layers]
    return csv_text(lines)


def total(result: CompressionResult) -> Sizes:
    """All layers together."""
    return reduce(add, (layer.sizes for layer in result.layers), NOTHING)


def _density(result: CompressionResult) -> float:
    return sum(layer.density * layer.sizes.weights for layer in result.layers) / total(result).weights


def _entry(layer: LayerCompression) -> dict[str, Any]:
    return {
        "layer": layer.layer,
        "kind": layer.kind,
        "density_before": round(layer.density_before, 6),
        "density": round(layer.density, 6),
        "values_before": layer.values_before,
        "values": layer.values,
        **_stages(layer.sizes),
    }


def _stages(sizes: Sizes) -> dict[str, int]:
    return {"weights": sizes.weights, **{f"{stage}_bytes": getattr(sizes, stage) for stage in STAGES}}


def _bytes(sizes: Sizes) -> list[str]:
    coded = (f"{getattr(sizes, stage):,}" for stage in STAGES[:-1])
    return [*coded, f"{sizes.dense / sizes.huffman:.2f}", f"{sizes.dense / sizes.huffman_dense:.2f}"]


def _as_list(group: Sequence[Closeness] | None) -> list[dict[str, object]] | None:
    return None if group is None else [dataclasses.asdict(entry) for entry in group]


def _alone(layer: LayerCompression) -> str:
    return "" if layer.alone is None else _ratio(layer.alone[0])


def _snr(layer: LayerCompression) -> float | None:
    return None if layer.alone is None else layer.alone[0].snr_db


def _ratio(entry: Closeness) -> str:
    if entry.snr_db is not None:
        return f"{entry.snr_db:.1f}"
    return "equal" if entry.equal else "-"


def _samples(result: CompressionResult) -> str:
    return "1 sample" if result.samples == 1 else f"{result.samples} samples"
