"""Yosys and nextpnr as packages of the Python package index bring them, run in a folder with its files."""

from __future__ import annotations

import importlib.metadata
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from wingrid.sim.tools import ToolMissing, Tools

INSTALL = "pip install 'wingrid[silicon]'"


def identity(program: str) -> str:
    """Name and version of the package that holds a program: what is kept depends on it. Raises ``ToolMissing``."""
    try:
        return f"{program} {importlib.metadata.version(program)}"
    except importlib.metadata.PackageNotFoundError:
        raise ToolMissing(f"{program} is missing; install it with: {INSTALL}") from None


def run(
    program: str,
    arguments: list[str],
    what: str,
    folder: Path,
    tools: Tools,
    hears: Callable[[str], None] = lambda _: None,
    package: str | None = None,
) -> None:
    """Run a program of these packages, whose lines are heard; ``package`` brings it if it has another name.

    Raises ``ToolMissing``, and ``BuildError`` naming ``what`` if it fails.
    """
    identity(package or program)
    found = shutil.which(program, path=str(Path(sys.executable).parent)) or shutil.which(program)
    if found is None:
        raise ToolMissing(f"{program} is missing; install it with: {INSTALL}")
    tools.call([found, *arguments], what, folder, hears=hears)
