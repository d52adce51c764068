"""What a search is asked: networks, a place, what to be best at, what may be taken, and the space."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from wingrid.host.errors import UserError
from wingrid.host.exploration.measures import COMBINATIONS, MEASURES, TIMED, Figures, Measure, costs
from wingrid.host.exploration.space import Region, Space
from wingrid.host.fitting.area_model import PredictedArea, is_known, predicted_area, require_family
from wingrid.host.fitting.bound import Least, least
from wingrid.host.fitting.designs import Designs
from wingrid.host.fitting.fit import ROOM, Wanted
from wingrid.host.fitting.workload import Workload
from wingrid.hw.config import AcceleratorConfig


@dataclass(frozen=True)
class Question:
    """A search; ``limits`` are by measure, and no figure may be worse."""

    workloads: Sequence[Workload]
    """For a batch of one; regions of the space say others."""
    wanted: Wanted
    space: Space
    objectives: Sequence[Measure]
    limits: Mapping[str, float] = field(default_factory=dict)
    combination: str = "worst"
    place: str = ""
    """The target, as the user has named it: a chip, a board or a file."""

    def require(self) -> None:
        """Raise ``UserError`` for what no search answers."""
        require_family(self.wanted.target)
        if self.combination not in COMBINATIONS:
            raise UserError(f"unknown combination {self.combination!r}; there are {', '.join(COMBINATIONS)}")
        names = [workload.network for workload in self.workloads]
        if twice := [name for name in names if names.count(name) > 1]:
            raise UserError(f"network {twice[0]} is named twice")
        timed = TIMED & {*(measure.name for measure in self.objectives), *self.limits}
        if timed and self.wanted.clock(self.wanted.fixed) is None:
            name, target = min(timed), self.wanted.target
            why = "none is known on " + target.name if target.routes else target.unrouted.rstrip(".")
            raise UserError(f"{name} needs a clock, and {why}: assume one with --clock MHZ, or take cycles instead")
        for workload in self.workloads:
            workload.require()

    @property
    def measures(self) -> list[Measure]:
        """The objectives, and then what else is limited."""
        others = [MEASURES[name] for name in self.limits if MEASURES[name] not in self.objectives]
        return [*self.objectives, *others]

    def costs(self, figures: Figures) -> npt.NDArray[np.float64]:
        """By measure, the objectives first: [measures] of one design, [designs, measures] of many."""
        return costs(self.measures, figures, self.combination)

    def within(self, found: npt.NDArray[np.float64]) -> Any:  # noqa: ANN401 (a truth or an array)
        """Whether costs keep the limits."""
        most = [
            measure.value(self.limits[measure.name]) if measure.name in self.limits else np.inf
            for measure in self.measures
        ]
        return (found <= most).all(axis=-1)

    def area(self, designs: AcceleratorConfig | Designs) -> PredictedArea:
        """What a configuration, or each of many, takes of the chip."""
        return predicted_area(designs, self.wanted.target.family)

    def figures(
        self,
        designs: Any,  # noqa: ANN401 (a configuration or ``Designs``)
        region: Region,
        taken: Sequence[Any],
        area: PredictedArea,
    ) -> Figures:
        """Of designs of a region, or of one configuration of it, and what each network takes on it."""
        return Figures(
            [one.cycles for one in taken],
            [one.dram_bytes for one in taken],
            [one.microjoules for one in taken],
            area,
            self.wanted.share(area),
            designs.on_chip_bytes,
            region.mhz,
            region.images,
        )

    def known(self, region: Region) -> bool:
        """Whether areas of the region's tile are known."""
        return is_known(region.designs.mesh, self.wanted.target.family)

    def roomy(self, area: PredictedArea) -> npt.NDArray[np.bool_]:
        """Which of many designs the chip has room for."""
        shares = self.wanted.share(area)
        return np.logical_and.reduce([share <= ROOM[name] for name, share in shares.items()])

    def least(self, region: Region, designs: Designs) -> list[Least]:
        """What each network takes at least on designs of a region."""
        layers = (self.at(workload, region.images).layers(designs.largest) for workload in self.workloads)
        return [least(found, designs, region.timing) for found in layers]

    @staticmethod
    def at(workload: Workload, images: int) -> Workload:
        """The network for batches of that size."""
        return workload if images == 1 else dataclasses.replace(workload, images=images)
