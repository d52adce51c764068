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
) -> None:
    """Write the accelerator's Verilog and its manifest."""
    chosen = configuration(config, set_)
    require_folder(output)
    for path in write_folder(output, generator.files(chosen)):
        print_text(f"{path}\n")
