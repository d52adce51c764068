"""Areas that synthesis found: rows of family, configuration and cells, from which areas of others are predicted.

``area_points.json`` beside this file has those of ``make area-points``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from wingrid.host.silicon.routed_clocks import changes
from wingrid.hw.config import AcceleratorConfig

SHIPPED = Path(__file__).with_name("area_points.json")


@dataclass(frozen=True)
class AreaPoint:
    """What synthesis made of a configuration."""

    family: str
    """A key of ``FAMILIES``."""
    config: AcceleratorConfig
    counts: Mapping[str, float]
    """Cells by kind, see ``KINDS``, without the harness."""
    tools: str
    """Name and version."""


def read(file: Path = SHIPPED) -> list[AreaPoint]:
    """The points of a file."""
    return [
        AreaPoint(row["family"], AcceleratorConfig(**row["config"]), row["counts"], row["tools"])
        for row in json.loads(file.read_text())
    ]


def as_text(points: Iterable[AreaPoint]) -> str:
    """A file of points, one a line; of configurations the fields that differ from the default one's."""
    rows = (
        json.dumps(
            {
                "family": point.family,
                "config": changes(point.config),
                "counts": dict(point.counts),
                "tools": point.tools,
            }
        )
        for point in points
    )
    return "[\n" + ",\n".join(rows) + "\n]\n"
