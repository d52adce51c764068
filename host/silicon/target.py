"""Chips: how much they hold, and which tools know them."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from wingrid.host.errors import UserError
from wingrid.host.silicon.family import FAMILIES

SUFFIX = ".toml"
"""Of a user's own target."""

_TEXTS = ("maker", "family")
_COUNTS = ("logic", "multipliers", "memories", "memory_bits", "large_memories")
_LISTS = ("speeds", "route")
_OPTIONAL = ("large_memories", "route")


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
    large_memories: int = 0
    """Blocks of a second, larger kind, as UltraRAM; no part of ``memories``."""
    route: tuple[str, ...] = ()
    """What the family's router is told about the chip; empty where no open router knows it."""

    @property
    def routes(self) -> bool:
        """Whether an open tool places and routes it."""
        return bool(self.route)

    @property
    def unrouted(self) -> str:
        """What is to be said of a target that nothing routes."""
        return f"Wingrid has no tool that places and routes {self.maker}, so its clock is not known."


def find_target(name: str) -> Target:
    """The target of that name, without a speed grade its slowest; or the one that a .toml file of that name describes.

    Raises ``UserError``, for an unknown one naming those that there are.
    """
    if name.endswith(SUFFIX):
        return _own_target(Path(name))
    chips = built_in()
    chip, _, speed = name.rpartition("-")
    if name in chips:
        chip, speed = name, chips[name]["speeds"][0]
    if chip not in chips or speed not in chips[chip]["speeds"]:
        known = ", ".join(f"{chip}-{'/'.join(entry['speeds'])}" for chip, entry in chips.items())
        raise UserError(f"unknown target {name!r}; there are {known}, and {SUFFIX} files of your own")
    return _target(chip, speed, chips[chip])


def larger_target(target: Target) -> Target | None:
    """The built-in chip of the same family that is next in size, of the slowest grade that is as fast."""
    larger = [
        (entry["multipliers"], entry["logic"], chip)
        for chip, entry in built_in().items()
        if entry["family"] == target.family
        and entry["multipliers"] > target.multipliers
        and entry["logic"] > target.logic
    ]
    if not larger:
        return None
    *_, chip = min(larger)
    speeds = built_in()[chip]["speeds"]
    return _target(chip, next((speed for speed in speeds if speed >= target.speed), speeds[-1]), built_in()[chip])


def _own_target(file: Path) -> Target:
    """The only entry of a user's file, at its first speed grade."""
    try:
        entries = tomllib.loads(file.read_text())
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror or error}") from None
    except ValueError as error:
        raise UserError(f"{file} is no TOML: {error}") from None
    if len(entries) != 1 or not isinstance(entry := next(iter(entries.values())), dict):
        raise UserError(f"{file} must hold one target, a table such as [my-chip]; docs/silicon.md shows one")
    chip = next(iter(entries))
    if chip in built_in():
        raise UserError(f"{file}: {chip} is a built-in target; give yours another name")
    if problem := _problem(entry):
        raise UserError(f"{file}: {chip}: {problem}")
    return _target(chip, entry["speeds"][0], entry)


def _problem(entry: dict[str, Any]) -> str | None:
    """The first thing that is wrong with an entry, if any."""
    if unknown := sorted(set(entry) - set(_TEXTS) - set(_COUNTS) - set(_LISTS)):
        return f"there is no field {unknown[0]}; there are {', '.join((*_TEXTS, *_COUNTS, *_LISTS))}"
    if missing := [field for field in (*_TEXTS, *_COUNTS, *_LISTS) if field not in entry and field not in _OPTIONAL]:
        return f"{missing[0]} is missing"
    for field in (field for field in entry if field in _TEXTS):
        if not isinstance(entry[field], str) or not entry[field]:
            return f"{field} = {entry[field]!r} must be a text"
    for field in (field for field in entry if field in _COUNTS):
        least = 0 if field in _OPTIONAL else 1
        if type(entry[field]) is not int or entry[field] < least:
            return f"{field} = {entry[field]!r} must be a whole number of at least {least}"
    for field in (field for field in entry if field in _LISTS):
        texts = entry[field]
        if not isinstance(texts, list) or not texts or not all(isinstance(text, str) and text for text in texts):
            return f"{field} = {texts!r} must be a list of texts"
    if (family := entry["family"]) not in FAMILIES:
        return f"unknown family {family!r}; there are {', '.join(FAMILIES)}"
    if "route" in entry and FAMILIES[family].router is None:
        return f"wingrid has no router for the family {family}: leave route out"
    return None


def _target(chip: str, speed: str, entry: Mapping[str, Any]) -> Target:
    fields = {field: value for field, value in entry.items() if field not in _LISTS}
    route = tuple(text.replace("{speed}", speed) for text in entry.get("route", ()))
    return Target(name=f"{chip}-{speed}", speed=speed, route=route, **fields)


@functools.cache
def built_in() -> Mapping[str, dict[str, Any]]:
    """The chips of ``targets.toml`` by name, without a speed grade."""
    return tomllib.loads(resources.files("wingrid.host.silicon").joinpath("targets.toml").read_text())
