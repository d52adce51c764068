"""The entry point: can be interrupted from its first moment, before all that the commands import."""

from __future__ import annotations

import os

from wingrid.host.commands.interruption import interruptible


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; ends in ``SystemExit``."""
    _take_standard_descriptors()
    with interruptible():
        from wingrid.host.commands import app

        app.main(arguments)


def _take_standard_descriptors() -> None:
    """Open those that are closed, so that no other file is taken for standard output or error."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
