"""What a folder of samples holds: files of one kind, in the order of their names."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from wingrid.host.errors import UserError

ARRAYS, ARCHIVES, PICTURES = ".npy files", ".npz files", "pictures"


@dataclass(frozen=True)
class CalibrationFiles:
    """The files of a folder that are samples."""

    kind: str
    """``ARRAYS``, ``ARCHIVES`` or ``PICTURES``."""
    paths: list[Path]
    remarks: list[str]
    """A sentence if other files were passed over."""


def calibration_files(folder: Path) -> CalibrationFiles:
    """The samples in a folder, hidden files and folders inside it left out.

    Raises ``UserError`` if it holds none, or several kinds of them.
    """
    kinds: dict[str, list[Path]] = defaultdict(list)
    try:
        for path in sorted(folder.iterdir()):
            if not path.name.startswith(".") and path.is_file():
                kinds[kind_of(path)].append(path)
    except OSError as error:
        raise UserError(f"cannot read {folder}: {error.strerror or error}") from None
    others = kinds.pop("", [])
    if not kinds:
        raise UserError(f"{folder} holds no pictures, no .npy and no .npz files")
    if len(kinds) > 1:
        raise UserError(f"{folder} holds {' and '.join(sorted(kinds))}, and calibration takes files of one kind")
    ((kind, paths),) = kinds.items()
    named = ", ".join(path.name for path in others[:3]) + (" and others" if len(others) > 3 else "")
    return CalibrationFiles(kind, paths, [f"Passed over in {folder}: {named}."] if others else [])


def kind_of(path: Path) -> str:
    """``ARRAYS``, ``ARCHIVES`` or ``PICTURES``, by the name's ending; empty if it is none of them."""
    suffix = path.suffix.lower()
    if suffix in (".npy", ".npz"):
        return ARRAYS if suffix == ".npy" else ARCHIVES
    return PICTURES if Image.registered_extensions().get(suffix) in Image.OPEN else ""
