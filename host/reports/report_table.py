"""The report for people: a table that fits a terminal of 120 columns, and a few lines under it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from wingrid.host.networks.seeded_operands import SEEDED
from wingrid.host.reports.remarks import remarks, share_of_array
from wingrid.host.reports.report import Report
from wingrid.sim.memory import MemoryTiming

COLUMNS = ("algorithm", "pool", "MMACs", "cycles", "MACs/\nmult./\ncycle", "busy", "largest\nstall")
TRAFFIC = ("weights\nMB", "activa-\ntions\nMB", "results\nMB", "other\nMB", "of\nbound", "exact/\ntimed")


def table(report: Report) -> Table:
    """A line per layer and their total; a dash stands for what the backend cannot know."""
    found = report.as_dict()
    shown = compact_table(f"{report.result.network} on {report.result.setup.backend} ({conditions(report)})")
    for name in (*COLUMNS, *TRAFFIC):
        shown.add_column(name, justify="left" if name in ("algorithm", "pool") else "right", no_wrap=True)
    for layer in found["layers"]:
        verdicts = ({True: "yes", False: "NO", None: "-"}[layer[check]] for check in ("exact", "timing_equal"))
        row = layer["name"], layer["algorithm"] or "-", layer["pool"] or "", *_figures(layer), "/".join(verdicts)
        shown.add_row(*row)
    shown.add_section()
    shown.add_row("total", "", "", *_figures(found["total"]), "")
    return shown


def footnotes(report: Report) -> Iterator[str]:
    """What the table has no column for: throughput, what the host did, what the network saw."""
    found = report.as_dict()
    total = found["total"]
    yield from share_of_array(report.result.placement)
    if told := throughput(report, total):
        yield f"{told}, {total['dram_bytes'] / 1e6 / report.result.images:.1f} MB of memory traffic each."
    yield from missing_clock(report)
    if total["rtl_cycles_per_second"] is not None:
        yield (
            f"{total['wall_seconds']:.1f} s of wall time; "
            f"a core simulates {total['rtl_cycles_per_second']:,} cycles per second."
        )
    yield from host_operations(report)
    yield from remarks(report.result)
    for image, guesses in enumerate(report.result.guesses or ()):
        classes = ", ".join(f"{guess.number} ({guess.probability:.2%})" for guess in guesses)
        yield f"Likeliest classes of image {image}: {classes}."
    if report.result.guesses and report.result.weights.startswith(SEEDED):
        yield "Weights are seeded, not trained: these classes show that every bit arrives, and mean nothing."


def throughput(report: Report, total: dict[str, Any]) -> str | None:
    """Images per second, where there is a clock; else cycles per image; ``None`` where time or images are unknown."""
    images = report.result.images
    if not images or total["cycles"] is None:
        return None
    if total["images_per_second"] is not None:
        return f"{total['images_per_second']:g} images per second at {report.result.setup.clock}"
    rate = total["dram_bytes"] / total["cycles"]
    return f"{total['cycles'] / images:,.0f} cycles per image at {rate:.2f} bytes per cycle"


def missing_clock(report: Report) -> Iterator[str]:
    """Why the clock of the target that was named is not known."""
    if report.result.setup.clock.missing:
        yield report.result.setup.clock.missing


def host_operations(report: Report) -> Iterator[str]:
    """A sentence about what the host does, if it does anything."""
    places: dict[str, list[str]] = {}
    for entry in report.host_operations():
        when = "before" if "before" in entry else "after"
        places.setdefault(f"{entry['operation']} {when}", []).append(entry[when])
    if places:
        operations = "; ".join(f"{operation} {', '.join(names)}" for operation, names in places.items())
        yield f"On the host, not in these figures: {operations}."


def conditions(report: Report) -> str:
    """Array and memory, in brief."""
    config, timing = report.result.setup.config, report.result.setup.timing
    dram = ", DRAM" if timing.dram else ""
    return f"{config.rows}x{config.cols}, {latencies(timing)}, {timing.bytes_per_cycle} bytes/cycle{dram}"


def latencies(timing: MemoryTiming) -> str:
    """A memory's latency in brief, and that of its writes where they have one to speak of."""
    bridge = timing.bridge
    of_writes = f" (writes {timing.write_latency})" if timing.write_latency > 1 else ""
    beats = f", a beat in {bridge.read_beat} cycles (writes {bridge.write_beat})" if bridge else ""
    return f"latency {timing.latency}{of_writes}{beats}"


def compact_table(title: str | None, first: str = "layer") -> Table:
    """An empty table with narrow gaps and its first column."""
    shown = Table(title=title, box=SIMPLE_HEAD, padding=(0, 0), title_justify="left", pad_edge=False)
    shown.add_column(first, no_wrap=True)
    return shown


def megabytes(count: int, digits: int = 3) -> str:
    """Bytes in millions, to the kilobyte or as many digits as asked for."""
    return f"{count / 1e6:,.{digits}f}"


def _figures(entry: dict[str, Any]) -> list[str]:
    macs = f"{entry['macs'] / 1e6:,.1f}"
    if entry["cycles"] is None:
        return [macs, *["-"] * (len(COLUMNS) + len(TRAFFIC) - 4)]
    cycles, moved = entry["cycles"], entry["bytes"]
    cause, stalled = max(entry["stalls"].items(), key=lambda stall: stall[1])
    other = entry["dram_bytes"] - moved["weights"] - moved["activations"] - moved["results"]
    return [
        macs,
        f"{cycles:,}",
        f"{entry['macs_per_multiplier_cycle']:.3f}",
        f"{entry['busy'] / cycles:.1%}",
        f"{cause} {stalled / cycles:.1%}" if stalled else "none",
        *(megabytes(count, 2) for count in (moved["weights"], moved["activations"], moved["results"], other)),
        f"{entry['lower_bound_ratio']:.2f}",
    ]
