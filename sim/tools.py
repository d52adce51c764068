"""Compilers and other programs that builds call: found, run without a shell, and stopped with all that they started."""

from __future__ import annotations

import functools
import os
import shlex
import shutil
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path

COMPILER_FLAGS = ("-std=gnu++20", "-fPIC", "-fvisibility=hidden", "-march=native")
GCC_FLAGS = ("-fno-gnu-unique", "--param=vect-max-version-for-alias-checks=100000")
"""What Clang neither knows nor needs: names that are unique in a process, so that a library is never closed; and that
loops over as many arrays as `sim/rtl/rolling.py` makes become vector instructions: g++ only sees that they lie apart
when it has written down the checks for that, which then are none."""

LINES_TOLD = 30
"""Of what a tool said before it failed."""


class ToolMissing(RuntimeError):
    """A program that the simulation needs is not there; the message says which and how to get it."""


class BuildError(RuntimeError):
    """A tool failed; the message ends with the last lines of what it said."""


class Tools:
    """Runs programs, from any number of threads, until it is told to stop.

    Each is the first of a group of processes, so that what it starts ends with it.
    """

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[str]] = set()
        self._lock = threading.Lock()
        self._stopped = False

    def call(
        self,
        command: list[str],
        what: str,
        folder: Path,
        environment: Mapping[str, str] | None = None,
        hears: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Run a tool in a folder, which it also has for temporary files.

        ``environment`` is added to this process's; ``hears`` is called with each line that the tool says.
        Raises ``BuildError`` naming ``what`` if it fails, ``ToolMissing`` if it cannot be started.
        """
        try:
            process = subprocess.Popen(
                command, cwd=folder, env={**os.environ, "TMPDIR": ".", **(environment or {})}, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", process_group=0,
            )  # fmt: skip
        except OSError as error:
            raise ToolMissing(f"{command[0]} cannot be started: {error.strerror or error}") from None
        with process:
            try:
                with self._lock:
                    self._running.add(process)
                if self._stopped:
                    _kill(process)
                assert process.stdout is not None
                said: deque[str] = deque(maxlen=LINES_TOLD)
                for line in process.stdout:
                    said.append(line.rstrip("\n"))
                    hears(said[-1])
                process.wait()
            except BaseException:
                _kill(process)
                raise
            finally:
                with self._lock:
                    self._running.discard(process)
        if process.returncode:
            tail = "\n".join(said)
            raise BuildError(f"{what} failed with exit status {process.returncode}:\n{tail}")

    def stop(self) -> None:
        """End what runs and whatever is yet to start."""
        self._stopped = True
        with self._lock:
            for process in self._running:
                _kill(process)


def _kill(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)


def compiler() -> list[str]:
    """The C++ compiler's command, with the flags that only this one wants: CXX, else g++. Raises ``ToolMissing``."""
    chosen = os.environ.get("CXX", "")
    try:
        command = shlex.split(chosen) or ["g++"]
    except ValueError as error:
        raise ToolMissing(f"CXX = {chosen} is no command: {str(error).lower()}") from None
    found = shutil.which(command[0])
    if found is None:
        raise ToolMissing(f"the C++ compiler {command[0]} is missing")
    # Tools run in folders of their own, from where a relative path leads elsewhere.
    command = [os.path.abspath(found), *command[1:]]
    return command if _is_clang(*command) else [*command, *GCC_FLAGS]


@functools.cache
def _is_clang(*command: str) -> bool:
    try:
        version = subprocess.run(
            [*command, "--version"], stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace"
        )
    except OSError as error:
        raise ToolMissing(f"{command[0]} cannot be started: {error.strerror or error}") from None
    return "clang" in version.stdout


@functools.cache
def compiler_identity() -> str:
    """Version of the compiler and what it makes of -march=native here: caches may be shared by machines."""
    command = [*compiler(), "-march=native", "-E", "-v", "-x", "c++", os.devnull]
    try:
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace"
        ).stderr
    except OSError as error:
        raise ToolMissing(f"{command[0]} cannot be started: {error.strerror or error}") from None
