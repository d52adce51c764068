"""What layers run on: backend, configuration, memory, clock, and how many at a time."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wingrid.host.compiler.algorithms import require_algorithm
from wingrid.host.crews.cluster import require_scheduler
from wingrid.host.errors import UserError
from wingrid.host.execution.clock import UNKNOWN, Clock
from wingrid.host.files import require_writable
from wingrid.hw.config import AcceleratorConfig
from wingrid.sim.memory import Dram, MemoryTiming, named_memory

BACKENDS = ("rtl", "golden", "timing")
"""What can stand for the accelerator: the Verilated RTL, the golden model, the timing model."""


@dataclass(frozen=True)
class Setup:
    """What layers run on. Raises ``UserError`` for what cannot be."""

    backend: str
    """One of ``BACKENDS``."""
    config: AcceleratorConfig
    timing: MemoryTiming
    clock: Clock = UNKNOWN
    """At which figures per second are told."""
    jobs: int = 1
    """Layers to run side by side."""
    waves: Path | None = None
    """Where to put the waveforms of the only layer, as FST."""
    algorithm: str | None = None
    """The only one to use where a layer allows it; ``None`` for the cheapest."""
    trace: Path | None = None
    """Where to put a trace of what the engines did."""
    scheduler: str | None = None
    """Whose workers run the layers, see ``wingrid.host.crews.cluster``; ``None`` for this process."""
    keep_programs: bool = False
    """Whether results keep the layers' programs, for who looks into them afterwards."""

    def __post_init__(self) -> None:
        if self.algorithm is not None:
            require_algorithm(self.algorithm, self.config)
        if self.backend not in BACKENDS:
            raise UserError(f"unknown backend {self.backend!r}; there are {', '.join(BACKENDS)}")
        if self.jobs < 1:
            raise UserError(f"jobs {self.jobs} must be at least 1")
        try:
            self.timing.check(self.config.bus_bytes)
        except ValueError as error:
            raise UserError(str(error)) from None
        for option, file, thing in (("waves", self.waves, "waveforms"), ("trace", self.trace, "engines")):
            if file is not None:
                require_writable(file)
                if self.backend != "rtl":
                    raise UserError(f"{option} needs the backend rtl: nothing else has {thing}")
        if self.scheduler is not None:
            require_scheduler(self.scheduler)
            if self.waves is not None or self.trace is not None:
                raise UserError("--scheduler does not go with --waves and --trace, which write files here")

    @classmethod
    def from_options(
        cls,
        backend: str,
        base: AcceleratorConfig | Path | None,
        settings: list[str] | None,
        *,
        memory: str | None = None,
        latency: int | None = None,
        write_latency: int | None = None,
        bytes_per_cycle: int | None = None,
        dram: bool = False,
        jobs: int = 1,
        waves: Path | None = None,
        trace: Path | None = None,
        scheduler: str | None = None,
        keep_programs: bool = False,
    ) -> Setup:
        """What the options describe, at no clock; raises ``UserError`` or ``ConfigError`` for what cannot be."""
        algorithm, settings = forced_algorithm(settings)
        config = configuration(base, settings)
        given = {"latency": latency, "write_latency": write_latency, "bytes_per_cycle": bytes_per_cycle}
        told: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        if memory is not None and (told or dram):
            option = next(iter(told), "dram").replace("_", "-")
            raise UserError(f"--memory {memory} says all of the memory: --{option} cannot go with it")
        try:
            if memory is not None:
                timing = named_memory(memory, config.bus_bytes)
            else:
                usual = MemoryTiming.for_bus(config.bus_bytes)
                timing = dataclasses.replace(usual, dram=Dram() if dram else None, **told)
        except ValueError as error:
            raise UserError(str(error)) from None
        return cls(
            backend,
            config,
            timing,
            jobs=jobs,
            waves=waves,
            algorithm=algorithm,
            trace=trace,
            keep_programs=keep_programs,
            scheduler=scheduler,
        )


def configuration(base: AcceleratorConfig | Path | None, settings: list[str] | None) -> AcceleratorConfig:
    """A configuration, that of a file, or the default one, with settings applied; raises ``ConfigError``."""
    config = AcceleratorConfig.load(base) if isinstance(base, Path) else base or AcceleratorConfig()
    return config.override(settings) if settings else config


def forced_algorithm(settings: list[str] | None) -> tuple[str | None, list[str]]:
    """The algorithm that ``algorithm=NAME`` among the settings asks for, if any, and the other settings.

    It is not a field of the configuration: the same hardware runs all of them.
    """
    algorithm, others = None, []
    for setting in settings or ():
        name, _, value = setting.partition("=")
        if name.strip() == "algorithm":
            algorithm = value.strip()
        else:
            others.append(setting)
    return algorithm, others


def require_one_layer(setup: Setup, selected: Sequence[str]) -> None:
    """Raise ``UserError`` if waveforms or a trace are wanted of more than one layer."""
    for option, file in (("--waves", setup.waves), ("--trace", setup.trace)):
        if file is not None and len(selected) > 1:
            raise UserError(f"{option} takes a single layer; choose one with --layers")


def require_values(backend: str, option: str) -> None:
    """Raise ``UserError`` if an option needs values and the backend computes none."""
    if backend == "timing":
        raise UserError(f"{option} needs a backend that computes values: timing only tells how long they take")
