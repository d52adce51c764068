"""Estimates for people: a table of layers, or one of configurations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.table import Table

from wingrid.host.estimates.power import power
from wingrid.host.estimates.sweep import Variant
from wingrid.host.reports.remarks import remarks, share_of_array
from wingrid.host.reports.report import Report
from wingrid.host.reports.report_table import (
    compact_table,
    conditions,
    host_operations,
    latencies,
    megabytes,
    missing_clock,
    throughput,
)

COLUMNS = ("MMACs", "cycles", "MACs/\nmult./\ncycle", "busy", "bound by", "MACs/\nbyte", "of\nroof", "DRAM\nMB")
ENERGY = ("mult-add\nuJ", "buffers\nuJ", "DRAM\nuJ")
VARIANT = ("multi-\npliers", "on chip\nKiB", "cycles", "MACs/\nmult./\ncycle", "busy", "most bound by")
PER_SECOND = "images/s"
PER_IMAGE = ("MB/\nimage", "mult-add\nmJ/image", "buffers\nmJ/image", "DRAM\nmJ/image")


def layer_table(report: Report) -> Table:
    """A line per layer and their total."""
    found = report.as_dict()
    shown = compact_table(f"{report.result.network}, estimated ({conditions(report)})")
    shown.add_column("algorithm", no_wrap=True)
    for name in (*COLUMNS, *ENERGY):
        shown.add_column(name, justify="left" if name == "bound by" else "right", no_wrap=True)
    for layer in found["layers"]:
        roof = f"{layer['macs_per_cycle'] / layer['attainable_macs_per_cycle']:.1%}"
        shown.add_row(layer["name"], layer["algorithm"], *_figures(layer, f" {layer['bound']}", roof))
    shown.add_section()
    shown.add_row("total", "", *_figures(found["total"], "", ""))
    return shown


def variant_table(variants: Sequence[Variant], rate: float | None = None) -> Table:
    """A line per configuration; images per second only if there is one of which the clock is known, watts at a rate."""
    first = variants[0].report
    timing = first.result.setup.timing
    dram = ", DRAM" if timing.dram else ""
    names = list(variants[0].settings)
    shown = compact_table(f"{first.result.network}, estimated ({latencies(timing)}{dram})", names[0])
    totals = [variant.report.as_dict()["total"] for variant in variants]
    per_second = [total["images_per_second"] for total in totals]
    timed = any(rate is not None for rate in per_second)
    for name in (
        *names[1:],
        *VARIANT,
        *([PER_SECOND] if timed else []),
        *PER_IMAGE,
        *([f"W at\n{rate:g}/s"] if rate else []),
    ):
        shown.add_column(name, justify="right", no_wrap=True)
    for variant, total, reached in zip(variants, totals, per_second, strict=True):
        rates = [f"{reached:,.2f}" if reached is not None else "-"] if timed else []
        figures = _variant_figures(variant.report, total, rates)
        if rate:
            found = power(variant.report, rate)
            figures.append(f"{found['watts']['total']:.3g}" if found else "-")
        shown.add_row(*variant.settings.values(), *figures)
    return shown


def variant_footnotes(variants: Sequence[Variant]) -> Iterator[str]:
    """What holds for all configurations, and where images per second come from."""
    yield from share_of_array(variants[0].report.result.placement)
    clocks = [variant.report.result.setup.clock for variant in variants]
    known = list(dict.fromkeys(str(clock) for clock in clocks if clock.mhz is not None))
    if known:
        yield f"Images per second at {'; '.join(known)}."
    missing = list(dict.fromkeys(clock.missing for clock in clocks if clock.missing))
    yield from missing[:1]
    if len(missing) > 1:
        yield f"So it is for {len(missing) - 1} more of these configurations."


def footnotes(report: Report) -> Iterator[str]:
    """Throughput, energy and what bounds the network, in sentences."""
    total = report.as_dict()["total"]
    yield from share_of_array(report.result.placement)
    energy = total["energy_per_image_uj"]
    if energy is not None:
        parts = ", ".join(
            f"{energy[name] / 1000:.3g} {what}"
            for name, what in (("multiply_add", "multiply-add"), ("buffers", "buffers"), ("dram", "DRAM"))
        )
        yield (
            f"{throughput(report, total)}; "
            f"{total['dram_bytes'] / 1e6 / report.result.images:.1f} MB of memory traffic "
            f"and {energy['total'] / 1000:.3g} mJ each ({parts}; 45 nm)."
        )
    yield from missing_clock(report)
    if total["cycles"]:
        shares = [f"{name} {count / total['cycles']:.1%}" for name, count in total["bound_cycles"].items() if count]
        yield f"Cycles in layers bound by {', '.join(shares)}."
    yield from host_operations(report)
    yield from remarks(report.result)
    yield "The timing model takes as many cycles as the hardware; energy is a rough guide (see docs/estimates.md)."


def _figures(entry: dict[str, Any], bound: str, roof: str) -> list[str]:
    if entry["cycles"] is None:
        return [f"{entry['macs'] / 1e6:,.1f}", *["-"] * (len(COLUMNS) + len(ENERGY) - 1)]
    energy = entry["energy_uj"]
    return [
        f"{entry['macs'] / 1e6:,.1f}",
        f"{entry['cycles']:,}",
        f"{entry['macs_per_multiplier_cycle']:.3f}",
        f"{entry['utilisation']:.1%}",
        bound,
        f"{entry['macs_per_byte']:.1f}",
        roof,
        megabytes(entry["dram_bytes"], 2),
        *(f"{energy[name]:,.1f}" for name in ("multiply_add", "buffers", "dram")),
    ]


def _variant_figures(report: Report, total: dict[str, Any], per_second: list[str]) -> list[str]:
    config = report.result.setup.config
    size = [f"{config.multipliers:,}", f"{config.on_chip_bytes / 1024:,.0f}"]
    if total["cycles"] is None:
        return [*size, *["-"] * (len(VARIANT) + len(per_second) + len(PER_IMAGE) - len(size))]
    bound, cycles = max(total["bound_cycles"].items(), key=lambda entry: entry[1])
    energy = total["energy_per_image_uj"]
    per_image = ["-"] * len(PER_IMAGE)
    if energy is not None:
        per_image = [megabytes(total["dram_bytes"] // report.result.images, 1)]
        per_image += [f"{energy[name] / 1000:.2f}" for name in ("multiply_add", "buffers", "dram")]
    return [
        *size,
        f"{total['cycles']:,}",
        f"{total['macs_per_multiplier_cycle']:.3f}",
        f"{total['utilisation']:.1%}",
        f"{bound} {cycles / total['cycles']:.0%}",
        *per_second,
        *per_image,
    ]
