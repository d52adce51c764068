"""``wingrid soc``: processor, firmware and accelerator in simulation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wingrid.host.commands.options import ConfigFile, Fields, JsonFile
from wingrid.host.commands.progress import Bar
from wingrid.host.errors import UserError
from wingrid.host.execution.setup import configuration
from wingrid.host.files import require_folder
from wingrid.host.reports.output import Deliverables


def soc(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Folder with an accelerator and a network's image.")],
    network: Annotated[
        str | None,
        typer.Option("--network", metavar="NETWORK", help="Write this network and its accelerator into DIR first."),
    ] = None,
    images: Annotated[
        int | None,
        typer.Option("--images", metavar="N", help="With --network: as many of its inputs, one after the other; 1."),
    ] = None,
    config: ConfigFile = None,
    set_: Fields = None,
    memory: Annotated[
        str, typer.Option("--memory", metavar="NAME", help="The accelerator's memory: litex-axi, litex-wishbone.")
    ] = "litex-axi",
    json: JsonFile = None,
) -> None:
    """Run a network on a whole SoC in simulation: LiteX, VexRiscv, firmware with the C driver, and the accelerator.

    Outputs are compared in every bit, cycles stand beside those that the timing model tells for named memories.
    """
    # Imported here: what other commands do without.
    from wingrid.host.soc.build_inputs import write_build_inputs
    from wingrid.host.soc.hardware import require_soc
    from wingrid.host.soc.run_soc import run_soc

    deliverables = Deliverables(json, None)
    require_folder(directory)
    if network is None:
        for option, given in (("--images", images), ("--config", config), ("--set", set_)):
            if given is not None:
                raise UserError(f"{option} goes with --network: {directory} has its accelerator already")
    with Bar("soc") as bar:
        if network is not None:
            chosen = configuration(config, set_)
            require_soc(chosen, memory)
            bar.says(f"compiling {network}")
            write_build_inputs(directory, network, chosen, samples=1 if images is None else images)
        result = run_soc(directory, memory, progress=bar.says)
    deliverables.hand_over(result.as_json, lambda: "", lambda: [result.table()], result.lines())
    result.require_checks()
