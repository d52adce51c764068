"""``wingrid verilog``: the accelerator's text."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wingrid.host.commands.options import (
    ConfigFile,
    Fields,
)
from wingrid.host.execution.setup import (
    configuration,
)
from wingrid.host.files import require_folder, write_folder
from wingrid.host.standard_output import print_text
from wingrid.hw import verilog as generator


def verilog(
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Folder; made if it does not exist.")],
    config: ConfigFile = None,
    set_: Fields = None,
    ip_wrapper: Annotated[
        bool, typer.Option("--ip-wrapper", help="And wingrid_ip.v: ACLK, ARESETN, M_AXI, S_AXI, for IP packagers.")
    ] = False,
    register_slices: Annotated[
        bool, typer.Option("--register-slices", help="Register slices on all AXI channels: two cycles of latency.")
    ] = False,
) -> None:
    """Write the accelerator's Verilog and its manifest."""
    chosen = configuration(config, set_)
    require_folder(output)
    files = generator.files(chosen, ip_wrapper=ip_wrapper, register_slices=register_slices)
    for path in write_folder(output, files):
        print_text(f"{path}\n")
