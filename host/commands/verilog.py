"""``wingrid verilog``: the accelerator's text."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wingrid.host.commands.options import (
    ConfigFile,
    Settings,
)
from wingrid.host.errors import UserError
from wingrid.host.execution.setup import (
    configuration,
)
from wingrid.host.files import require_folder
from wingrid.hw import verilog as generator


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
