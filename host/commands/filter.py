"""``wingrid filter``: a picture through one convolution."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wingrid.host.commands.options import (
    Backend,
    BytesPerCycle,
    Clock,
    ConfigFile,
    CsvFile,
    JsonFile,
    Latency,
    NamedMemory,
    OnTarget,
    Settings,
    Waves,
    WithDram,
    WriteLatency,
)
from wingrid.host.commands.progress import Bar
from wingrid.host.execution.filter_run import run_filter
from wingrid.host.execution.setup import Setup, require_values
from wingrid.host.networks.filters import find_filter
from wingrid.host.reports.output import Deliverables
from wingrid.host.silicon.known_clock import with_clock


def filter_picture(
    picture: Annotated[str, typer.Argument(metavar="PICTURE", help="A file, or sample:china or sample:flower.")],
    kernel: Annotated[str, typer.Option("-k", "--kernel", metavar="KERNEL", help="A built-in kernel or a .npy file.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="OUT", help="The filtered picture.")],
    stride: Annotated[int, typer.Option("--stride", metavar="N", help="Keep every Nth pixel.")] = 1,
    backend: Backend = "rtl",
    waves: Waves = None,
    config: ConfigFile = None,
    set_: Settings = None,
    clock: Clock = None,
    target: OnTarget = None,
    memory: NamedMemory = None,
    latency: Latency = None,
    write_latency: WriteLatency = None,
    bytes_per_cycle: BytesPerCycle = None,
    dram: WithDram = False,
    json: JsonFile = None,
    csv: CsvFile = None,
) -> None:
    """Filter a picture: box, gaussian, sobel-x, sobel-y, or the kernel in a .npy file."""
    # Imported here: other commands do without pictures, and without the time that it takes.
    from wingrid.host.networks.pictures import load_picture, require_picture_path, save_picture

    options = Setup.from_options(
        backend,
        config,
        set_,
        latency=latency,
        write_latency=write_latency,
        memory=memory,
        bytes_per_cycle=bytes_per_cycle,
        dram=dram,
        waves=waves,
    )
    setup = with_clock(options, clock, target)
    require_values(setup.backend, "--output")
    chosen = find_filter(kernel)
    require_picture_path(output)
    deliverables = Deliverables(json, csv, {"--output": output, "--waves": waves})
    with Bar(f"filter {chosen.name}") as bar:
        result = run_filter(load_picture(picture), chosen, stride, setup, bar)
    save_picture(output, result.values)
    deliverables.deliver(result)
