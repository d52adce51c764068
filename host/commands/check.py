"""``wingrid check``: a build against its receipt."""

from __future__ import annotations

import json as json_format
from pathlib import Path
from typing import Annotated

import typer

from wingrid.host.commands.options import JsonFile
from wingrid.host.commands.progress import Bar
from wingrid.host.reports.output import Deliverables


def check(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="What wingrid build has filled.")],
    json: JsonFile = None,
) -> None:
    """Do again all that the receipt of a build says was done; status 1 if anything differs."""
    # Imported here: what other commands do without.
    from wingrid.host.builds.replay import replayed
    from wingrid.host.builds.summary import check_table

    deliverables = Deliverables(json, None)
    with Bar(str(directory)) as bar:
        found = replayed(directory, bar.says)
    deliverables.hand_over(
        lambda: (
            json_format.dumps({"differs": found.differs, "checks": found.checks, "tools": found.tools}, indent=2) + "\n"
        ),
        str,
        lambda: [check_table(found)],
        [f"another tool: {line}" for line in found.tools],
    )
    if found.differs:
        raise typer.Exit(1)
