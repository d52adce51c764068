"""Files that commands leave behind: checked before long work, and written whole or not at all.

What a path stands for is respected. Links are followed. A regular file is written aside and then put in its place,
with its mode and owner, so that it is whole whatever happens. Where that would tear something apart (other names of
the same file, an owner or access list that cannot be given to a new file, a folder in which nothing can be put), the
content is written into the file that is there, and what it held comes back if that fails. Devices and pipes
are written through, and a name for standard output, ``-`` above all, is standard output.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
import stat
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from wingrid.host.errors import UserError
from wingrid.host.standard_output import print_bytes, require_standard_output

STANDARD_OUTPUT = Path("-")

_LINKS = 40
"""So many links lead from one to the next before the system gives up."""
_WORTH_KEEPING = ("user.", "system.posix_acl")
"""Extended attributes that a new file would not have by itself."""
_TORN = (errno.EPERM, errno.EACCES, errno.EXDEV, errno.EBUSY)
"""Why a file cannot be replaced, though it may be writable."""


@dataclass(frozen=True)
class _Target:
    """What a path stands for."""

    place: Path
    """Where its links lead."""
    descriptor: int | None
    """The open file of this process that it names, as /dev/stdout does."""
    status: os.stat_result | None
    """``None`` for what is not there yet."""

    @classmethod
    def of(cls, path: Path) -> _Target:
        descriptor = 1 if path == STANDARD_OUTPUT else _own_descriptor(path)
        if descriptor is not None:
            return cls(path, descriptor, None)
        try:
            status = os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            status = None
        return cls(Path(os.path.realpath(path)), None, status)

    @property
    def regular(self) -> bool:
        return self.descriptor is None and (self.status is None or stat.S_ISREG(self.status.st_mode))

    @property
    def replaceable(self) -> bool:
        """Whether a new file can take its place, and nothing is lost."""
        if not self.regular or not os.access(self.place.parent, os.W_OK | os.X_OK):
            return False
        return self.status is None or (self.status.st_nlink == 1 and not _attributes(self.place))


def is_standard_output(path: str | Path | None) -> bool:
    """Whether what is written there goes to standard output."""
    return path is not None and _Target.of(Path(path)).descriptor == 1


def require_writable(path: Path) -> None:
    """Raise ``UserError`` if a file cannot be put there. Touches nothing."""
    with _in_a_sentence(path):
        target = _Target.of(path)
        if target.descriptor is not None:
            if target.descriptor == 1:
                require_standard_output()
            return
        if target.status is None:
            folder = target.place.parent if path.is_symlink() else path.parent
            if not folder.is_dir():
                raise UserError(f"cannot write {path}: {folder} is no folder")
            if not os.access(folder, os.W_OK | os.X_OK):
                raise UserError(f"cannot write {path}: {folder} is not writable")
            return
        mode = target.status.st_mode
        if stat.S_ISDIR(mode):
            raise UserError(f"cannot write {path}: it is a folder")
        if stat.S_ISSOCK(mode):
            raise UserError(f"cannot write {path}: it is a socket")
        # Root may write what is marked as read-only, and is asked to respect it.
        marked = stat.S_ISREG(mode) and not mode & 0o222
        if marked or not os.access(path, os.W_OK):
            raise UserError(f"cannot write {path}: it is read-only")


def require_outputs(outputs: Mapping[str, str | Path | None]) -> None:
    """Raise ``UserError`` unless what these options name can be written, each to a place of its own."""
    taken: dict[object, str] = {}
    for option, name in outputs.items():
        if name is None:
            continue
        path = Path(name)
        require_writable(path)
        target = _Target.of(path)
        if target.status is not None and stat.S_ISCHR(target.status.st_mode):
            continue  # a terminal, or /dev/null: there is room for all
        if target.descriptor is not None:
            place: object = target.descriptor
        elif target.status is not None:
            place = (target.status.st_dev, target.status.st_ino)
        else:
            place = target.place
        if place in taken:
            where = "standard output" if place == 1 else path
            raise UserError(f"{taken[place]} and {option} cannot both go to {where}")
        taken[place] = option


def require_folder(path: Path) -> None:
    """Raise ``UserError`` if this is no folder into which files can be put, and cannot become one."""
    with _in_a_sentence(path, "into "):
        place = Path(os.path.realpath(path))
        existing = next(folder for folder in (place, *place.parents) if folder.exists())
        shown = existing if existing != place else path
        if not existing.is_dir():
            raise UserError(f"cannot write into {path}: {shown} is no folder")
        if not os.access(existing, os.W_OK | os.X_OK):
            raise UserError(f"cannot write into {path}: {shown} is not writable")


def write_whole(path: Path, content: bytes) -> None:
    """Write a file, device, pipe or standard output; raises ``UserError`` if that fails."""
    with _in_a_sentence(path):
        target = _Target.of(path)
        if target.regular:
            with staged(path) as file:
                file.write_bytes(content)
        else:
            _write_through(target, io.BytesIO(content))


def is_folder(path: Path) -> bool:
    """Whether an output that may be one is a folder: it is there, or has no suffix that would make it a file."""
    return path.is_dir() or (not path.suffix and path != STANDARD_OUTPUT and not path.exists())


def write_array(path: Path, values: npt.NDArray) -> None:
    """Write a .npy file as ``write_whole`` does."""
    write_whole(path, _as_npy(values))


def write_arrays(path: Path, arrays: Mapping[str, npt.NDArray]) -> None:
    """Write all arrays, by name, into an .npz file or a folder of .npy files; the first of them into any other file.

    Letters that cannot be in the name of a file become underscores. Raises ``UserError``.
    """
    if is_folder(path):
        write_folder(path, {f"{name}.npy": _as_npy(values) for name, values in _file_names(arrays).items()})
    elif path.suffix == ".npz":
        content = io.BytesIO()
        np.savez(content, **_file_names(arrays))  # type: ignore[arg-type]
        write_whole(path, content.getvalue())
    else:
        write_array(path, next(iter(arrays.values())))


def _as_npy(values: npt.NDArray) -> bytes:
    content = io.BytesIO()
    np.save(content, values)
    return content.getvalue()


def _file_names(arrays: Mapping[str, npt.NDArray]) -> dict[str, npt.NDArray]:
    """The arrays by names that files can have, each its own."""
    named: dict[str, npt.NDArray] = {}
    for name, values in arrays.items():
        plain = wanted = re.sub(r"[^\w.-]", "_", name).lstrip(".") or "output"
        suffix = 1
        while plain in named:
            suffix += 1
            plain = f"{wanted}_{suffix}"
        named[plain] = values
    return named


def write_folder(directory: Path, contents: Mapping[str, bytes]) -> list[Path]:
    """Write files into a folder, all or none, and make it if it is not there; returns their paths.

    Raises ``UserError``.
    """
    with _in_a_sentence(directory, "into "):
        place = Path(os.path.realpath(directory))
        missing = [folder for folder in (place, *place.parents) if not folder.exists()]
        place.mkdir(parents=True, exist_ok=True)
        paths = [directory / name for name in contents]
        try:
            for path in paths:
                require_writable(path)
            with contextlib.ExitStack() as stack:
                for path, content in zip(paths, contents.values(), strict=True):
                    stack.enter_context(staged(path)).write_bytes(content)
        except BaseException:
            for folder in missing:
                with contextlib.suppress(OSError):
                    folder.rmdir()
            raise
    return paths


@contextlib.contextmanager
def staged(path: Path) -> Iterator[Path]:
    """A file to write, in a folder of its own; when the block ends without an exception, ``path`` has its content.

    Raises ``UserError`` if that fails; then ``path`` is as it was.
    """
    with contextlib.ExitStack() as stack:
        with _in_a_sentence(path):
            target = _Target.of(path)
            aside = target.place.parent if target.replaceable else None
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix=".wingrid-", dir=aside))
        file = Path(folder) / path.name
        yield file
        with _in_a_sentence(path):
            if aside is None or not _replaced(target, file):
                with open(file, "rb") as content:
                    if target.regular:
                        _write_into(target.place, content)
                    else:
                        _write_through(target, content)


def _replaced(target: _Target, file: Path) -> bool:
    """Whether the file could take the target's place, with all that the target has."""
    try:
        if target.status is not None:
            made = file.stat()
            if (made.st_uid, made.st_gid) != (target.status.st_uid, target.status.st_gid):
                os.chown(file, target.status.st_uid, target.status.st_gid)
            file.chmod(stat.S_IMODE(target.status.st_mode))
        os.replace(file, target.place)
    except OSError as error:
        if error.errno not in _TORN:
            raise
        return False
    return True


def _write_into(place: Path, content: BinaryIO) -> None:
    """Write into a file that is there, or was not; what it held comes back if that fails."""
    existed = place.exists()
    with open(place, "r+b" if existed else "xb", buffering=0) as file:
        before = file.readall() if existed else b""
        try:
            file.seek(0)
            _copy(content, file)
            file.truncate()
        except BaseException:
            file.seek(0)
            _copy(io.BytesIO(before), file)
            file.truncate()
            if not existed:
                place.unlink()
            raise


def _write_through(target: _Target, content: BinaryIO) -> None:
    if target.descriptor == 1:
        print_bytes(content.read())
        return
    # Not created, if it has gone meanwhile.
    opened = os.open(target.place, os.O_WRONLY) if target.descriptor is None else os.dup(target.descriptor)
    with open(opened, "wb", buffering=0) as file:
        _copy(content, file)


def _copy(content: BinaryIO, file: io.FileIO) -> None:
    """All of it: a system call may write less than it is given."""
    while piece := content.read(1 << 20):
        left = memoryview(piece)
        while left:
            left = left[file.write(left) or 0 :]


def _own_descriptor(path: Path) -> int | None:
    """The open file of this process that a name like /dev/stdout or /dev/fd/3 stands for."""
    pattern = re.compile(rf"/proc/{os.getpid()}(/task/\d+)?/fd/(\d+)")
    with contextlib.suppress(OSError):
        for _ in range(_LINKS):
            here = os.path.join(os.path.realpath(path.parent), path.name)
            if own := pattern.fullmatch(here):
                return int(own[2])
            path = Path(os.path.dirname(here), os.readlink(here))
    return None


def _attributes(place: Path) -> list[str]:
    """Names of extended attributes that somebody has given to the file."""
    try:
        return [name for name in os.listxattr(place) if name.startswith(_WORTH_KEEPING)]
    except (AttributeError, OSError):  # not on this system, not on this file system
        return []


@contextlib.contextmanager
def _in_a_sentence(path: Path, into: str = "") -> Iterator[None]:
    """Turns what the system complains of into a ``UserError``."""
    try:
        yield
    except OSError as error:
        raise UserError(f"cannot write {into}{path}: {error.strerror or error}") from None
