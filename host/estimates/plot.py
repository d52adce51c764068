"""An estimate as a picture: the roofline, and where each layer's cycles and energy go."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from wingrid.host.compiler.algorithms import SPARSE, TILES
from wingrid.host.errors import UserError
from wingrid.host.reports.report import Report
from wingrid.host.reports.report_table import latencies
from wingrid.host.reports.roofline import Bound, gain

if TYPE_CHECKING:
    from matplotlib.axes import Axes


BOUND_COLOURS = dict(zip(Bound, ("tab:green", "tab:red", "tab:orange", "tab:blue"), strict=True))
MARKERS = dict(zip((*TILES, SPARSE), "osD^", strict=True))
RARE = 0.01
"""Share of all cycles below which a cause of waiting has no colour of its own."""
LABELS_ABREAST = 24
"""Labels that fit side by side into the roofline's width."""
ENERGY_PARTS = {"multiply_add": "multiply-add", "buffers": "buffers", "dram": "DRAM"}


def drawn(report: Report, suffix: str) -> bytes:
    """The picture of an estimate, in the format of ``plot_format.FORMATS`` that ``suffix`` names.

    Raises ``UserError`` for a model of which no layer runs on the accelerator.
    """
    if not report.result.layers:
        raise UserError("there is nothing to draw: no layer of the model runs on the accelerator")
    # Imported here: it takes longer than the estimate.
    import matplotlib
    from matplotlib.figure import Figure

    found = report.as_dict()
    layers = found["layers"]
    with matplotlib.rc_context({"svg.hashsalt": "wingrid", "font.size": 8}):
        figure = Figure(figsize=(11, 4 + 0.35 * len(layers)), layout="constrained")
        roof, cycles, energy = (
            figure.add_subplot(place)
            for grid in [figure.add_gridspec(2, 2, height_ratios=(4, 0.35 * len(layers) + 0.5))]
            for place in (grid[0, :], grid[1, 0], grid[1, 1])
        )
        _draw_roofline(roof, report, layers)
        _draw_bars(cycles, layers, _cycle_parts(layers), "million cycles")
        _draw_bars(energy, layers, [_energy_parts(layer) for layer in layers], "energy, mJ (45 nm)")
        content = io.BytesIO()
        metadata = {"Date": None} if suffix == ".svg" else {}
        figure.savefig(content, format=suffix.removeprefix("."), dpi=150, metadata=metadata)
    return content.getvalue()


def _draw_roofline(axes: Axes, report: Report, layers: list[dict[str, Any]]) -> None:
    """Multiply-adds per cycle over multiply-adds per byte, both axes logarithmic."""
    config, timing = report.result.setup.config, report.result.setup.timing
    intensities = [layer["macs_per_byte"] for layer in layers]
    left, right = min(intensities) / 2, max(intensities) * 2
    for name in dict.fromkeys(layer["algorithm"] for layer in layers):
        flat = config.multipliers * gain(TILES.get(name))
        ridge = flat / timing.bytes_per_cycle
        xs = [left, *([ridge] if left < ridge < right else []), right]
        axes.plot(xs, [min(flat, x * timing.bytes_per_cycle) for x in xs], color="black", linewidth=0.8)
        axes.annotate(f"{name}, {flat:g}", (right, min(flat, right * timing.bytes_per_cycle)), ha="right", va="bottom")
    for layer in layers:
        place = layer["macs_per_byte"], layer["macs_per_cycle"]
        axes.plot(*place, MARKERS[layer["algorithm"]], color=BOUND_COLOURS[Bound(layer["bound"])], markersize=5)
    for group in _neighbours(layers, (right / left) ** (1 / LABELS_ABREAST)):
        place = group[0]["macs_per_byte"], min(layer["macs_per_cycle"] for layer in group)
        names = "\n".join(layer["name"] for layer in group)
        axes.annotate(names, place, xytext=(-4, -5), textcoords="offset points", va="top", fontsize=6)
    for bound in dict.fromkeys(Bound(layer["bound"]) for layer in layers):
        axes.plot([], [], "s", color=BOUND_COLOURS[bound], label=f"bound by {bound}")
    axes.set(xscale="log", yscale="log", xlabel="multiply-adds per byte", ylabel="multiply-adds per cycle")
    axes.set_title(
        f"{report.result.network} on {config.rows}x{config.cols} multipliers, "
        f"{timing.bytes_per_cycle} bytes per cycle, {latencies(timing)}"
    )
    axes.grid(which="both", linewidth=0.2)
    axes.legend(loc="lower right")


def _neighbours(layers: list[dict[str, Any]], reach: float) -> list[list[dict[str, Any]]]:
    """Layers whose labels would cover each other: they lie within a factor of ``reach`` along both axes."""
    groups: list[list[dict[str, Any]]] = []
    for layer in sorted(layers, key=lambda layer: layer["macs_per_byte"]):
        first = groups[-1][0] if groups else None
        if first and all(layer[axis] / first[axis] < reach for axis in ("macs_per_byte", "macs_per_cycle")):
            groups[-1].append(layer)
        else:
            groups.append([layer])
    return groups


def _cycle_parts(layers: list[dict[str, Any]]) -> list[dict[str, float]]:
    """Millions of cycles of each layer: busy, and waiting for each thing; what hardly occurs is taken together."""
    waits = {name: sum(layer["stalls"][name] for layer in layers) for name in layers[0]["stalls"]}
    rare = [name for name, count in waits.items() if count < RARE * sum(layer["cycles"] for layer in layers)]
    return [
        {
            "busy": layer["busy"] / 1e6,
            **{f"waits: {name}": layer["stalls"][name] / 1e6 for name in waits if name not in rare},
            "waits: other": sum(layer["stalls"][name] for name in rare) / 1e6,
        }
        for layer in layers
    ]


def _energy_parts(layer: dict[str, Any]) -> dict[str, float]:
    """Millijoules."""
    return {label: layer["energy_uj"][name] / 1e3 for name, label in ENERGY_PARTS.items()}


def _draw_bars(axes: Axes, layers: list[dict[str, Any]], parts: list[dict[str, float]], label: str) -> None:
    """A bar per layer, the first at the top, made of its parts; parts that no layer has get no colour."""
    names = [layer["name"] for layer in layers]
    starts = [0.0] * len(layers)
    for part in parts[0]:
        sizes = [entry[part] for entry in parts]
        if any(sizes):
            axes.barh(names, sizes, left=starts, label=part)
            starts = [start + size for start, size in zip(starts, sizes, strict=True)]
    axes.invert_yaxis()
    axes.set_xlabel(label)
    axes.legend(loc="best")
