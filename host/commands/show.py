"""``wingrid show``: what a network sees, as a contact sheet."""

from __future__ import annotations

import json as json_format
from pathlib import Path
from typing import Annotated

import typer

from wingrid.host.commands.options import (
    Backend,
    BytesPerCycle,
    ConfigFile,
    JsonFile,
    Latency,
    NamedMemory,
    Settings,
    WithDram,
    WriteLatency,
)
from wingrid.host.commands.progress import Bar
from wingrid.host.errors import UserError
from wingrid.host.execution.setup import Setup, require_values
from wingrid.host.reports.output import Deliverables


def show(
    network: Annotated[str, typer.Argument(metavar="NETWORK", help="A built-in network, or a quantised .onnx file.")],
    layer: Annotated[str, typer.Argument(metavar="LAYER", help="One of its layers, see: wingrid estimate NETWORK.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="OUT.png", help="The contact sheet.")],
    input: Annotated[
        str | None,
        typer.Option(
            "--input", metavar="PICTURE", help="A picture, sample:china or sample:flower; or a folder of pictures."
        ),
    ] = None,
    channels: Annotated[
        str | None,
        typer.Option("--channels", metavar="A,B", help="Of a folder: only these channels; the first 16."),
    ] = None,
    patches: Annotated[
        int | None, typer.Option("--patches", metavar="N", help="Of a folder: so many patches for a channel; 9.")
    ] = None,
    backend: Backend = "rtl",
    config: ConfigFile = None,
    set_: Settings = None,
    memory: NamedMemory = None,
    latency: Latency = None,
    write_latency: WriteLatency = None,
    bytes_per_cycle: BytesPerCycle = None,
    dram: WithDram = False,
    json: JsonFile = None,
) -> None:
    """Show a layer's filters, if it takes the picture itself, and its responses to a picture.

    With a folder of pictures: the patches of them that excite each channel most.
    """
    # Imported here: what other commands do without.
    from wingrid.host.feature_maps.exciting_patches import exciting_patches
    from wingrid.host.feature_maps.layer_sheet import layer_sheet
    from wingrid.host.feature_maps.output import as_json, lines
    from wingrid.host.feature_maps.subject import pictures_in, subject, usual_picture
    from wingrid.host.networks.pictures import require_picture_path, save_picture

    setup = Setup.from_options(
        backend,
        config,
        set_,
        memory=memory,
        latency=latency,
        write_latency=write_latency,
        bytes_per_cycle=bytes_per_cycle,
        dram=dram,
    )
    require_values(setup.backend, "show")
    require_picture_path(output)
    deliverables = Deliverables(json, None, {"--output": output})
    numbers = None if channels is None else _numbers(channels)
    seen = subject(network, layer, setup.config)
    source = input if input is not None else usual_picture(network)
    if not Path(source).is_dir():
        for option, given in (("--channels", channels), ("--patches", patches)):
            if given is not None:
                raise UserError(f"{option} is for a folder of pictures, and {source} is none")
        with Bar(f"{network} {layer}") as bar:
            sheet = layer_sheet(network, seen(source), setup, bar)
        save_picture(output, sheet.pixels)
        deliverables.deliver(sheet.result)
        return
    most = 9 if patches is None else patches
    if most < 1:
        raise UserError(f"--patches {most} must be at least 1")
    with Bar(f"{network} {layer}") as bar:
        found = exciting_patches(network, map(seen, pictures_in(Path(source))), numbers, most, setup, bar)
    save_picture(output, found.pixels)
    deliverables.hand_over(
        lambda: json_format.dumps(as_json(found, network, layer), indent=2) + "\n", str, lambda: [], lines(found)
    )
    for result in found.results:
        result.require_checks()


def _numbers(channels: str) -> list[int]:
    try:
        return [int(number) for number in channels.split(",")]
    except ValueError:
        raise UserError(f"--channels {channels} is no list of numbers, such as 0,5,7") from None
