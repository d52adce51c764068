"""Which engine was busy when: a layer's trace, read as JSON. https://ui.perfetto.dev shows the same file."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from wingrid import compile_layer

CONFIG = Path(__file__).resolve().parents[1] / "configs" / "tiny-4x4.toml"
WIDTH = 64
"""Characters of a line of time."""


def main() -> None:
    random = np.random.default_rng(1)
    weights = random.integers(-100, 100, (8, 8, 3, 3), np.int8)
    x = random.integers(-128, 128, (1, 8, 12, 12), np.int8)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "trace.json"
        cycles = compile_layer(weights, (12, 12), scale=0.002, padding=1, config=CONFIG).run(x, trace=file).cycles
        entries = json.loads(file.read_text())["traceEvents"]
    assert cycles

    # "M" entries name the tracks, "X" entries are slices: a start "ts" and a duration "dur", in cycles.
    names = {entry["tid"]: entry["args"]["name"] for entry in entries if entry["name"] == "thread_name"}
    print(f"{cycles} cycles, {cycles / WIDTH:.0f} a character")
    for track, name in names.items():
        slices = [(entry["ts"], entry["dur"]) for entry in entries if entry["ph"] == "X" and entry["tid"] == track]
        busy = sum(duration for _, duration in slices)
        print(f"{name:11} {line(slices, cycles)} {len(slices):4} slices, {busy / cycles:4.0%} busy")


def line(slices: Sequence[tuple[int, int]], cycles: int) -> str:
    """A mark wherever a track is busy."""
    marks = [" "] * WIDTH
    for start, duration in slices:
        first, last = (min(cycle * WIDTH // cycles, WIDTH - 1) for cycle in (start, start + max(duration, 1) - 1))
        marks[first : last + 1] = "#" * (last + 1 - first)
    return f"|{''.join(marks)}|"


if __name__ == "__main__":
    main()
