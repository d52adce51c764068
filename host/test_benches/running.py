"""Runs a test bench that ``generate`` has made, by its own makefile."""

from __future__ import annotations

import enum
import os
import re
import shutil
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from wingrid.sim.rtl import verilator
from wingrid.sim.tools import BuildError, ToolMissing, Tools

PASSED, FAILED = "PASS", "FAILED"
"""What the last line of a bench is, or begins with."""

_TAKEN = re.compile(r".*: (\d+) cycles, \d+ promised")


class Simulator(enum.StrEnum):
    """A target of the bench's makefile."""

    ICARUS = "icarus"
    VERILATOR = "verilator"


@dataclass(frozen=True)
class BenchRun:
    """What came of a bench."""

    passed: bool
    cycles: tuple[int, ...]
    """Of the entries that ended, in order, right or wrong."""
    text: str
    """All that make and the simulator said."""

    @property
    def failure(self) -> str | None:
        """The bench's line on the first thing that was not as promised, if it has come to say one."""
        return next((line for line in self.text.splitlines() if line.startswith(FAILED)), None)


def bench_command(simulator: Simulator, build: str = ".") -> list[str]:
    """The command that compiles a bench into the folder ``build`` and runs it, to be called in the bench's folder."""
    return ["make", "-s", simulator.value, f"BUILD={build}"]


def run_test_bench(directory: Path, simulator: Simulator, build: Path | None = None) -> BenchRun:
    """Compile the bench in a folder and run it, in Icarus of the system or in Verilator of the Python package.

    Nothing is written there: what is compiled goes to ``build``, where a later call finds it, by default to a folder
    that is removed. Raises ``ToolMissing``, and ``BuildError`` for a bench that does not compile or says nothing.
    """
    needed = {Simulator.ICARUS: ("make", "iverilog", "vvp"), Simulator.VERILATOR: ("make", "g++")}
    for program in needed[simulator]:
        if shutil.which(program) is None:
            raise ToolMissing(f"{program} is missing; {simulator} needs it")
    said: list[str] = []
    with ExitStack() as stack:
        if build is None:
            build = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wingrid-")))
        build = build.resolve()
        # Flags of a make that has called this program are not meant for this one.
        environment = {"MAKEFLAGS": "", "TMPDIR": str(build)}
        if simulator is Simulator.VERILATOR:
            environment |= _with_verilator(build)
        command = bench_command(simulator, str(build))
        try:
            Tools().call(command, f"the test bench in {directory}", directory, environment, said.append)
            passed = PASSED in said
        except BuildError:
            if not any(line.startswith(FAILED) for line in said):
                raise
            passed = False
    cycles = tuple(int(taken[1]) for line in said if (taken := _TAKEN.fullmatch(line)))
    return BenchRun(passed, cycles, "\n".join(said))


def _with_verilator(build: Path) -> dict[str, str]:
    """Variables by which make finds Verilator through a link, whose name has nothing that make would trip over."""
    link = build / "verilator-package"
    if not link.is_symlink():
        link.symlink_to(verilator.root())
    verilator.program()  # raises where anything of it is missing
    return {"VERILATOR_ROOT": str(link), "PATH": os.pathsep.join([str(link / "bin"), os.environ.get("PATH", "")])}
