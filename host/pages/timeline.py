"""When each engine worked, layer by layer: by the timing model, whose events equal the RTL's in every run checked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wingrid.host.compiler.compile_layer import CompiledLayer
from wingrid.host.execution.trace import TRACKS, engine_slices
from wingrid.host.pages.document import Figure
from wingrid.host.pages.figures import layout
from wingrid.hw.config import INSTRUCTION_BYTES
from wingrid.hw.encoding import decode_program
from wingrid.sim.memory import MemoryTiming
from wingrid.sim.timing.model import simulate

SHOWN = 200
"""Instructions of a layer whose work is drawn, from its first on: a browser has to move all of them."""


def timelines(
    compiled: Sequence[CompiledLayer], timing: MemoryTiming
) -> tuple[list[tuple[str, Figure]], dict[str, dict[str, float]]]:
    """A figure for each layer, by its name; and each engine's share of the layer's cycles in which it has work."""
    figures, shares = [], {}
    for layer in compiled:
        run = simulate(layer.config, layer.program, timing, program_address=layer.memory.program, events=True)
        assert run.events is not None, "they were asked for"
        shares[layer.layer.name] = _shares(run.events)
        figures.append((layer.layer.name, _figure(layer, run.events)))
    return figures, shares


def occupation(shares: Mapping[str, Mapping[str, float]]) -> Figure:
    """Each engine's share of each layer's cycles, as shades."""
    names = list(shares)
    data = {
        "type": "heatmap",
        "x": names,
        "y": list(TRACKS),
        "z": [[round(shares[name][track], 4) for name in names] for track in TRACKS],
        "zmin": 0,
        "zmax": 1,
        "colorscale": "Blues",
        "reversescale": True,
        "hovertemplate": "%{x}, %{y}: %{z:.1%}<extra></extra>",
    }
    axes = {"xaxis": {"type": "category", "automargin": True}, "yaxis": {"autorange": "reversed", "automargin": True}}
    return {"data": [data], "layout": layout(260, **axes)}


def _shares(events: NDArray[Any]) -> dict[str, float]:
    cycles = int(events["cycle"].max()) + 1
    return {track: _union(events, began, ended) / cycles for track, (began, ended) in TRACKS.items()}


def _union(events: NDArray[Any], began: int, ended: int) -> int:
    """Cycles in which an engine has at least one instruction: several may overlap."""
    starts = events["cycle"][events["event"] == began]
    ends = events["cycle"][events["event"] == ended]
    count = min(len(starts), len(ends))
    if not count:
        return 0
    starts, ends = starts[:count], ends[:count]
    # An instruction's work counts from where that of those before it has ended.
    before = np.concatenate([[0], np.maximum.accumulate(ends)[:-1]])
    return int(np.maximum(ends - np.maximum(starts, before), 0).sum())


def _figure(layer: CompiledLayer, events: NDArray[Any]) -> Figure:
    program = decode_program(layer.program[: SHOWN * INSTRUCTION_BYTES])
    early = events[events["instruction"] < len(program)]
    bars: dict[str, dict[str, list[Any]]] = {}
    for track, (began, ended) in TRACKS.items():
        bar = bars[track] = defaultdict(list)
        for entry in engine_slices(0, program, early, began, ended):
            bar["base"].append(entry["ts"])
            bar["x"].append(entry["dur"])
            bar["text"].append(entry["name"])
    data = [
        {
            "type": "bar",
            "orientation": "h",
            "y": [track] * len(bar["x"]),
            "x": bar["x"],
            "base": bar["base"],
            "customdata": bar["text"],
            "name": track,
            "marker": {"line": {"width": 0.5, "color": "#fff"}},
            "hovertemplate": "%{customdata}<br>from cycle %{base:,}, %{x:,} cycles<extra></extra>",
        }
        for track, bar in bars.items()
        if bar["x"]
    ]
    rest = f", the first {len(program)} of {layer.length:,} instructions" if layer.length > len(program) else ""
    axes = {
        "barmode": "overlay",
        "showlegend": False,
        "dragmode": "zoom",
        "xaxis": {"title": {"text": f"cycle{rest}"}},
        "yaxis": {"autorange": "reversed", "fixedrange": True, "automargin": True},
    }
    return {"data": data, "layout": layout(300, **axes)}
