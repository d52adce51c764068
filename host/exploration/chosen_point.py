"""A point of a front that a build goes on from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wingrid.host.errors import UserError
from wingrid.host.exploration.output import RESULT
from wingrid.sim.memory import MemoryTiming


@dataclass(frozen=True)
class ChosenPoint:
    """What a build is told of it."""

    network: str
    target: str
    settings: tuple[str, ...]
    """All fields of the configuration, as ``field=value``."""
    clock: float | None
    """In MHz, if it was assumed; else it is planned again."""
    latency: int
    bytes_per_cycle: int
    shapes: Mapping[str, tuple[int, ...]]
    int8_kernels: bool


def point_of(number: int, folder: Path, network: str | None, target: str | None) -> ChosenPoint:
    """A point of what ``wingrid explore -o`` has left in a folder, for one of its networks, on the target or another.

    Raises ``UserError`` for what is none, and for one that no build can be made of.
    """
    result, point = _read(number, folder)
    networks = result["networks"]
    if network is None and len(networks) > 1:
        raise UserError(f"the search in {folder} was for {', '.join(networks)}: name one of them")
    if network is not None and network not in networks:
        raise UserError(f"the search in {folder} was for {', '.join(networks)}, not for {network}")
    memory = point["memory"]
    plain = MemoryTiming(memory["latency"], memory["bytes_per_cycle"])
    if memory["bridge"] or memory["dram"] or memory["write_latency"] != plain.write_latency:
        raise UserError(
            f"point {number} has a memory that builds do not plan with: search with latency and bytes_per_cycle"
        )
    if point["images"] != 1:
        raise UserError(f"point {number} is for batches of {point['images']}, and a build is for single images")
    derived = ("multipliers", "on_chip_bytes")
    settings = tuple(f"{name}={value}" for name, value in point["config"].items() if name not in derived)
    shapes = {name: tuple(shape) for name, shape in result["shapes"].items()}
    return ChosenPoint(
        network or networks[0], target or result["place"], settings, result["clock_assumed"],
        plain.latency, plain.bytes_per_cycle, shapes, result["int8_kernels"],
    )  # fmt: skip


def _read(number: int, folder: Path) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    file = folder / RESULT
    try:
        result = json.loads(file.read_text())
        points = {point["point"]: point for point in result["front"]}
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror or error}") from None
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{file} is no result of wingrid explore") from None
    if number not in points:
        raise UserError(f"the front in {folder} has no point {number}: its points are 1 to {len(points)}")
    return result, points[number]
