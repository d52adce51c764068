"""A report's figures for Plotly: the roofline, and where each layer's cycles, bytes and energy go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wingrid.host.compiler.algorithms import TILES
from wingrid.host.pages.document import Figure
from wingrid.host.reports.report import Report
from wingrid.host.reports.roofline import Bound, gain

BOUND_COLOURS = dict(zip(Bound, ("#2ca02c", "#d62728", "#ff7f0e", "#1f77b4"), strict=True))
SYMBOLS = dict(zip(TILES, ("circle", "square", "diamond"), strict=True))


def roofline(report: Report, layers: Sequence[Mapping[str, Any]]) -> Figure:
    """Multiply-adds per cycle over multiply-adds per byte, both axes logarithmic; a point for each layer."""
    config, timing = report.result.setup.config, report.result.setup.timing
    left = min(layer["macs_per_byte"] for layer in layers) / 2
    right = max(layer["macs_per_byte"] for layer in layers) * 2
    data: list[dict[str, Any]] = []
    for name in dict.fromkeys(layer["algorithm"] for layer in layers):
        flat = config.multipliers * gain(TILES[name])
        ridge = flat / timing.bytes_per_cycle
        xs = [left, *([ridge] if left < ridge < right else []), right]
        ys = [min(flat, x * timing.bytes_per_cycle) for x in xs]
        data.append({"type": "scatter", "mode": "lines", "x": xs, "y": ys, "name": f"{name}, {flat:g}"})
    for bound in Bound:
        held = [layer for layer in layers if layer["bound"] == bound]
        if held:
            data.append(
                {
                    "type": "scatter",
                    "mode": "markers",
                    "x": [layer["macs_per_byte"] for layer in held],
                    "y": [layer["macs_per_cycle"] for layer in held],
                    "text": [f"{layer['name']}, {layer['algorithm']}" for layer in held],
                    "hovertemplate": "%{text}<br>%{x:.1f} MACs/byte<br>%{y:.1f} MACs/cycle<extra></extra>",
                    "marker": {
                        "size": 10,
                        "color": BOUND_COLOURS[bound],
                        "symbol": [SYMBOLS[layer["algorithm"]] for layer in held],
                    },
                    "name": f"bound by {bound}",
                }
            )
    axes = {
        "xaxis": {"type": "log", "title": {"text": "multiply-adds per byte"}},
        "yaxis": {"type": "log", "title": {"text": "multiply-adds per cycle"}},
    }
    return {"data": data, "layout": layout(420, **axes)}


def cycles(layers: Sequence[Mapping[str, Any]]) -> Figure:
    """A bar for each layer: busy cycles, and stalls by name."""
    parts = {"busy": [layer["busy"] for layer in layers]}
    for stall in layers[0]["stalls"]:
        parts[f"waits: {stall}"] = [layer["stalls"][stall] for layer in layers]
    return stacked(layers, parts, "cycles")


def traffic(layers: Sequence[Mapping[str, Any]]) -> Figure:
    """A bar for each layer: bytes that cross the bus, by class."""
    return stacked(layers, {name: [layer["bytes"][name] for layer in layers] for name in layers[0]["bytes"]}, "bytes")


def energy(layers: Sequence[Mapping[str, Any]]) -> Figure:
    """A bar for each layer: microjoules, by the part that takes them."""
    parts = {name.replace("_", " "): [layer["energy_uj"][name] for layer in layers] for name in _ENERGY}
    return stacked(layers, parts, "microjoules (45 nm)")


_ENERGY = ("multiply_add", "buffers", "dram")


def stacked(layers: Sequence[Mapping[str, Any]], parts: Mapping[str, Sequence[float]], unit: str) -> Figure:
    """Horizontal bars, the first layer at the top, made of parts; those that no layer has are left out."""
    names = [layer["name"] for layer in layers]
    data = [
        {
            "type": "bar",
            "orientation": "h",
            "y": names,
            "x": list(sizes),
            "name": name,
            "hovertemplate": f"%{{y}}<br>{name}: %{{x:,}} {unit}<extra></extra>",
        }
        for name, sizes in parts.items()
        if any(sizes)
    ]
    axes = {
        "barmode": "stack",
        "xaxis": {"title": {"text": unit}},
        "yaxis": {"autorange": "reversed", "automargin": True, "type": "category"},
    }
    return {"data": data, "layout": layout(140 + 22 * len(layers), **axes)}


def layout(height: int, **others: object) -> dict[str, Any]:
    """What all figures share: room for a phone, and the legend below."""
    return {
        "height": height,
        "margin": {"l": 60, "r": 10, "t": 10, "b": 50},
        "legend": {"orientation": "h", "y": -0.2, "yanchor": "top"},
        "paper_bgcolor": "#fff",
        "plot_bgcolor": "#fff",
        **others,
    }
