"""Files that commands leave behind: checked before long work, and written whole or not at all."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

from wingrid.host.errors import UserError


def require_writable(path: Path) -> None:
    """Raise ``UserError`` if a file cannot be put there."""
    folder = path.parent
    if path.is_dir():
        raise UserError(f"cannot write {path}: it is a folder")
    if not folder.is_dir():
        raise UserError(f"cannot write {path}: {folder} is no folder")
    if not os.access(folder, os.W_OK):
        raise UserError(f"cannot write {path}: {folder} is not writable")


def require_folder(path: Path) -> None:
    """Raise ``UserError`` if this is no folder into which files can be put, and cannot become one."""
    existing = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
    if not existing.is_dir():
        raise UserError(f"cannot write into {path}: {existing} is no folder")
    if not os.access(existing, os.W_OK):
        raise UserError(f"cannot write into {path}: {existing} is not writable")


def write_whole(path: Path, content: bytes) -> None:
    """Write the file in one step, in place of what was there; raises ``UserError`` if that fails."""
    temporary = None
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}-", delete=False) as file:
            temporary = Path(file.name)
            file.write(content)
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)
        os.replace(temporary, path)
    except OSError as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink()
        raise UserError(f"cannot write {path}: {error.strerror}") from None


def write_array(path: Path, values: npt.NDArray) -> None:
    """Write a .npy file in one step; raises ``UserError`` if that fails."""
    content = io.BytesIO()
    np.save(content, values)
    write_whole(path, content.getvalue())
