"""The front as a picture: two objectives, all that was timed, and what is best among it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from wingrid.host.exploration.measures import MEASURES, Measure
from wingrid.host.exploration.result import figures_of
from wingrid.host.exploration.search import Found, Point
from wingrid.host.exploration.words import binding, described, next_step

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
        axes.plot(*_places(found, found.front, along, up), color="#333333", linewidth=0.7, drawstyle="steps-post")
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
    """The interactive picture: a page that opens without a network, with what each point of the front is in words."""
    # Imported here: it takes a moment, and others do without.
    import plotly.graph_objects as go

    along, up = axes_of(found)
    others = [point for point in found.timed if not _is_in(point, found.front)]
    figure = go.Figure()
    for name, points, marker in (
        ("timed, and not the best", others, {"size": 5, "color": "#c7c7c7"}),
        ("front", found.front, {"size": 9, "color": [COLOURS[point.config.winograd] for point in found.front]}),
    ):
        xs, ys = _places(found, points, along, up)
        texts = [_hover(found, point) for point in points]
        mode = "markers+lines" if name == "front" else "markers"
        line = {"width": 1, "color": "#333333", "shape": "vh"}
        figure.add_scatter(
            x=xs,
            y=ys,
            mode=mode,
            name=name,
            marker=marker,
            line=line,
            text=texts,
            hovertemplate="%{text}<extra></extra>",
        )
    figure.update_layout(
        title=title(found),
        xaxis={"type": "log", "title": _label(along)},
        yaxis={"type": "log", "title": _label(up)},
        template="plotly_white",
        height=700,
    )
    return str(figure.to_html(include_plotlyjs="inline", full_html=True)).encode()


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


def _is_in(point: Point, points: Sequence[Point]) -> bool:
    return any(other is point for other in points)


def _places(found: Found, points: Sequence[Point], along: Measure, up: Measure) -> tuple[list[Any], list[Any]]:
    def values(measure: Measure) -> list[float]:
        return [measure.value(float(measure.cost(point.figures, found.question.combination))) for point in points]

    return values(along), values(up)


def _label(measure: Measure) -> str:
    return measure.name if measure.unit == measure.name else f"{measure.name}, {measure.unit}"
