"""The front as a picture: two objectives, all that was timed, and what is best among it."""

from __future__ import annotations

import html
import io
from collections.abc import Sequence
from typing import Any

from wingrid.host.exploration.measures import MEASURES, Measure
from wingrid.host.exploration.result import figures_of
from wingrid.host.exploration.search import Found, Point
from wingrid.host.exploration.words import binding, described, next_step, summary
from wingrid.host.pages.document import Section, paragraph, table
from wingrid.host.pages.document import page as document

COLOURS = {0: "#7f7f7f", 2: "#1f77b4", 4: "#d62728"}
"""By Winograd tile."""


def axes_of(found: Found) -> tuple[Measure, Measure]:
    """The second objective along, the first up; the area where there is only one."""
    first, *others = found.question.objectives
    area = MEASURES["area" if first.name != "area" else "cycles"]
    return (others[0] if others else area), first


def drawn(found: Found, suffix: str) -> bytes:
    """The static picture; ``suffix`` is .png or .svg."""
    # Imported here: it takes longer than many a search.
    import matplotlib
    from matplotlib.figure import Figure

    along, up = axes_of(found)
    with matplotlib.rc_context({"svg.hashsalt": "wingrid", "font.size": 9}):
        figure = Figure(figsize=(9, 6), layout="constrained")
        axes = figure.add_subplot()
        others = [point for point in found.timed if not _is_in(point, found.front)]
        axes.plot(*_places(found, others, along, up), ".", color="#c7c7c7", label="timed, and not the best")
        if _is_a_line(found):
            axes.plot(*_places(found, found.front, along, up), color="#333333", linewidth=0.7, drawstyle="steps-pre")
        for tile, colour in COLOURS.items():
            points = [point for point in found.front if point.config.winograd == tile]
            if points:
                label = f"front, F({tile}x{tile})" if tile else "front, direct"
                axes.plot(*_places(found, points, along, up), "o", color=colour, markersize=5, label=label)
        for number, point in enumerate(found.front, 1):
            (x,), (y,) = _places(found, [point], along, up)
            axes.annotate(str(number), (x, y), xytext=(3, 3), textcoords="offset points", fontsize=7)
        axes.set(xscale="log", yscale="log", xlabel=_label(along), ylabel=_label(up), title=title(found))
        axes.grid(which="both", linewidth=0.2)
        axes.legend(loc="best")
        content = io.BytesIO()
        figure.savefig(
            content, format=suffix.removeprefix("."), dpi=150, metadata={"Date": None} if suffix == ".svg" else {}
        )
    return content.getvalue()


def page(found: Found) -> bytes:
    """The interactive picture: a page that opens without a network, with each point of the front in words."""
    along, up = axes_of(found)
    others = [point for point in found.timed if not _is_in(point, found.front)]
    front = {
        "mode": "markers+lines" if _is_a_line(found) else "markers",
        "line": {"width": 1, "color": "#333333", "shape": "vh"},
        "marker": {"size": 9, "color": [COLOURS[point.config.winograd] for point in found.front]},
    }
    rest = {"mode": "markers", "marker": {"size": 5, "color": "#c7c7c7"}}
    data = []
    for name, points, look in (("timed, and not the best", others, rest), ("front", found.front, front)):
        xs, ys = _places(found, points, along, up)
        texts = [_hover(found, point) for point in points]
        trace = {
            "type": "scatter",
            "name": name,
            "x": xs,
            "y": ys,
            "text": texts,
            "hovertemplate": "%{text}<extra></extra>",
        }
        data.append({**trace, **look})
    layout = {
        "xaxis": {"type": "log", "title": {"text": _label(along)}},
        "yaxis": {"type": "log", "title": {"text": _label(up)}},
        "height": 640,
    }
    figures = {"front": [("front", {"data": data, "layout": layout})]}
    words = "".join(map(paragraph, summary(found)))
    sections = [Section("The front", words, figures), Section("Its points", _table(found))]
    return document(title(found), sections).encode()


def _table(found: Found) -> str:
    names = list(figures_of(found, found.front[0]))
    rows = []
    for number, point in enumerate(found.front):
        words = described(point), binding(found, point), next_step(found, number)
        rows.append([number + 1, *figures_of(found, point).values(), *map(html.escape, words)])
    return table(["point", *names, "accelerator", "what binds", "the next step"], rows)


def title(found: Found) -> str:
    """Networks and chip."""
    networks = ", ".join(workload.network for workload in found.question.workloads)
    return f"{networks} on {found.question.wanted.target.name}"


def _hover(found: Found, point: Point) -> str:
    lines = [described(point), *(f"{name} {value:,g}" for name, value in figures_of(found, point).items())]
    for number, other in enumerate(found.front):
        if other is point:
            binds = binding(found, point).replace("; ", "<br>")
            lines = [f"<b>point {number + 1}</b>", *lines, binds, f"next step: {next_step(found, number)}"]
    return "<br>".join(lines)


def _is_a_line(found: Found) -> bool:
    """Whether the picture shows all objectives: of more than two it is a shadow of the front."""
    return len(found.question.objectives) == 2


def _is_in(point: Point, points: Sequence[Point]) -> bool:
    return any(other is point for other in points)


def _places(found: Found, points: Sequence[Point], along: Measure, up: Measure) -> tuple[list[Any], list[Any]]:
    def values(measure: Measure) -> list[float]:
        return [measure.value(float(measure.cost(point.figures, found.question.combination))) for point in points]

    return values(along), values(up)


def _label(measure: Measure) -> str:
    return measure.name if measure.unit == measure.name else f"{measure.name}, {measure.unit}"
