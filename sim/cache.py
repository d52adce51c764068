"""What takes long to make, kept under the user's cache folder.

An entry's name is a key of everything that shapes it. It appears when it is complete, beside its checksum, and is made
once where two processes need it at the same time; one that does not agree with its checksum is made again. Where
nothing can be kept, entries are made in a temporary folder and go with the process.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import functools
import hashlib
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from wingrid.sim.tools import BuildError

ABANDONED = 60
"""Seconds after which a folder that nobody holds is one that a killed process left."""

_log = logging.getLogger("wingrid")


def cache_directory() -> Path:
    """Where entries are kept: WINGRID_CACHE, else wingrid in XDG_CACHE_HOME, else ~/.cache/wingrid; absolute."""
    if chosen := os.environ.get("WINGRID_CACHE"):
        return Path(os.path.expanduser(chosen)).absolute()
    if base := os.environ.get("XDG_CACHE_HOME"):
        return Path(base).absolute() / "wingrid"
    return Path(os.path.expanduser("~/.cache/wingrid")).absolute()


def cached(place: str, build: Callable[[Path], Path]) -> Path:
    """The entry at ``place``, a relative path with folders.

    If it is not there, or damaged, ``build`` makes the file in the folder that it is given and returns where.
    """
    home = cache_directory()
    path = home / place
    if is_sound(path):
        return path
    with contextlib.ExitStack() as stack:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(_locked(path))
            folder = stack.enter_context(_staging(path.parent))
        except OSError as error:
            path = _temporary_home(home, error.strerror or str(error)) / place
            path.parent.mkdir(parents=True, exist_ok=True)
            folder = stack.enter_context(_staging(path.parent))
        if not is_sound(path):
            _put(build(folder), path)
    return path


def key(*parts: str | bytes) -> str:
    """A name that is different for different parts."""
    digest = hashlib.sha256()
    for part in parts:
        content = part.encode() if isinstance(part, str) else part
        digest.update(len(content).to_bytes(8, "little") + content)
    return digest.hexdigest()[:32]


def is_sound(path: Path) -> bool:
    """Whether the entry is there and as it was made."""
    try:
        return _checksum_of(path).read_text() == hashlib.sha256(path.read_bytes()).hexdigest()
    except (OSError, ValueError):
        return False


def seal(path: Path) -> None:
    """Write the checksum of a file that was put into the cache by other means, so that it counts as sound."""
    _checksum_of(path).write_text(hashlib.sha256(path.read_bytes()).hexdigest())


def _checksum_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _put(made: Path, path: Path) -> None:
    if not made.is_file():
        raise BuildError(f"the tools ended without a failure, and without {made.name}")
    checksum = made.with_name(_checksum_of(path).name)
    checksum.write_text(hashlib.sha256(made.read_bytes()).hexdigest())
    for file, target in ((made, path), (checksum, _checksum_of(path))):
        if target.is_dir():
            shutil.rmtree(target)
        os.replace(file, target)


@functools.cache
def _temporary_home(home: Path, reason: str) -> Path:
    _log.warning("wingrid: nothing can be kept in %s (%s); what is built now goes with this process", home, reason)
    folder = tempfile.mkdtemp(prefix="wingrid-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


@contextlib.contextmanager
def _staging(parent: Path) -> Iterator[Path]:
    """A folder for half-made things, on the file system of those that will be whole."""
    prefix = ".building-"
    for old in parent.glob(f"{prefix}*"):
        with contextlib.suppress(OSError), _held(old):
            if time.time() - old.stat().st_mtime > ABANDONED:
                shutil.rmtree(old, ignore_errors=True)
    with contextlib.ExitStack() as stack:
        name = stack.enter_context(tempfile.TemporaryDirectory(prefix=prefix, dir=parent, ignore_cleanup_errors=True))
        with contextlib.suppress(OSError):
            stack.enter_context(_held(Path(name)))
        yield Path(name)


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Hold the folder; ``OSError`` if somebody else does, or nobody can here."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(opened)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One at a time. On a file system without locks, two may make the same thing twice."""
    lock = path.with_name(f"{path.name}.lock")
    while True:
        with open(lock, "w") as file:
            with contextlib.suppress(OSError):
                fcntl.flock(file, fcntl.LOCK_EX)
            # Whoever had it before has removed it: then it locks nothing any more.
            if not _names(lock, file.fileno()):
                continue
            try:
                yield
            finally:
                lock.unlink(missing_ok=True)
            return


def _names(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False
