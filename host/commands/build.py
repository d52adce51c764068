"""``wingrid build``: from a network and a target to a folder with everything that a board needs."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Annotated

import typer

from wingrid.host.commands.named_values import named_shapes
from wingrid.host.commands.options import ConfigFile, Fields, Int8Kernels, JsonFile, Shapes
from wingrid.host.commands.progress import Bar
from wingrid.host.errors import UserError
from wingrid.host.execution.clock import assumed
from wingrid.host.execution.setup import configuration
from wingrid.host.files import write_whole
from wingrid.host.reports.output import Deliverables
from wingrid.sim.memory import MemoryTiming


def build(
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="DIR", help="Folder: new, empty, or an earlier build.")
    ],
    network: Annotated[
        str | None,
        typer.Argument(metavar="NETWORK", help="A built-in network, see: wingrid networks; or an .onnx file."),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            "--target", metavar="T", help="A board (ulx3s, pynq-z2 ...), a chip (ecp5-85k-6 ...), or your FILE.toml."
        ),
    ] = None,
    point: Annotated[
        tuple[int, Path] | None,
        typer.Option("--point", metavar="K DIR", help="Point K of what wingrid explore -o DIR has found."),
    ] = None,
    objective: Annotated[
        str, typer.Option("--objective", metavar="O", help="What to be best at: images-per-second, energy or area.")
    ] = "images-per-second",
    fps: Annotated[
        float | None,
        typer.Option("--fps", metavar="N", help="The smallest accelerator that makes N images per second."),
    ] = None,
    route: Annotated[bool, typer.Option("--route/--no-route", help="Place and route, which takes long.")] = True,
    bitstream: Annotated[
        bool, typer.Option("--bitstream", help="For ulx3s: with a processor, packed, its netlist simulated; an hour.")
    ] = False,
    clock: Annotated[
        float | None, typer.Option("--clock", metavar="MHZ", help="Assume this clock, where none is known.")
    ] = None,
    latency: Annotated[
        int | None, typer.Option("--latency", metavar="CYCLES", help="Memory read latency; the board's, or 40.")
    ] = None,
    bytes_per_cycle: Annotated[
        int | None, typer.Option("--bytes-per-cycle", metavar="BYTES", help="Memory bandwidth; the board's, or 16.")
    ] = None,
    shape: Shapes = None,
    int8_kernels: Int8Kernels = True,
    config: ConfigFile = None,
    set_: Fields = None,
    json: JsonFile = None,
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write report.html there too.")] = None,
) -> None:
    """Fit an accelerator to a network and a chip, and write all that a board needs, with a receipt of what was checked.

    Verilog, the network as one image, C driver, test bench, report.html. What is not set is chosen.
    """
    # Imported here: what other commands do without.
    from wingrid.host.bitstreams.requirements import MHZ, require_board, require_bus, with_fields
    from wingrid.host.bitstreams.room import reserved
    from wingrid.host.builds.build import built
    from wingrid.host.builds.contents import PAGE, RECEIPT
    from wingrid.host.builds.order import Order
    from wingrid.host.builds.summary import build_table
    from wingrid.host.builds.users_files import network_of, target_of, users_files
    from wingrid.host.exploration.chosen_point import point_of
    from wingrid.host.fitting.fit import Objective, Wanted, free_fields
    from wingrid.host.fitting.workload import Workload
    from wingrid.host.images.named_work import named_work
    from wingrid.host.onnx_models.sizes import Sizes
    from wingrid.host.silicon.board import find_place

    if point is not None:
        told = {"--fps": fps, "--clock": clock, "--latency": latency, "--bytes-per-cycle": bytes_per_cycle,
                "--shape": shape, "--config": config, "--set": set_, "--bitstream": bitstream or None}  # fmt: skip
        if given := [option for option, value in told.items() if value]:
            raise UserError(f"{given[0]} does not go with --point, which says all of the accelerator")
        chosen = point_of(*point, network, target)
        network, target, set_, clock = chosen.network, chosen.target, list(chosen.settings), chosen.clock
        latency, bytes_per_cycle, int8_kernels = chosen.latency, chosen.bytes_per_cycle, chosen.int8_kernels
    if network is None or target is None:
        raise UserError("a build needs a NETWORK and a --target, or a --point of a search")
    if objective not in (known := [kind.value for kind in Objective]):
        raise UserError(f"unknown objective {objective!r}; there are {', '.join(known)}")
    if fps is not None and not fps > 0:
        raise UserError(f"--fps {fps:g} must be above 0")
    chip, board = find_place(target)
    mhz = assumed(clock).mhz if clock is not None else None
    settings = set_ or []
    if bitstream:
        require_board(board, target)
        if clock is not None:
            raise UserError(f"--clock does not go with --bitstream, whose board has {MHZ:g} MHz")
        mhz, settings = MHZ, settings if config is not None else with_fields(settings)
    fixed = configuration(config, settings)
    shapes = named_shapes(shape) if point is None else chosen.shapes
    timing = None
    if latency is not None or bytes_per_cycle is not None:
        usual = MemoryTiming.for_bus(fixed.bus_bytes)
        timing = MemoryTiming(latency or usual.latency, bytes_per_cycle or usual.bytes_per_cycle)
    # What a configuration file says is set, whether or not it is the default.
    free = frozenset() if config is not None else free_fields(set_ or ())
    workload = Workload(network, shapes, int8_kernels)
    workload.require()
    fixed = workload.with_units(fixed, free)
    kept = {}
    if bitstream:
        require_bus(fixed)
        free -= {"bus_bytes"}
        kept = reserved(*named_work(network, fixed, sizes=Sizes(shapes, None), int8_kernels=int8_kernels), fixed)
    deliverables = Deliverables(json, None, {"--html": html})
    order = Order(
        network_of(network), target_of(target), objective, fps, tuple(set_ or ()), clock, latency, bytes_per_cycle,
        route, bitstream, int8_kernels, shapes,
    )  # fmt: skip
    wanted = Wanted(chip, Objective(objective), fps, board, mhz, timing, fixed, free, kept)
    with Bar(network) as bar:
        estimate = functools.partial(workload.time, listener=bar)
        found = built(order, users_files(network, target), wanted, estimate, output, bar.says)
    if html is not None:
        write_whole(html, (output / PAGE).read_bytes())
    deliverables.hand_over(
        found.receipt.as_text,
        str,
        lambda: [build_table(found.receipt, found.larger)],
        [f"{output / PAGE} shows it, {output / RECEIPT} has all figures."],
    )
