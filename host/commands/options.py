"""Options that commands share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from wingrid.host.errors import UserError
from wingrid.host.execution.setup import (
    BACKENDS,
)
from wingrid.sim.memory import memory_names

ConfigFile = Annotated[Path | None, typer.Option("--config", metavar="FILE.toml", help="Accelerator configuration.")]
Fields = Annotated[
    list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help="A configuration field; repeatable.")
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="FIELD=VALUE", help="A configuration field, or algorithm=NAME; repeatable."),
]
Clock = Annotated[
    float | None,
    typer.Option("--clock", metavar="MHZ", help="Assume this clock for figures per second; none is told without one."),
]
OnTarget = Annotated[
    str | None,
    typer.Option("--target", metavar="T", help="Take the clock that wingrid synth found on this chip: ecp5-85k-6 ..."),
]
NamedMemory = Annotated[
    str | None,
    typer.Option(
        "--memory", metavar="NAME", help=f"One of {', '.join(memory_names())}, in place of the next four options."
    ),
]
Latency = Annotated[int | None, typer.Option("--latency", metavar="CYCLES", help="Memory read latency; 40.")]
WriteLatency = Annotated[
    int | None,
    typer.Option("--write-latency", metavar="CYCLES", help="Memory write latency: from last data to bus; 1."),
]
BytesPerCycle = Annotated[
    int | None, typer.Option("--bytes-per-cycle", metavar="BYTES", help="Memory bandwidth; 16, or the bus if narrower.")
]
WithDram = Annotated[
    bool, typer.Option("--dram", help="Give the memory banks, rows and refresh: about DDR3-1600, in cycles of 5 ns.")
]
Backend = Annotated[str, typer.Option("--backend", metavar="B", help=f"One of {', '.join(BACKENDS)}.")]
Int8Kernels = Annotated[
    bool,
    typer.Option(
        "--int8-kernels/--no-int8-kernels",
        help="Whether ONNX Runtime keeps int8 activations in integers where they branch, as it does on ARM; on.",
    ),
]
Inputs = Annotated[
    list[str] | None,
    typer.Option(
        "--input", metavar="[NAME=]FILE", help=".npy, a picture, or an .npz with all inputs; repeatable, by name."
    ),
]
Shapes = Annotated[
    list[str] | None,
    typer.Option("--shape", metavar="[NAME=]1,3,H,W", help="The shape of an ONNX model's input; repeatable, by name."),
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
Scheduler = Annotated[
    str | None,
    typer.Option("--scheduler", metavar="ADDRESS", help="here, local (all cores), or a Dask scheduler: tcp://..."),
]
JsonFile = Annotated[
    str | None, typer.Option("--json", metavar="FILE", help="Write the report; - for standard output.")
]
HtmlFile = Annotated[
    Path | None,
    typer.Option("--html", metavar="FILE", help="Write one page with tables, figures, timeline and memory map."),
]
CsvFile = Annotated[
    Path | None, typer.Option("--csv", metavar="FILE", help="Write a line per layer; - for standard output.")
]


def names_in(layers: str | None) -> list[str] | None:
    """The names in a list with commas."""
    return None if layers is None else [name.strip() for name in layers.split(",")]


def require_images(batch: int) -> int:
    """The size of a batch, if it is one; ``UserError`` otherwise."""
    if batch < 1:
        raise UserError(f"--batch {batch} must be at least 1")
    return batch
