"""``wingrid networks``: what is built in, and what it keeps in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wingrid.host.commands.network_list import list_networks
from wingrid.host.commands.options import (
    ConfigFile,
    CsvFile,
    JsonFile,
    Settings,
    require_images,
)
from wingrid.host.commands.progress import Bar
from wingrid.host.compiler.algorithms import require_algorithm
from wingrid.host.errors import UserError
from wingrid.host.execution.setup import (
    configuration,
    forced_algorithm,
)
from wingrid.host.networks.built_in import BUILT_IN, ONNX_BUILT_IN, find, is_onnx
from wingrid.host.reports.footprint_output import deliver_footprint


def networks(
    network: Annotated[
        str | None, typer.Argument(metavar="[NETWORK]", help="This one only.", show_default=False)
    ] = None,
    footprint: Annotated[bool, typer.Option("--footprint", help="What its layers keep in memory, and move.")] = False,
    compression: Annotated[
        bool, typer.Option("--compression", help="The published compression of vgg16-imagenet beside what is measured.")
    ] = False,
    batch: Annotated[int, typer.Option("--batch", metavar="N", help="Images at once, for --footprint.")] = 1,
    config: ConfigFile = None,
    set_: Settings = None,
    json: JsonFile = None,
    csv: CsvFile = None,
) -> None:
    """List the built-in networks with their layers, multiplications and weights; or one's footprint or compression."""
    if compression:
        _show_compression(network, footprint, json, csv)
        return
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
    chosen_config = configuration(config, settings)
    if algorithm is not None:
        require_algorithm(algorithm, chosen_config)
    deliver_footprint(chosen, chosen_config, require_images(batch), algorithm, json, csv)


def _show_compression(network: str | None, footprint: bool, json: str | None, csv: Path | None) -> None:
    # Imported here: what other commands do without.
    from wingrid.host.compression.vgg16_table_output import deliver_table
    from wingrid.host.onnx_models.bundled import IMAGENET

    if network != IMAGENET:
        raise UserError(f"--compression needs the network {IMAGENET}: of others no table was published")
    if footprint:
        raise UserError("--footprint and --compression are two tables: ask for one of them")
    with Bar("compressing") as bar:
        deliver_table(bar, json, csv)
