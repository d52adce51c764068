"""What one design takes exactly, by the timing model: what is sent to a worker, and what comes back."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType

from wingrid.host.compiler.algorithms import TILES
from wingrid.host.crews.parcel import delivered
from wingrid.host.execution.setup import Setup
from wingrid.host.fitting.workload import Workload
from wingrid.host.networks.layer import LayerError
from wingrid.host.reports.energy import layer_energy
from wingrid.host.reports.roofline import Bound, bound_by
from wingrid.hw.config import AcceleratorConfig
from wingrid.sim.memory import MemoryTiming


@dataclass(frozen=True)
class Job:
    """A network on a design."""

    workload: Workload
    config: AcceleratorConfig
    timing: MemoryTiming


@dataclass(frozen=True)
class Exact:
    """What came of it, of the whole batch."""

    cycles: int = 0
    dram_bytes: int = 0
    microjoules: float = 0.0
    bound_cycles: Mapping[str, int] = field(default_factory=dict)
    """Cycles of the layers that each resource binds (``reports.roofline.Bound``)."""
    slowest: str = ""
    """The layer that takes most."""
    slowest_cycles: int = 0
    refused: str = ""
    """Why the network cannot run there, if it cannot."""

    def as_text(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def of_text(cls, text: str) -> Exact:
        return cls(**json.loads(text))


def timed(job: Job) -> Exact:
    """Do a job."""
    setup = Setup("timing", job.config, job.timing)
    try:
        result = job.workload.time(setup)
    except LayerError as error:
        return Exact(refused=str(error))
    bounds = {bound.value: 0 for bound in Bound}
    cycles = moved = 0
    energy = 0.0
    slowest, longest = "", 0
    for layer in result.layers:
        measurement, activity = layer.measurement, layer.activity
        assert measurement is not None and activity is not None and layer.algorithm is not None  # noqa: PT018
        cycles += measurement.cycles
        moved += measurement.dram_bytes
        energy += layer_energy(activity, measurement, TILES.get(layer.algorithm, 0), job.config).total
        bounds[bound_by(measurement, activity, job.config, job.timing).value] += measurement.cycles
        if measurement.cycles > longest:
            slowest, longest = layer.layer.name, measurement.cycles
    return Exact(cycles, moved, energy / 1e6, bounds, slowest, longest)


def all_timed(jobs: Sequence[Job], models: Mapping[str, str] = MappingProxyType({})) -> list[Exact]:
    """Do a task of several jobs; ``models`` are parcels by the networks that came to this worker in them."""

    def here(job: Job) -> Job:
        parcel = models.get(job.workload.network)
        if parcel is None:
            return job
        network = str(delivered(parcel) / Path(job.workload.network).name)
        return dataclasses.replace(job, workload=dataclasses.replace(job.workload, network=network))

    return [timed(here(job)) for job in jobs]
