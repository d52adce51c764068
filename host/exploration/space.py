"""The designs among which a search looks: every choice of every field, on every memory and for every batch."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wingrid.host.errors import UserError
from wingrid.host.fitting.designs import SHARED, Designs
from wingrid.host.fitting.fit import Wanted
from wingrid.host.fitting.space import EXPLORED, SIDES
from wingrid.hw.config import AcceleratorConfig, ConfigError
from wingrid.hw.winograd_matrices import POINTS
from wingrid.sim.memory import MemoryTiming, named_memory

FIELDS = tuple(field.name for field in dataclasses.fields(AcceleratorConfig))
MEMORY = ("latency", "bytes_per_cycle")
BATCH, PROFILE, SQUARE = "batch", "memory", "rows"

MOST_POINTS = 20_000_000
"""More would not fit into memory with their bounds."""


@dataclass(frozen=True)
class Region:
    """Designs of one mesh and tile, on one memory at one clock, for batches of one size."""

    designs: Designs
    timing: MemoryTiming
    mhz: float | None
    images: int


@dataclass(frozen=True)
class Space:
    """Choices by name: fields of the configuration, of the memory, and the batch; others are as wanted."""

    choices: Mapping[str, tuple[int, ...]]
    square: bool
    """Whether meshes have as many columns as rows."""
    profiles: tuple[str, ...] = ()
    """Memories by name, in place of latency and bytes per cycle."""

    @classmethod
    def of(cls, wanted: Wanted, changes: Mapping[str, Any]) -> Space:
        """The usual one, with the choices of ``changes`` in place of its own. Raises ``UserError`` for what is none.

        Fields that are not free in ``wanted`` have one choice, unless ``changes`` say others.
        """
        choices: dict[str, tuple[int, ...]] = {"rows": SIDES, "cols": SIDES, "winograd": (0, *POINTS), **EXPLORED}
        choices = {
            name: values if name in wanted.free else (getattr(wanted.fixed, name),) for name, values in choices.items()
        }
        square = {"rows", "cols"} <= wanted.free
        profiles: tuple[str, ...] = ()
        for name, told in changes.items():
            if name == "cols" and told == SQUARE:
                square = True
            elif name == PROFILE:
                profiles = _texts(name, told)
            elif name in (*FIELDS, *MEMORY, BATCH):
                choices[name] = _numbers(name, told)
                square = square and name != "cols"
            else:
                known = ", ".join((*FIELDS, *MEMORY, PROFILE, BATCH))
                raise UserError(f"the space has no {name}; there are {known}")
        if profiles and (both := sorted(set(MEMORY) & set(choices))):
            raise UserError(f"the space has memories by name, which say all of a memory: leave {both[0]} out")
        return cls(choices, square, profiles)

    @classmethod
    def read(cls, wanted: Wanted, file: Path | None) -> Space:
        """That of a TOML file of ``name = [value, ...]`` lines, or the usual one. Raises ``UserError``."""
        if file is None:
            return cls.of(wanted, {})
        try:
            changes = tomllib.loads(file.read_text())
        except OSError as error:
            raise UserError(f"cannot read {file}: {error.strerror or error}") from None
        except ValueError as error:
            raise UserError(f"{file} is no TOML: {error}") from None
        try:
            return cls.of(wanted, changes)
        except UserError as error:
            raise UserError(f"{file}: {error}") from None

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        told: dict[str, Any] = {name: list(values) for name, values in self.choices.items()}
        return {
            **told,
            **({"cols": SQUARE} if self.square else {}),
            **({PROFILE: list(self.profiles)} if self.profiles else {}),
        }

    def regions(self, wanted: Wanted) -> Iterator[Region]:
        """All designs that can work, mesh by mesh; small ones come first, in regions and in the space."""
        names = [name for name in FIELDS if name in self.choices and name not in SHARED]
        grid = np.meshgrid(*(np.array(self.choices[name], np.int64) for name in names), indexing="ij")
        columns = {name: values.ravel() for name, values in zip(names, grid, strict=True)}
        points = 0
        for mesh in self.meshes(wanted):
            roomy = columns
            if "burst_beats" not in columns:
                # As long as the output buffer allows, as in a fit.
                outputs = columns.get("output_buffer", np.array([mesh.output_buffer]))
                roomy = {**columns, "burst_beats": np.minimum(mesh.burst_beats, outputs // 2)}
            designs = Designs(mesh, roomy)
            designs = designs.only(designs.legal)
            if not len(designs):
                continue
            for timing, mhz in self._memories(mesh, wanted):
                for images in self.choices.get(BATCH, (1,)):
                    points += len(designs)
                    if points > MOST_POINTS:
                        raise UserError(f"the space has more than {MOST_POINTS:,} points: leave some choices out")
                    yield Region(designs, timing, mhz, images)

    def meshes(self, wanted: Wanted) -> Iterator[AcceleratorConfig]:
        """Meshes with buffers that make them legal; those that there are to choose from are checked apart."""
        derived = {"bus_bytes"} & wanted.free
        shared = [name for name in SHARED if name in self.choices and not (name == "cols" and self.square)]
        given = {name: value for name, value in dataclasses.asdict(wanted.fixed).items() if name not in derived}
        roomy = {"weight_buffer": 1 << 20, "accumulators": 1 << 15, "output_buffer": 1 << 14}
        for values in itertools.product(*(self.choices[name] for name in shared)):
            chosen = dict(zip(shared, values, strict=True))
            if self.square:
                chosen["cols"] = chosen["rows"]
            with contextlib.suppress(ConfigError):
                yield AcceleratorConfig(**{**given, **roomy, **chosen})

    def _memories(self, mesh: AcceleratorConfig, wanted: Wanted) -> Iterator[tuple[MemoryTiming, float | None]]:
        mhz = wanted.clock(mesh)
        if self.profiles:
            for name in self.profiles:
                try:
                    yield named_memory(name, mesh.bus_bytes), mhz
                except ValueError as error:
                    raise UserError(str(error)) from None
            return
        usual = wanted.memory(mesh)
        widths = self.choices.get("bytes_per_cycle", (usual.bytes_per_cycle,))
        for latency, width in itertools.product(self.choices.get("latency", (usual.latency,)), widths):
            if width <= mesh.bus_bytes:
                yield dataclasses.replace(usual, latency=latency, bytes_per_cycle=width), mhz


def _numbers(name: str, told: Any) -> tuple[int, ...]:  # noqa: ANN401 (whatever the file says)
    values = told if isinstance(told, list | tuple) else [told]
    least = 0 if name == "winograd" or getattr(AcceleratorConfig, name, 1) == 0 else 1
    if not values or not all(type(value) is int and value >= least for value in values):
        raise UserError(f"{name} = {told!r} must be a whole number of at least {least}, or a list of them")
    return tuple(dict.fromkeys(values))


def _texts(name: str, told: Any) -> tuple[str, ...]:  # noqa: ANN401 (whatever the file says)
    values = told if isinstance(told, list | tuple) else [told]
    if not values or not all(isinstance(value, str) for value in values):
        raise UserError(f"{name} = {told!r} must be a name, or a list of them")
    return tuple(dict.fromkeys(values))
