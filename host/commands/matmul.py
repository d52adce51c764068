"""``wingrid matmul``: a plain matrix product."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
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
from wingrid.host.compiler.memory_map import require_reachable
from wingrid.host.errors import UserError
from wingrid.host.execution.matmul_run import product_layer, run_matmul
from wingrid.host.execution.setup import Setup, require_values
from wingrid.host.files import write_array
from wingrid.host.networks.seeded_operands import SEEDED, seeded_operands
from wingrid.host.reports.output import Deliverables
from wingrid.host.silicon.known_clock import with_clock


def matmul(
    m: Annotated[int, typer.Argument(metavar="M", help="Rows of the left matrix.")],
    k: Annotated[int, typer.Argument(metavar="K", help="Its columns, and rows of the right one.")],
    n: Annotated[int, typer.Argument(metavar="N", help="Columns of the right matrix.")],
    backend: Backend = "rtl",
    output: Annotated[Path | None, typer.Option("--output", metavar="FILE.npy", help="The product.")] = None,
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
    """Multiply seeded int8 matrices of M x K and K x N, and requantise the product to int8."""
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
    if min(m, k, n) < 1:
        raise UserError(f"a matrix product of {m} {k} {n} must have sizes of at least 1")
    if output is not None:
        require_values(setup.backend, "--output")
    deliverables = Deliverables(json, csv, {"--output": output, "--waves": waves})
    layer = product_layer(m, k, n)
    require_reachable(layer, setup.config)
    pixels = np.random.default_rng(1).integers(-128, 128, (k, layer.shape.height * layer.shape.width), np.int8)
    with Bar(layer.name) as bar:
        result = run_matmul(layer, pixels[:, :m].T, seeded_operands(layer), setup, bar, weights=SEEDED)
    if output is not None:
        write_array(output, result.values)
    deliverables.deliver(result)
