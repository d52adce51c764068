"""A comparison as JSON, as a table, and as a page of Markdown."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Iterable, Iterator
from typing import Any

from rich.table import Table

from wingrid.host.fidelity.comparison import Comparison, Row
from wingrid.host.fidelity.published import Published
from wingrid.host.reports.report_table import compact_table
from wingrid.hw.version import version

HEADS = ("theirs,\nms", "direct\nhere, ms", "theirs/\nhere", "cheapest\nhere, ms", "use\nthere", "use\nhere")


def as_dict(found: Comparison) -> dict[str, Any]:
    """The comparison's JSON object."""
    other = found.published
    return {
        "wingrid": version(),
        "network": other.network,
        "with": {
            "name": other.name,
            "title": other.title,
            "source": other.source,
            "multipliers": other.multipliers,
            "clock_mhz": other.clock_mhz,
            "bits": other.bits,
            "bytes_per_cycle": other.bytes_per_cycle,
        },
        "config": found.setup.config.as_dict(),
        "layers": [{**dataclasses.asdict(row), "ratio": round(row.ratio, 4)} for row in found.rows],
        "feature_maps": dataclasses.asdict(found.traffic) if found.traffic else None,
    }


def table(found: Comparison) -> Table:
    """A line per layer."""
    other = found.published
    shown = compact_table(f"{other.network}: {other.title}, beside {_array(found)}")
    if found.traffic:
        for name in ("MB there", "MB fused there", "MB here"):
            shown.add_column(name, justify="right")
        maps = found.traffic
        shown.add_row(
            f"{maps.layers[0]} to {maps.layers[-1]}",
            *(f"{count / 1e6:.1f}" for count in (maps.by_layer, maps.fused, maps.here)),
        )
        return shown
    for name in HEADS:
        shown.add_column(name, justify="right", no_wrap=True)
    for row in found.rows:
        shown.add_row(row.layer, *_cells(row))
    return shown


def lines(found: Comparison) -> Iterator[str]:
    """The reasons, layers of the same reason together, and the conditions."""
    for names, reason in _reasons(found.rows):
        yield f"{names}: {reason}."
    yield from _conditions(found)


def page(comparisons: Iterable[Comparison], others: Iterable[Published]) -> str:
    """``docs/fidelity.md``."""
    text = [HEADER]
    for found in comparisons:
        other = found.published
        text.append(f"## {other.title}\n\n    wingrid compare {other.network} --with {other.name}\n")
        text.append(_wrapped(" ".join(_conditions(found))) + "\n")
        if found.traffic:
            maps = found.traffic
            text.append(
                "| Layers | MB there | MB fused there | MB here |\n| --- | --- | --- | --- |\n"
                f"| {maps.layers[0]} to {maps.layers[-1]} | {maps.by_layer / 1e6:.1f} | {maps.fused / 1e6:.1f} | "
                f"{maps.here / 1e6:.1f} |\n"
            )
            continue
        heads = ["Layer", *(head.replace("\n", " ").replace("theirs/ here", "theirs/here") for head in HEADS)]
        rows = [[row.layer, *_cells(row)] for row in found.rows]
        body = ["| " + " | ".join(row) + " |" for row in [heads, ["---"] * len(heads), *rows]]
        text.append("\n".join(body) + "\n")
        if reasons := [_wrapped(f"- {names}: {reason}", "  ") for names, reason in _reasons(found.rows)]:
            text.append("Where the two differ by more than 10 %:\n\n" + "\n".join(reasons) + "\n")
    text.append(
        "## Figures without the machine's size\n\n"
        "Their sources, as far as they were read, do not tell multipliers, clock and bandwidth, so there is nothing\n"
        "of the same size to estimate.\n\n| What | Network | Device | Figure |\n| --- | --- | --- | --- |\n"
        + "".join(
            f"| [{other.title}]({other.source.split(', ')[0].split(': ')[0]}) | {other.network} | {other.device} | "
            f"{_figure(other)} |\n"
            for other in others
        )
    )
    return "\n".join(text)


HEADER = """# Our figures beside other people's

Made by `python -m tests.bench.fidelity` (`make comparisons`) from `host/fidelity/published.toml` and estimates. All
published figures were read in the sources that are named; those that are only quoted in other papers are left out until
somebody has read them. An estimate is for an array of as many multipliers, at the clock and with the bandwidth of the
other accelerator: what the hardware here would do if it ran at that clock, which is no promise that it does
([silicon.md](silicon.md)).

- *direct here*: direct convolution, so that both do the same multiplications. *theirs/here* above 1: faster here.
- *cheapest here*: the same array with Winograd where it is exact and helps.
- *use*: multiply-adds over cycles and multipliers. Pooling is in the convolution before it here.
"""


def _wrapped(text: str, indent: str = "") -> str:
    return textwrap.fill(text, 120, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _figure(other: Published) -> str:
    if other.images_per_second is not None:
        return f"{other.images_per_second:g} images per second"
    return f"{other.gops:g} GOP/s"


def _array(found: Comparison) -> str:
    config = found.setup.config
    return f"{config.rows}x{config.cols} here"


def _conditions(found: Comparison) -> Iterator[str]:
    other, config = found.published, found.setup.config
    yield f"Source: {other.source}."
    if found.traffic:
        yield (
            f"Feature maps of VGG's first five convolutions in numbers of {found.traffic.bits} bits; those here, on "
            f"{config.rows}x{config.cols} with {config.on_chip_bytes / 1024:,.0f} KiB on chip, have 8, counted as if "
            f"they had {found.traffic.bits}. Layers are not fused here, but for the pooling behind a convolution."
        )
        return
    yield (
        f"{other.multipliers:,} multipliers there, {config.multipliers:,} here ({config.rows}x{config.cols}, "
        f"{config.on_chip_bytes / 1024:,.0f} KiB on chip; theirs is not told); {other.clock_mhz:g} MHz; numbers of "
        f"{other.bits} bits there, 8 here; memory brings {other.bytes_per_cycle} bytes per cycle ({other.bandwidth}), "
        f"of which the bus here carries {found.setup.timing.bytes_per_cycle}."
    )


def _cells(row: Row) -> list[str]:
    return [
        f"{row.theirs:.3f}",
        f"{row.direct:.3f}",
        f"{row.ratio:.2f}",
        f"{row.cheapest:.3f}",
        f"{row.their_use:.1%}",
        f"{row.our_use:.1%}",
    ]


def _reasons(rows: Iterable[Row]) -> list[tuple[str, str]]:
    """Layers with the same reason, and the reason."""
    found: dict[str, list[str]] = {}
    for row in rows:
        if row.reason is not None:
            found.setdefault(row.reason, []).append(row.layer)
    return [(", ".join(names), reason) for reason, names in found.items()]
