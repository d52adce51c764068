"""Options that commands share, and what they stand for."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from host.errors import UserError
from host.outputs import require_writable
from host.runner import BACKENDS, Machine
from hw.config import AcceleratorConfig
from sim.memory import Dram, MemoryTiming

ConfigFile = Annotated[Path | None, typer.Option("--config", metavar="FILE.toml", help="Accelerator configuration.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="FIELD=VALUE", help="A configuration field, or algorithm=NAME; repeatable."),
]
Clock = Annotated[float, typer.Option("--clock", metavar="MHZ", help="Clock that images per second are counted at.")]
Latency = Annotated[int, typer.Option("--latency", metavar="CYCLES", help="Memory read latency.")]
BytesPerCycle = Annotated[
    int | None, typer.Option("--bytes-per-cycle", metavar="BYTES", help="Memory bandwidth; 16, or the bus if narrower.")
]
WithDram = Annotated[
    bool, typer.Option("--dram", help="Give the memory banks, rows and refresh, about those of DDR3-1600 at 200 MHz.")
]
Backend = Annotated[str, typer.Option("--backend", metavar="B", help=f"One of {', '.join(BACKENDS)}.")]
Int8Kernels = Annotated[
    bool,
    typer.Option(
        "--int8-kernels",
        help="Let ONNX Runtime use int8 kernels where by default it computes int8 branches in float32.",
    ),
]
Tile = Annotated[
    int,
    typer.Option("--tile", metavar="PIXELS", help="Side of the tiles in which a picture goes through an ONNX model."),
]
CORES = os.cpu_count() or 1
Jobs = Annotated[
    int, typer.Option("--jobs", metavar="N", help="Layers to run side by side; 1 runs a whole network in one memory.")
]
Waves = Annotated[Path | None, typer.Option("--waves", metavar="FILE.fst", help="Write waveforms; one layer only.")]
Trace = Annotated[
    Path | None,
    typer.Option("--trace", metavar="FILE.json", help="Write when each engine worked, for Perfetto; one layer only."),
]
JsonFile = Annotated[
    str | None, typer.Option("--json", metavar="FILE", help="Write the report; - for standard output.")
]
CsvFile = Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="Write a line per layer.")]


def configuration(base: AcceleratorConfig | Path | None, settings: list[str] | None) -> AcceleratorConfig:
    """A configuration, that of a file, or the default one, with settings applied; raises ``ConfigError``."""
    config = AcceleratorConfig.load(base) if isinstance(base, Path) else base or AcceleratorConfig()
    return config.override(settings) if settings else config


def machine(
    backend: str,
    base: AcceleratorConfig | Path | None,
    settings: list[str] | None,
    *,
    clock: float,
    latency: int,
    bytes_per_cycle: int | None,
    dram: bool = False,
    jobs: int = 1,
    waves: Path | None = None,
    trace: Path | None = None,
) -> Machine:
    """What the options describe; raises ``UserError`` or ``ConfigError`` for what cannot be."""
    algorithm, settings = forced_algorithm(settings)
    config = configuration(base, settings)
    if not 0 < clock < 1e6:
        raise UserError(f"--clock {clock:g} must be a number of MHz above 0")
    if jobs < 1:
        raise UserError(f"--jobs {jobs} must be at least 1")
    try:
        if bytes_per_cycle is None:
            timing = MemoryTiming.for_bus(config.bus_bytes, latency)
        else:
            timing = MemoryTiming(latency, bytes_per_cycle)
        timing.check(config.bus_bytes)
        if dram:
            timing = dataclasses.replace(timing, dram=Dram())
    except ValueError as error:
        raise UserError(str(error)) from None
    if waves is not None:
        require_writable(waves)
        if backend != "rtl":
            raise UserError("--waves needs --backend rtl: nothing else has waveforms")
    if trace is not None:
        require_writable(trace)
        if backend != "rtl":
            raise UserError("--trace needs --backend rtl: nothing else has engines")
    return Machine(backend, config, timing, clock, jobs, waves, algorithm, trace)


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


def require_one_layer(on: Machine, selected: Sequence[str]) -> None:
    """Raise ``UserError`` if waveforms or a trace are wanted of more than one layer."""
    for option, file in (("--waves", on.waves), ("--trace", on.trace)):
        if file is not None and len(selected) > 1:
            raise UserError(f"{option} takes a single layer; choose one with --layers")


def names_in(layers: str | None) -> list[str] | None:
    """The names in a list with commas."""
    return None if layers is None else [name.strip() for name in layers.split(",")]


def require_values(backend: str, option: str) -> None:
    """Raise ``UserError`` if an option needs values and the backend computes none."""
    if backend == "timing":
        raise UserError(f"{option} needs a backend that computes values: timing only tells how long they take")


def require_images(batch: int) -> int:
    """The size of a batch, if it is one; ``UserError`` otherwise."""
    if batch < 1:
        raise UserError(f"--batch {batch} must be at least 1")
    return batch
