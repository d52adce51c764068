"""What accelerators are compared by: each a figure of which more, or less, is better."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from wingrid.host.errors import UserError
from wingrid.host.fitting.area_model import RESOURCES, PredictedArea

COMBINATIONS: Mapping[str, Callable[..., Any]] = {"worst": np.max, "mean": np.mean}
"""How costs of several networks become one."""


@dataclass(frozen=True)
class Figures:
    """What is known of a design, or in arrays of many: exactly, or at least.

    Cycles, bytes and microjoules are those of each network's batch, in order.
    """

    cycles: Sequence[Any]
    dram_bytes: Sequence[Any]
    microjoules: Sequence[Any]
    area: PredictedArea
    share: Mapping[str, Any]
    on_chip_bytes: Any
    mhz: float | None
    images: int


@dataclass(frozen=True)
class Measure:
    """A figure; ``costs`` are those of each network, or the only one, of which less is better."""

    name: str
    unit: str
    costs: Callable[[Figures], Sequence[Any]]
    inverse: bool = False
    """Whether it is 1 by its cost, and more is better."""

    def cost(self, figures: Figures, combination: str) -> Any:  # noqa: ANN401 (a number or an array)
        """Of several networks the worst or the mean cost."""
        return COMBINATIONS[combination](np.array(self.costs(figures), np.float64), axis=0)

    def value(self, cost: float) -> float:
        """The figure that users know; the cost of a value, as well."""
        return 1 / cost if self.inverse else cost


def _seconds(figures: Figures) -> Sequence[Any]:
    assert figures.mhz is not None, "a clock was required"
    return [cycles / figures.images / (figures.mhz * 1e6) for cycles in figures.cycles]


MEASURES = {
    measure.name: measure
    for measure in (
        Measure("images-per-second", "images/s", _seconds, inverse=True),
        Measure("cycles", "cycles/image", lambda figures: [cycles / figures.images for cycles in figures.cycles]),
        Measure("energy", "uJ/image", lambda figures: [energy / figures.images for energy in figures.microjoules]),
        Measure("traffic", "bytes/image", lambda figures: [moved / figures.images for moved in figures.dram_bytes]),
        Measure("area", "of the chip", lambda figures: [sum(figures.share.values()) / len(RESOURCES)]),
        Measure("lut", "look-up tables", lambda figures: [figures.area.logic]),
        Measure("dsp", "multipliers", lambda figures: [figures.area.multipliers]),
        Measure("bram", "memories", lambda figures: [figures.area.memories]),
        Measure("buffers", "bytes on chip", lambda figures: [figures.on_chip_bytes]),
    )
}
"""``area`` is the mean share of the chip's logic, multipliers and memories, so that no resource is free."""

TIMED = frozenset({"images-per-second"})
"""Those that need a clock."""


def measures_named(text: str) -> list[Measure]:
    """Those of a list with commas. Raises ``UserError`` for what is none, or named twice."""
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in MEASURES:
            raise UserError(f"unknown objective {name!r}; there are {', '.join(MEASURES)}")
        if names.count(name) > 1:
            raise UserError(f"objective {name} is named twice")
    return [MEASURES[name] for name in names]


def limits_in(text: str | None) -> dict[str, float]:
    """``lut=40000,images-per-second=10`` as numbers by measure. Raises ``UserError``."""
    found: dict[str, float] = {}
    for entry in text.split(",") if text else ():
        name, equals, number = (part.strip() for part in entry.partition("="))
        if name not in MEASURES:
            raise UserError(f"unknown limit {name!r}; there are {', '.join(MEASURES)}")
        if name in found:
            raise UserError(f"limit {name} is given twice")
        try:
            found[name] = float(number) if equals else float("nan")
        except ValueError:
            found[name] = float("nan")
        if not 0 < found[name] < float("inf"):
            raise UserError(f"limit {entry.strip()!r} must have the form name=number, with a number above 0")
    return found


def costs(measures: Sequence[Measure], figures: Figures, combination: str) -> npt.NDArray[np.float64]:
    """[measures] of one design, [designs, measures] of many."""
    found = np.broadcast_arrays(*(measure.cost(figures, combination) for measure in measures))
    return np.stack(found, axis=-1)
