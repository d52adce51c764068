"""Boards: a chip, and the memory that it reaches."""

from __future__ import annotations

import functools
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from wingrid.host.errors import UserError
from wingrid.host.silicon.target import Target, find_target
from wingrid.sim.memory import MemoryTiming


@dataclass(frozen=True)
class Board:
    """A chip with the memory beside it; see ``boards.toml`` for where the numbers come from."""

    name: str
    title: str
    chip: str
    """A target, with its speed grade."""
    bytes_per_second: float
    port_bytes: int
    """The most that the way into the chip carries in a cycle of the accelerator."""
    latency_ns: float

    def memory(self, mhz: float, bus_bytes: int) -> MemoryTiming:
        """As an accelerator sees it that runs at ``mhz`` with a bus of so many bytes: whole bytes, whole cycles."""
        per_cycle = int(self.bytes_per_second / (mhz * 1e6))
        return MemoryTiming(
            max(1, math.ceil(self.latency_ns * mhz / 1000)), max(1, min(per_cycle, self.port_bytes, bus_bytes))
        )


def find_place(name: str) -> tuple[Target, Board | None]:
    """The chip of that name, with its board if the name is a board's.

    Raises ``UserError`` for a name that is neither a board's nor what ``find_target`` takes.
    """
    if name in built_in():
        board = Board(name, **built_in()[name])
        return find_target(board.chip), board
    try:
        return find_target(name), None
    except UserError as error:
        if "unknown target" not in str(error):
            raise
        raise UserError(f"{error}; boards are {', '.join(built_in())}") from None


@functools.cache
def built_in() -> Mapping[str, dict[str, Any]]:
    """The boards of ``boards.toml`` by name."""
    return tomllib.loads(resources.files("wingrid.host.silicon").joinpath("boards.toml").read_text())
