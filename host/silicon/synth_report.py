"""The result of a synthesis as JSON, CSV, tables and a picture."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from wingrid.host.reports.csv_text import csv_text
from wingrid.host.reports.report_table import compact_table
from wingrid.host.silicon.area import OUTSIDE, Area
from wingrid.host.silicon.family import KINDS
from wingrid.host.silicon.place_and_route import Routed, Step
from wingrid.host.silicon.synth_result import SynthResult
from wingrid.hw.version import version

SLOWEST = 10
"""Parts whose slowest end points are shown; JSON has all of them."""
ACCELERATOR = "wingrid"
"""What the accelerator's own cells, which are in none of its parts, are shown as."""


def as_dict(result: SynthResult) -> dict[str, Any]:
    """The report's JSON object: cells by part, shares of the target; clock, slowest path and ends by seed."""
    target = result.target
    return {
        "wingrid": version(),
        "config": result.config.as_dict(),
        "target": {
            "name": target.name,
            "maker": target.maker,
            "logic": target.logic,
            "multipliers": target.multipliers,
            "memories": target.memories,
        },
        "parts": [
            {"part": part or ACCELERATOR, "file": result.files.get(part), **_cells(result, area)}
            for part, area in _by_size(result)
        ],
        "total": {**_cells(result, result.total), "share": _rounded(result.share)},
        "uncounted": dict(result.uncounted),
        "mhz": result.mhz,
        "seeds": [_route(result, route) for route in result.routes],
        "wall_seconds": round(result.seconds, 1),
    }


def as_json(result: SynthResult) -> str:
    return json.dumps(as_dict(result), indent=2) + "\n"


def as_csv(result: SynthResult) -> str:
    """A line per part."""
    rows = as_dict(result)["parts"]
    return csv_text(rows)


def area_table(result: SynthResult) -> Table:
    """A line per part, the largest first, and what the whole is of the target."""
    shown = compact_table(title(result), "part")
    kinds = [kind for kind in KINDS if result.total.counts[kind]]
    for kind in kinds:
        shown.add_column(kind.replace(" ", "\n"), justify="right", no_wrap=True)
    shown.add_column("all\nlogic", justify="right", no_wrap=True)
    shown.add_column("of\nlogic", justify="right", no_wrap=True)
    for part, area in _by_size(result):
        shown.add_row(part or ACCELERATOR, *_figures(result, area, kinds))
    shown.add_section()
    shown.add_row("total", *_figures(result, result.total, kinds))
    return shown


def path_table(result: SynthResult) -> Table:
    """The slowest path of the first seed: how long it is in each signal's wires and in the cells that drive them."""
    shown = compact_table(f"the slowest path, seed {result.routes[0].seed}", "signal")
    for name, side in (("cells ns", "right"), ("wires ns", "right"), ("at ns", "right"), ("file", "left")):
        shown.add_column(name, justify=side, no_wrap=True)  # type: ignore[arg-type]
    for hop in hops(result.routes[0].path):
        figures = (f"{count:.2f}" for count in (hop.inside, hop.wire, hop.arrival))
        shown.add_row(hop.signal, *figures, result.files.get(hop.part, ""))
    return shown


@dataclass
class Hop:
    """All that a path has to do with one signal, as a carry chain has with its sum."""

    signal: str
    part: str
    inside: float
    wire: float
    arrival: float


def hops(path: Sequence[Step]) -> list[Hop]:
    """A path by the signals that it goes along."""
    found: list[Hop] = []
    arrival = inside = 0.0
    for step in path:
        arrival += step.nanoseconds
        if step.kind != "routing":
            inside += step.nanoseconds
            continue
        if not found or (step.signal and step.signal != found[-1].signal):
            found.append(Hop(step.signal, step.part, 0.0, 0.0, 0.0))
        hop = found[-1]
        hop.inside, hop.wire, hop.arrival = hop.inside + inside, hop.wire + step.nanoseconds, arrival
        inside = 0.0
    return found


def ends_table(result: SynthResult) -> Table:
    """The slowest end point of each part with the first seed, those parts first that hold the clock up most."""
    ends = [end for end in result.routes[0].ends if end.part != OUTSIDE]
    title = f"where the slowest paths of each part end, seed {result.routes[0].seed}"
    shown = compact_table(f"{title}: the {SLOWEST} slowest of {len(ends)}" if len(ends) > SLOWEST else title, "part")
    for name, side in (("ns", "right"), ("MHz", "right"), (" register or memory", "left"), ("file", "left")):
        shown.add_column(name, justify=side, no_wrap=True)  # type: ignore[arg-type]
    for end in ends[:SLOWEST]:
        place = end.cell.removeprefix(f"{end.part}.")
        times = f"{end.nanoseconds:.2f}", f"{1000 / end.nanoseconds:.0f}"
        shown.add_row(end.part or ACCELERATOR, *times, f" {place}", result.files.get(end.part, ""))
    return shown


def footnotes(result: SynthResult) -> Iterator[str]:
    """The clock, and what the whole is of the target."""
    told = ", ".join(f"{fraction:.1%} of the {what}" for what, fraction in result.share.items())
    yield f"The accelerator takes {told} of {result.target.name}."
    if result.uncounted:
        strange = ", ".join(f"{count:,} {kind}" for kind, count in sorted(result.uncounted.items()))
        yield f"In no figure, as nothing is known of them: {strange}."
    if result.routes:
        clocks = ", ".join(f"{route.mhz:g}" for route in result.routes)
        seeds = "seed" if len(result.routes) == 1 else "seeds"
        yield (
            f"{result.mhz:g} MHz, routed on {result.target.name} "
            f"({seeds} {', '.join(str(route.seed) for route in result.routes)}: {clocks})."
        )
    elif not result.target.routes:
        yield result.target.unrouted
    elif not result.fits:
        yield "So it does not fit, and was not routed."
    else:
        yield "The clock is not known without place and route: leave --no-route out."


def title(result: SynthResult) -> str:
    """What was synthesised for what."""
    config, target = result.config, result.target
    tiles = f"F({config.winograd}x{config.winograd})" if config.winograd else "direct"
    return f"{config.rows}x{config.cols} {tiles} on {target.name} ({target.maker})"


def _by_size(result: SynthResult) -> list[tuple[str, Area]]:
    own = [(part, area) for part, area in result.areas.items() if part != OUTSIDE]
    return sorted(own, key=lambda entry: (-entry[1].logic(result.family), entry[0]))


def _cells(result: SynthResult, area: Area) -> dict[str, float]:
    counts = {kind.replace(" ", "_"): _plain(count) for kind, count in area.counts.items()}
    return {**counts, "all_logic": _plain(area.logic(result.family))}


def _figures(result: SynthResult, area: Area, kinds: Sequence[str]) -> list[str]:
    logic = area.logic(result.family)
    counts = [f"{_plain(area.counts[kind]):,}" if area.counts[kind] else "" for kind in kinds]
    return [*counts, f"{_plain(logic):,}", f"{logic / result.target.logic:.1%}"]


def _plain(count: float) -> float:
    """Half a memory is half a memory, and all else whole."""
    return int(count) if count == int(count) else count


def _route(result: SynthResult, route: Routed) -> dict[str, Any]:
    return {
        "seed": route.seed,
        "mhz": route.mhz,
        "used": {name: {"used": used, "available": available} for name, (used, available) in route.used.items()},
        "path": [
            {
                "kind": step.kind,
                "ns": round(step.nanoseconds, 3),
                "signal": step.signal,
                "file": result.files.get(step.part),
            }
            for step in route.path
        ],
        "ends": [
            {
                "part": end.part or ACCELERATOR,
                "ns": round(end.nanoseconds, 3),
                "cell": end.cell,
                "file": result.files.get(end.part),
            }
            for end in route.ends
        ],
    }


def _rounded(shares: dict[str, float]) -> dict[str, float]:
    return {name.replace(" ", "_"): round(fraction, 4) for name, fraction in shares.items()}
