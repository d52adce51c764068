"""Clocks that place and route found: rows of configuration, target and what was routed, shipped or kept by this user.

A row holds for the Verilog, harness and routing that it was found with, of which it has the fingerprint, and for
nothing else. ``clocks.toml`` beside this file has those of ``make silicon``; ``wingrid synth`` keeps a file of one row
for each configuration and target in the cache folder.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import statistics
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from wingrid.host.errors import UserError
from wingrid.host.files import write_whole
from wingrid.hw.config import AcceleratorConfig, ConfigError
from wingrid.sim.cache import cache_directory, key

SHIPPED = Path(__file__).with_name("clocks.toml")
HEADER = "# Clocks found by place and route, written by `make silicon`; a row holds for what has its fingerprint.\n"


@dataclass(frozen=True)
class RoutedClock:
    """What was found for a configuration on a target."""

    config: AcceleratorConfig
    target: str
    seeds: tuple[int, ...]
    clocks: tuple[float, ...]
    """In MHz, of each seed."""
    fingerprint: str
    """Of all that was routed, see ``synth.fingerprint``."""
    tools: str
    """Names and versions."""

    @property
    def mhz(self) -> float:
        """The median of the seeds."""
        return statistics.median(self.clocks)


def found_for(config: AcceleratorConfig, target: str) -> Iterator[RoutedClock]:
    """The rows for a configuration on a target, this user's before the shipped one."""
    for file in (_own_file(config, target), SHIPPED):
        yield from (row for row in read(file) if (row.config, row.target) == (config, target))


def keep(row: RoutedClock) -> None:
    """Keep a row for this user, unless one of more seeds is there for the same; does nothing where nothing is kept."""
    file = _own_file(row.config, row.target)
    same = [old for old in read(file) if (old.fingerprint, old.tools) == (row.fingerprint, row.tools)]
    if any(len(old.seeds) > len(row.seeds) for old in same):
        return
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, as_text([row]).encode())
    except (OSError, UserError):
        # The cache has said so by then.
        return


def read(file: Path) -> list[RoutedClock]:
    """The rows of a file; none of one that is not there or makes no sense, as what is not known can be found again."""
    try:
        return [
            RoutedClock(
                AcceleratorConfig(**row["config"]),
                row["target"],
                tuple(row["seeds"]),
                tuple(row["clocks"]),
                row["fingerprint"],
                row["tools"],
            )
            for row in tomllib.loads(file.read_text()).get("routed", [])
        ]
    except (OSError, ValueError, KeyError, TypeError, ConfigError):
        return []


def as_text(rows: Iterable[RoutedClock]) -> str:
    """A file of rows; of configurations the fields that differ from the default one's."""
    return HEADER + "".join(map(_as_text, rows))


def _as_text(row: RoutedClock) -> str:
    fields = ", ".join(f"{name} = {value}" for name, value in changes(row.config).items())
    return (
        f"\n[[routed]]\nconfig = {{ {fields} }}\ntarget = {json.dumps(row.target)}\n"
        f"seeds = {list(row.seeds)}\nclocks = {list(row.clocks)}\n"
        f"fingerprint = {json.dumps(row.fingerprint)}\ntools = {json.dumps(row.tools)}\n"
    )


def changes(config: AcceleratorConfig) -> dict[str, int]:
    """The fields that make this configuration of the default one."""
    fields = dataclasses.asdict(config)
    for name in list(fields):
        others = {field: value for field, value in fields.items() if field != name}
        with contextlib.suppress(ConfigError):
            if AcceleratorConfig(**others) == config:
                fields = others
    return fields


def _own_file(config: AcceleratorConfig, target: str) -> Path:
    return cache_directory() / "silicon" / "clocks" / f"{key(repr(config), target)}.toml"
