"""What a search has found, as JSON and as rows of a table."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from wingrid.host.exploration.measures import MEASURES, TIMED
from wingrid.host.exploration.search import Found, Point
from wingrid.host.exploration.words import binding, next_step
from wingrid.host.reports.report import flat
from wingrid.hw.version import version


def as_dict(found: Found) -> dict[str, Any]:
    """The whole result, ready for JSON; ``front`` is numbered from 1 by ``point``."""
    question, wanted = found.question, found.question.wanted
    return {
        "wingrid": version(),
        "networks": [workload.network for workload in question.workloads],
        "shapes": {name: list(shape) for name, shape in question.workloads[0].shapes.items()},
        "int8_kernels": question.workloads[0].int8_kernels,
        "target": wanted.target.name,
        "place": question.place,
        "clock_assumed": wanted.mhz,
        "objectives": [measure.name for measure in question.objectives],
        "limits": dict(question.limits),
        "combination": question.combination,
        "space": question.space.as_dict(),
        "search": {**dataclasses.asdict(found.tally), "designs_per_second": round(found.tally.designs_per_second)},
        "front": [
            {
                "point": number + 1,
                **_point(found, point),
                "binds": binding(found, point),
                "next_step": next_step(found, number),
            }
            for number, point in enumerate(found.front)
        ],
    }


def as_json(found: Found) -> str:
    return json.dumps(as_dict(found), indent=2) + "\n"


def rows(found: Found) -> list[dict[str, Any]]:
    """All designs that were timed, in the order of the space; ``point`` is the number in the front, if it is in it."""
    numbers = {id(point): number for number, point in enumerate(found.front, 1)}
    return [{"point": numbers.get(id(point)), **flat(_point(found, point))} for point in found.timed]


def figures_of(found: Found, point: Point) -> dict[str, float]:
    """The values of all measures that are known: without a clock none is told for a second."""
    known = [measure for measure in MEASURES.values() if point.region.mhz is not None or measure.name not in TIMED]
    values = {
        measure.name: measure.value(float(measure.cost(point.figures, found.question.combination))) for measure in known
    }
    return {name: round(value, 6) if value < 1e3 else round(value, 3) for name, value in values.items()}


def _point(found: Found, point: Point) -> dict[str, Any]:
    networks: Mapping[str, Any] = {
        workload.network: {
            "cycles": exact.cycles,
            "dram_bytes": exact.dram_bytes,
            "energy_uj": round(exact.microjoules, 3),
        }
        for workload, exact in zip(found.question.workloads, point.exact, strict=True)
    }
    timing = dataclasses.asdict(point.region.timing)
    return {
        **figures_of(found, point),
        "clock_mhz": point.region.mhz,
        "images": point.region.images,
        "config": point.config.as_dict(),
        "memory": timing,
        "share": {name: round(float(share), 4) for name, share in point.figures.share.items()},
        **({"by_network": networks} if len(networks) > 1 else {}),
    }
