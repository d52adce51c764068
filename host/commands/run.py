"""``wingrid run``: a network on golden, RTL or timing model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wingrid.host.commands.html_page import write_page
from wingrid.host.commands.named_values import named_files, named_shapes, only_file
from wingrid.host.commands.options import (
    CORES,
    Backend,
    BytesPerCycle,
    Clock,
    ConfigFile,
    CsvFile,
    HtmlFile,
    Inputs,
    Int8Kernels,
    Jobs,
    JsonFile,
    Latency,
    NamedMemory,
    OnTarget,
    Scheduler,
    Settings,
    Shapes,
    Tile,
    Trace,
    Waves,
    WithDram,
    WriteLatency,
    names_in,
    require_images,
)
from wingrid.host.commands.progress import Bar
from wingrid.host.execution.network_run import run_network
from wingrid.host.execution.network_time import require_sizes, time_network
from wingrid.host.execution.setup import Setup, require_one_layer, require_values
from wingrid.host.files import is_folder, require_folder, write_array
from wingrid.host.networks.built_in import find, is_onnx, require_no_shapes
from wingrid.host.networks.inputs import network_input
from wingrid.host.reports.output import Deliverables
from wingrid.host.silicon.known_clock import with_clock


def run(
    network: Annotated[
        str,
        typer.Argument(metavar="NETWORK", help="A built-in network, see: wingrid networks; or a quantised .onnx file."),
    ],
    backend: Backend = "rtl",
    input: Inputs = None,
    shape: Shapes = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            metavar="FILE",
            help="The output (.npy), all outputs (.npz, or a folder), or the picture that an ONNX model makes.",
        ),
    ] = None,
    layers: Annotated[str | None, typer.Option("--layers", metavar="A,B", help="Only these layers.")] = None,
    batch: Annotated[int | None, typer.Option("--batch", metavar="N", help="Images at once; 1.")] = None,
    int8_kernels: Int8Kernels = True,
    tile: Tile = 64,
    jobs: Jobs = CORES,
    waves: Waves = None,
    trace: Trace = None,
    scheduler: Scheduler = None,
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
    html: HtmlFile = None,
) -> None:
    """Run a network's layers; on the RTL, compare their outputs with golden and their cycles with the timing model.

    Several run side by side, each from its golden input; with --jobs 1 a whole network runs in one memory, each layer
    from the results of those before. The timing backend computes no values, only how long they take.
    """
    options = Setup.from_options(
        backend,
        config,
        set_,
        latency=latency,
        write_latency=write_latency,
        memory=memory,
        bytes_per_cycle=bytes_per_cycle,
        dram=dram,
        jobs=jobs,
        waves=waves,
        trace=trace,
        scheduler=scheduler,
        keep_programs=html is not None,
    )
    setup = with_clock(options, clock, target)
    names = names_in(layers)
    if batch is not None:
        require_images(batch)
    files, shapes = named_files(input), named_shapes(shape)
    single = output
    if output is not None and is_onnx(network) and is_folder(output):
        require_folder(output)
        single = None
    deliverables = Deliverables(json, csv, {"--html": html, "--output": single, "--waves": waves, "--trace": trace})
    if is_onnx(network):
        # Imported here: what other commands do without.
        from wingrid.host.commands.run_model import run_command

        run_command(
            network,
            setup,
            deliverables,
            files=files,
            shapes=shapes,
            output=output,
            images=batch,
            layers=names,
            tile=tile,
            int8_kernels=int8_kernels,
            html=html,
        )
        return
    require_no_shapes(network, shapes)
    chosen, images, source = find(network), batch or 1, only_file(files)
    require_one_layer(setup, chosen.select(names))
    for option, given in (("--input", source), ("--output", output)):
        if given is not None:
            require_values(setup.backend, option)
    with Bar(network) as bar:
        if setup.backend == "timing":
            result = time_network(chosen, setup, names, images, bar)
        else:
            require_sizes(chosen, setup, names, images)
            result = run_network(chosen, network_input(chosen, source, images), setup, names, bar)
    if output is not None:
        write_array(output, result.values)
    write_page(html, result)
    deliverables.deliver(result)
