"""The search for the accelerator that suits a network best, among those that a chip has room for.

Every mesh and Winograd tile that fits is looked at, in the order of what it could reach at best; when even that is
worse than what others were found to take, it and all behind it are left. The others are timed exactly, by the timing
model, first with the default buffers or the largest fraction of them that fits; the most promising then have their
buffers enlarged one by one, as long as that pays, and get decoders of compressed weights if those pay.
"""

from __future__ import annotations

import dataclasses
import enum
import heapq
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from wingrid.host.errors import UserError
from wingrid.host.execution.clock import Clock
from wingrid.host.execution.network_result import NetworkResult
from wingrid.host.execution.setup import Setup
from wingrid.host.fitting.area_model import PredictedArea, is_known, largest_share, predicted_area, require_family
from wingrid.host.fitting.bound import least
from wingrid.host.fitting.designs import Designs
from wingrid.host.fitting.planned_clock import planned_mhz
from wingrid.host.fitting.space import decoding, meshes, roomiest, scaled, steps
from wingrid.host.networks.layer import Layer, LayerError
from wingrid.host.reports.report import Report
from wingrid.host.silicon.board import Board
from wingrid.host.silicon.target import Target
from wingrid.hw.config import AcceleratorConfig
from wingrid.sim.memory import MemoryTiming

ROOM = {"logic": 0.85, "multipliers": 1.0, "memories": 1.0}
"""What part of a chip may be taken: routers need some logic to be left, and a system around the accelerator does."""

REFINED = 2
"""Meshes whose buffers are enlarged step by step."""

MOST = 24
"""Meshes that are timed; those that promise less are left, and the fit says how many of them might be better."""


DECODERS_SAVE = 0.05
"""Of what the objective is about, at least, where an accelerator gets decoders: they take about as much of logic."""


class Objective(enum.Enum):
    """What the best accelerator is best at."""

    THROUGHPUT = "images-per-second"
    ENERGY = "energy"
    AREA = "area"


@dataclass(frozen=True)
class Wanted:
    """What is asked for."""

    target: Target
    objective: Objective = Objective.THROUGHPUT
    fps: float | None = None
    """Images per second that are enough: the smallest accelerator that reaches them is the best."""
    board: Board | None = None
    mhz: float | None = None
    """The clock that the user assumes, if one is."""
    timing: MemoryTiming | None = None
    """The memory, if the user says one."""
    fixed: AcceleratorConfig = field(default_factory=AcceleratorConfig)
    free: frozenset[str] = frozenset()
    """Fields that may be chosen; the others are those of ``fixed``."""
    reserved: Mapping[str, int] = field(default_factory=dict)
    """What of the chip is for others: logic, multipliers, memories."""

    def clock(self, config: AcceleratorConfig) -> float | None:
        """The clock in MHz that a configuration is planned for; ``None`` where none is known or assumed."""
        return self.mhz if self.mhz is not None else planned_mhz(config, self.target)

    def share(self, area: PredictedArea) -> dict[str, float]:
        """What fraction of the chip's resources is taken, with what is reserved."""
        return area.plus(self.reserved).share(self.target)

    def memory(self, config: AcceleratorConfig) -> MemoryTiming:
        """The memory that a configuration will have."""
        mhz = self.clock(config)
        if self.timing is not None:
            return self.timing
        if self.board is not None and mhz is not None:
            return self.board.memory(mhz, config.bus_bytes)
        return MemoryTiming.for_bus(config.bus_bytes)


@dataclass(frozen=True)
class Candidate:
    """A configuration that was timed."""

    config: AcceleratorConfig
    timing: MemoryTiming
    area: PredictedArea
    share: dict[str, float]
    mhz: float | None
    cycles: int
    """Of a batch of images."""
    images: int
    microjoules: float
    """For an image."""
    bound: str
    """What bounds the layers in which most of the cycles are (``reports.roofline.Bound``)."""

    @property
    def images_per_second(self) -> float | None:
        return None if self.mhz is None else self.images * self.mhz * 1e6 / self.cycles

    @property
    def time(self) -> float:
        """Seconds for an image, or cycles where no clock is known."""
        return self.cycles / self.images / ((self.mhz or 1e-6) * 1e6)


@dataclass(frozen=True)
class Fit:
    """What was found."""

    candidates: list[Candidate]
    """Those that do what is wanted, the best first."""
    meshes: int
    """Meshes with their tiles that the chip has room for."""
    bounded: int
    """Of these, how many were left because even their bound was worse."""
    left: int
    """How many were left though their bound was not worse, as ``MOST`` had been timed."""
    timed: int
    """Configurations that were timed exactly."""
    binding: str
    """What keeps the accelerator from being better, in a sentence."""


Estimate = Callable[[Setup], NetworkResult]
"""Times a network on a setup exactly."""


def fitted(
    estimate: Estimate,
    layers: Sequence[Layer],
    wanted: Wanted,
    says: Callable[[str], None] = lambda _: None,
    *,
    refine: bool = True,
) -> Fit:
    """The best configurations for a network of these layers; without ``refine`` buffers stay as they are first taken.

    Raises ``UserError`` if none does what is wanted.
    """
    require_family(wanted.target)
    if wanted.fps is not None and wanted.mhz is None and planned_mhz(wanted.fixed, wanted.target) is None:
        raise UserError(
            f"--fps needs a clock: {wanted.target.unrouted} With --clock MHZ you can assume one."
            if not wanted.target.routes
            else f"--fps needs a clock, and none is known on {wanted.target.name}: assume one with --clock MHZ"
        )
    return _Search(estimate, layers, wanted, says).run(REFINED if refine else 0)


class _Search:
    def __init__(
        self, estimate: Estimate, layers: Sequence[Layer], wanted: Wanted, says: Callable[[str], None]
    ) -> None:
        self._estimate = estimate
        self._layers = layers
        self._wanted = wanted
        self._says = says
        self._timed: dict[AcceleratorConfig, Candidate | None] = {}
        self._promises: dict[AcceleratorConfig, tuple[float, ...]] = {}
        self._refused: LayerError | None = None

    def run(self, refined: int) -> Fit:
        """Search; the buffers of so many meshes are enlarged."""
        wanted = self._wanted
        allowed = [mesh for mesh in meshes(wanted.fixed, wanted.free) if is_known(mesh, wanted.target.family)]
        if not allowed:
            raise UserError("no mesh goes with the fields that are set")
        roomy = [mesh for mesh in allowed if self._fits(mesh)]
        if not roomy:
            least = min(allowed, key=lambda mesh: largest_share(self._share(mesh))[1])
            name, share = largest_share(self._share(least))
            raise UserError(
                f"{wanted.target.name} has no room: the smallest accelerator{self._beside} takes {share:.0%} of its "
                f"{name}, "
                f"and {ROOM[name]:.0%} may be taken"
            )
        order = sorted(roomy, key=self._promise)
        first, looked_at = self._first_round(order)
        behind = order[looked_at:]
        worse = min(map(self._badness, first), default=None)
        bounded = sum(worse is not None and self._promise(mesh) > worse for mesh in behind)
        found = [candidate for candidate in first if self._enough(candidate)]
        if not first:
            raise UserError(
                f"no accelerator that fits {wanted.target.name} can run the network: {self._refused}"
            ) from None
        for candidate in heapq.nsmallest(refined, first, key=self._badness):
            enlarged = self._with_decoders(self._refined(candidate))
            if self._enough(enlarged):
                found.append(enlarged)
        if not found:
            best = min(filter(None, self._timed.values()), key=lambda candidate: candidate.time)
            raise UserError(
                f"--fps {wanted.fps:g} is out of reach on {wanted.target.name}: the best accelerator found, "
                f"{describe(best.config)}, makes {best.images_per_second:.3g} images per second at {best.mhz:g} MHz; "
                f"{self._binding(best, allowed)}"
            )
        unique = {candidate.config: candidate for candidate in found}
        ranked = sorted(unique.values(), key=self._badness)
        left = len(behind) - bounded
        return Fit(ranked, len(roomy), bounded, left, len(self._timed), self._binding(ranked[0], allowed))

    def _first_round(self, order: Sequence[AcceleratorConfig]) -> tuple[list[Candidate], int]:
        """Each mesh once, with the largest buffers of default proportions, until no other can be better.

        The number is that of the meshes that were looked at.
        """
        found: list[Candidate] = []
        for number, mesh in enumerate(order):
            best = min(map(self._badness, found), default=None)
            if best is not None and (len(found) == MOST or self._promise(mesh) > best):
                return found, number
            for config in scaled(mesh, self._wanted.free):
                if self._fits(config):
                    if candidate := self._timed_once(config):
                        found.append(candidate)
                    break
        return found, len(order)

    def _refined(self, candidate: Candidate) -> Candidate:
        """The same mesh with buffers enlarged while that helps by a thousandth or more."""
        best = candidate
        while True:
            tried = [
                timed
                for config in steps(best.config, self._wanted.free)
                if self._fits(config) and (timed := self._timed_once(config))
            ]
            better = min(tried, key=self._badness, default=best)
            if self._badness(better) >= _scaled_badness(self._badness(best), 0.999):
                return best
            best = better

    def _with_decoders(self, candidate: Candidate) -> Candidate:
        """The same with decoders of compressed weights, where those save as much as they must."""
        best, enough = candidate, _scaled_badness(self._badness(candidate), 1 - DECODERS_SAVE)
        for config in decoding(candidate.config, self._wanted.free):
            # To compress all weights takes long, and is seldom worth it where they are not what a network waits for.
            if not self._fits(config) or self._promised(config, frozenset()) >= enough:
                continue
            timed = self._timed_once(config)
            if timed and self._badness(timed) < min(enough, self._badness(best)):
                best = timed
        return best

    def _timed_once(self, config: AcceleratorConfig) -> Candidate | None:
        """The candidate; ``None`` if the network cannot run on it."""
        if config not in self._timed:
            self._says(f"timing {describe(config)}")
            try:
                self._timed[config] = self._time(config)
            except LayerError as error:
                self._refused = self._refused or error
                self._timed[config] = None
        return self._timed[config]

    def _time(self, config: AcceleratorConfig) -> Candidate:
        wanted = self._wanted
        timing, mhz = wanted.memory(config), wanted.clock(config)
        result = self._estimate(Setup("timing", config, timing, Clock(mhz, "planned") if mhz else Clock()))
        total = Report(result).as_dict()["total"]
        area = predicted_area(config, wanted.target.family)
        images = max(1, result.images)
        return Candidate(
            config,
            timing,
            area,
            wanted.share(area),
            mhz,
            total["cycles"],
            images,
            total["energy_uj"]["total"] / images,
            max(total["bound_cycles"], key=total["bound_cycles"].get),
        )

    def _share(self, config: AcceleratorConfig) -> dict[str, float]:
        return self._wanted.share(predicted_area(config, self._wanted.target.family))

    def _fits(self, config: AcceleratorConfig) -> bool:
        return all(share <= ROOM[name] for name, share in self._share(config).items())

    def _enough(self, candidate: Candidate) -> bool:
        wanted = self._wanted
        return wanted.fps is None or (candidate.images_per_second or 0.0) >= wanted.fps

    def _badness(self, candidate: Candidate) -> tuple[float, ...]:
        """Less is better; the first number is what the objective is about."""
        wanted = self._wanted
        size = largest_share(candidate.share)[1]
        if wanted.fps is not None:
            # What is too slow comes last, the least slow of it first.
            return (0.0, size) if self._enough(candidate) else (1.0, candidate.time)
        if wanted.objective is Objective.ENERGY:
            return candidate.microjoules, candidate.time
        if wanted.objective is Objective.AREA:
            return candidate.time * size, size
        return candidate.time, size

    def _promise(self, mesh: AcceleratorConfig) -> tuple[float, ...]:
        """What ``_badness`` cannot fall below for the mesh, whatever its buffers."""
        if mesh not in self._promises:
            self._promises[mesh] = self._promised(mesh, self._wanted.free)
        return self._promises[mesh]

    def _promised(self, mesh: AcceleratorConfig, free: frozenset[str]) -> tuple[float, ...]:
        wanted = self._wanted
        mhz = wanted.clock(mesh)
        bound = least(self._layers, Designs.of(roomiest(mesh, free)), wanted.memory(mesh))
        time = float(bound.cycles[0]) / self._images / ((mhz or 1e-6) * 1e6)
        size = largest_share(self._share(mesh))[1]
        if wanted.fps is not None:
            return (0.0, size) if time <= 1 / wanted.fps else (1.0, time)
        if wanted.objective is Objective.ENERGY:
            return float(bound.unbuffered[0]) / self._images, time
        if wanted.objective is Objective.AREA:
            return time * size, size
        return time, size

    @property
    def _beside(self) -> str:
        return " with what is beside it" if self._wanted.reserved else ""

    @property
    def _images(self) -> int:
        return max(layer.shape.images for layer in self._layers)

    def _binding(self, best: Candidate, allowed: Sequence[AcceleratorConfig]) -> str:
        """Which resource of the chip the next larger mesh would lack, or what bounds the network if none."""
        larger = [
            mesh
            for mesh in allowed
            if mesh.multipliers > best.config.multipliers and mesh.winograd >= best.config.winograd
        ]
        if not larger:
            return "there is no larger mesh"
        nearest = min(larger, key=lambda mesh: (mesh.multipliers, abs(mesh.rows - mesh.cols)))
        lacking = [(share / ROOM[name], name) for name, share in self._share(nearest).items() if share > ROOM[name]]
        if not lacking:
            why = f"most cycles are bound by {best.bound}"
            return f"a larger mesh, {describe(nearest)}, would fit and is no better: {why}"
        over, name = max(lacking)
        return (
            f"the chip's {name} bind: {describe(nearest)}{self._beside} would take {over * ROOM[name]:.0%} of them, "
            f"and {ROOM[name]:.0%} may be taken"
        )


def _scaled_badness(badness: tuple[float, ...], factor: float) -> tuple[float, ...]:
    return (*(value * factor for value in badness[:-1]), badness[-1]) if len(badness) > 1 else (badness[0] * factor,)


def describe(config: AcceleratorConfig) -> str:
    """A mesh in a few words: ``8x8 with F(4x4)``, and what it has for compressed weights."""
    tile = f"with F({config.winograd}x{config.winograd})" if config.winograd else "direct"
    lanes = ", sparse lanes" if config.sparse else ""
    decoders = f", {config.decoders} decoder{'s' * (config.decoders > 1)}" if config.decoders else ""
    return f"{config.rows}x{config.cols} {tile}{lanes}{decoders}"


def free_fields(settings: Sequence[str], given: AcceleratorConfig | None = None) -> frozenset[str]:
    """The fields of a configuration that nobody has set."""
    names = {setting.partition("=")[0].strip() for setting in settings}
    return frozenset(field.name for field in dataclasses.fields(given or AcceleratorConfig)) - names
