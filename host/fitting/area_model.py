"""What an accelerator takes of a chip, predicted in microseconds from areas that synthesis found.

Multipliers and memories are counted: they are what the configuration says. Logic is the sum of a part that every
accelerator has, one for each row, one for each column and one for each multiplier, by least squares through the
synthesised points of the same family and Winograd tile. ``worst_error`` says how far a point lies from what is
predicted without it.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from wingrid.host.errors import UserError
from wingrid.host.fitting.block_memories import BLOCKS, buffer_blocks
from wingrid.host.fitting.designs import Designs
from wingrid.host.silicon import area_points
from wingrid.host.silicon.area_points import AreaPoint
from wingrid.host.silicon.family import FAMILIES
from wingrid.host.silicon.target import Target
from wingrid.hw.config import AcceleratorConfig

RESOURCES = ("logic", "multipliers", "memories")
"""What of a chip an accelerator takes, by the names that ``Target`` has for it."""

MULTIPLIERS_PER_LANE = 3
"""DSP blocks of a requantiser lane; there is a lane for each column."""

MULTIPLIERS_PER_COMBINATION = 5
"""DSP blocks of what combines a column's results with another tensor, where something does."""

LANE_LOGIC = {"ecp5": 376, "xc7": 186, "xcup": 186}
"""Look-up tables of a sparse lane by family: what an accelerator takes more with lanes than without, of four inputs a
4x4, of six a 16x16 (``docs/compression.md``)."""

DECODER_LOGIC = {"ecp5": {2: 784, 4: 985}, "xc7": {2: 200, 4: 258}, "xcup": {2: 200, 4: 258}}
"""Look-up tables of a decoder of compressed weights, by family and columns (``docs/compression.md``)."""


@dataclass(frozen=True)
class PredictedArea:
    """What an accelerator is expected to take; arrays of it of ``Designs``."""

    logic: Any
    """Look-up tables, with those that carry chains and small memories are made of."""
    multipliers: Any
    memories: Any

    def only(self, chosen: npt.NDArray[Any]) -> PredictedArea:
        """That of the accelerators of a mask or of indices, of many."""
        return PredictedArea(*(getattr(self, name)[chosen] for name in RESOURCES))

    def plus(self, others: Mapping[str, int]) -> PredictedArea:
        """This, and so much logic, so many multipliers and memories of others."""
        return PredictedArea(*(getattr(self, name) + others.get(name, 0) for name in RESOURCES))

    def share(self, target: Target) -> dict[str, Any]:
        """What fraction of the target's logic, multipliers and memories that is."""
        return {name: getattr(self, name) / getattr(target, name) for name in RESOURCES}


def require_family(target: Target) -> None:
    """Raise ``UserError`` for a target of whose family no areas are known."""
    if target.family not in known_families():
        raise UserError(
            f"of the family {target.family} no areas were synthesised, so nothing can be fitted to {target.name}; "
            f"there are {', '.join(known_families())}"
        )


def known_families() -> list[str]:
    """Those with points and a description of their memories."""
    with_points = {point.family for point in _points()}
    return [family for family in BLOCKS if family in with_points]


def is_known(config: AcceleratorConfig, family: str) -> bool:
    """Whether points of the configuration's Winograd tile were synthesised for the family."""
    return bool(_of(family, config.winograd))


def predicted_area(config: AcceleratorConfig | Designs, family: str) -> PredictedArea:
    """What a configuration takes on a family of which it ``is_known``."""
    memories = buffer_blocks(config, family)
    if isinstance(config, Designs):
        logic = np.full(len(config), _logic(config.mesh, family))
        return PredictedArea(logic, np.full(len(config), multipliers(config.mesh)), memories)
    return PredictedArea(_logic(config, family), multipliers(config), float(memories))


def _logic(config: AcceleratorConfig, family: str) -> float:
    beside = LANE_LOGIC[family] * sparse_lanes(config)
    if config.decoders:
        beside += DECODER_LOGIC[family][config.decoder_columns] * config.decoders
    return float(_features(config) @ _fitted(family, config.winograd)) + beside


def multipliers(config: AcceleratorConfig) -> int:
    """DSP blocks: of the mesh, of the requantiser, of what combines its results, and of sparse lanes."""
    per_column = MULTIPLIERS_PER_LANE + (MULTIPLIERS_PER_COMBINATION if config.addends else 0)
    return config.multipliers + per_column * config.cols + sparse_lanes(config)


def sparse_lanes(config: AcceleratorConfig) -> int:
    """One for each row, with a multiplier, in an accelerator that has them."""
    return config.rows if config.sparse else 0


def worst_error(family: str) -> float:
    """The largest relative error of the logic of a point that is left out of the fit, over all that can be."""
    errors = [
        abs(float(_features(point.config) @ _solution(others)) / logic_of(point) - 1)
        for tile in {point.config.winograd for point in _of(family)}
        for point, others in _left_out(_of(family, tile))
    ]
    return max(errors, default=0.0)


def logic_of(point: AreaPoint) -> float:
    """The look-up tables of a synthesised point, as ``area.Area.logic`` counts them."""
    return sum(point.counts[kind] * tables for kind, tables in FAMILIES[point.family].logic.items())


def _left_out(points: Sequence[AreaPoint]) -> list[tuple[AreaPoint, list[AreaPoint]]]:
    """Each point that the others determine, with those others."""
    pairs = [(point, [other for other in points if other is not point]) for point in points]
    return [(point, others) for point, others in pairs if np.linalg.matrix_rank(_matrix(others)) == _FEATURES]


_FEATURES = 4


def _features(config: AcceleratorConfig) -> npt.NDArray[np.float64]:
    return np.array([1.0, config.rows, config.cols, config.multipliers])


def _matrix(points: Sequence[AreaPoint]) -> npt.NDArray[np.float64]:
    return np.array([_features(point.config) for point in points]).reshape(-1, _FEATURES)


def _solution(points: Sequence[AreaPoint]) -> npt.NDArray[np.float64]:
    """Weighed by size, so that errors are relative ones."""
    logic = np.array([logic_of(point) for point in points])
    return np.linalg.lstsq(_matrix(points) / logic[:, None], np.ones(len(points)), rcond=None)[0]


@functools.cache
def _fitted(family: str, tile: int) -> npt.NDArray[np.float64]:
    return _solution(_of(family, tile))


def _of(family: str, tile: int | None = None) -> list[AreaPoint]:
    return [point for point in _points() if point.family == family and tile in (None, point.config.winograd)]


@functools.cache
def _points() -> Sequence[AreaPoint]:
    return area_points.read()


def largest_share(shares: Mapping[str, float]) -> tuple[str, float]:
    """The resource that is the scarcest, and its share."""
    return max(shares.items(), key=lambda entry: entry[1])
