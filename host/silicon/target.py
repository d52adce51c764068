"""Chips: how much they hold, and which tools know them."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from wingrid.host.errors import UserError


@dataclass(frozen=True)
class Target:
    """A chip of one speed grade."""

    name: str
    """As users write it, with the speed grade: ecp5-85k-6."""
    maker: str
    family: str
    """A key of ``FAMILIES``."""
    speed: str
    logic: int
    """Look-up tables: of four inputs, or of six where the family has those."""
    multipliers: int
    """DSP blocks, each good for one product of 18 x 18 bits or more."""
    memories: int
    memory_bits: int
    """Of one memory."""
    device: str = ""
    package: str = ""
    """What the router calls the chip; empty where no open router knows it."""

    @property
    def routes(self) -> bool:
        """Whether an open tool places and routes it."""
        return bool(self.device)


def find_target(name: str) -> Target:
    """The target of that name; without a speed grade, the slowest. Raises ``UserError`` naming those that there are."""
    chips = _chips()
    chip, _, speed = name.rpartition("-")
    if name in chips:
        chip, speed = name, chips[name]["speeds"][0]
    if chip not in chips or speed not in chips[chip]["speeds"]:
        known = ", ".join(f"{chip}-{'/'.join(entry['speeds'])}" for chip, entry in chips.items())
        raise UserError(f"unknown target {name!r}; there are {known}")
    fields = {key: value for key, value in chips[chip].items() if key != "speeds"}
    return Target(name=f"{chip}-{speed}", speed=speed, **fields)


@functools.cache
def _chips() -> Mapping[str, dict[str, Any]]:
    return tomllib.loads(resources.files("wingrid.host.silicon").joinpath("targets.toml").read_text())
