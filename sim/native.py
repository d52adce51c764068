"""C++ to shared libraries, cached under the user's cache folder.

A cache entry is keyed by everything that shapes it, appears under its name only when it is complete, and is built
once where two processes need it at the same time.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

COMPILER_FLAGS = ("-std=gnu++20", "-fPIC", "-fvisibility=hidden", "-fno-gnu-unique", "-march=native")


class ToolMissing(RuntimeError):
    """A program that the simulation needs is not there; the message says which and how to get it."""


class BuildError(RuntimeError):
    """A tool failed; the message ends with the last lines of what it said."""


def cache_directory() -> Path:
    """Where builds are kept: WINGRID_CACHE, else wingrid in XDG_CACHE_HOME, else ~/.cache/wingrid."""
    if chosen := os.environ.get("WINGRID_CACHE"):
        return Path(chosen)
    if base := os.environ.get("XDG_CACHE_HOME"):
        return Path(base) / "wingrid"
    return Path.home() / ".cache" / "wingrid"


def cached(path: Path, build: Callable[[Path], Path]) -> Path:
    """``path``; if it does not exist, ``build`` makes the file in the folder that it is given and returns where."""
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    with _locked(path.with_suffix(".lock")):
        if not path.exists():
            with staging(path.parent) as folder:
                os.replace(build(folder), path)
    return path


def compiler() -> list[str]:
    """The C++ compiler's command: CXX, else g++. Raises ``ToolMissing``."""
    command = shlex.split(os.environ.get("CXX", "")) or ["g++"]
    if shutil.which(command[0]) is None:
        raise ToolMissing(f"the C++ compiler {command[0]} is missing")
    return command


@functools.cache
def compiler_identity() -> str:
    """Version of the compiler and what it makes of -march=native here: caches may be shared by machines."""
    command = [*compiler(), "-march=native", "-E", "-v", "-x", "c++", os.devnull]
    return subprocess.run(command, capture_output=True, text=True, errors="replace").stderr


def call(command: list[str], what: str, folder: Path, environment: Mapping[str, str] | None = None) -> None:
    """Run a tool in a folder. Raises ``BuildError`` naming ``what`` if it fails."""
    done = subprocess.run(
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
    )  # fmt: skip
    if done.returncode:
        tail = "\n".join(done.stdout.splitlines()[-30:])
        raise BuildError(f"{what} failed with exit status {done.returncode}:\n{tail}")


def key(*parts: str | bytes) -> str:
    """A name that is different for different parts."""
    digest = hashlib.sha256()
    for part in parts:
        content = part.encode() if isinstance(part, str) else part
        digest.update(len(content).to_bytes(8, "little") + content)
    return digest.hexdigest()[:32]


@contextmanager
def staging(parent: Path) -> Iterator[Path]:
    """A folder for half-made things, on the file system of those that will be whole."""
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".building-", dir=parent) as folder:
        yield Path(folder)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
