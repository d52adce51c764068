"""Archives of arrays (.npz), judged before memory is spent on them."""

from __future__ import annotations

import contextlib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from wingrid.host.errors import UserError
from wingrid.host.onnx_models.room import require_room

SUFFIX = ".npz"


def read_archive(path: Path) -> dict[str, npt.NDArray]:
    """The arrays by name. Raises ``UserError`` for what is no .npz file, or holds more than there is room for."""
    with _in_a_sentence(path), _opened(path) as file:
        for name in file.files:
            _shape_in(path, name)
        return {name: file[name] for name in file.files}


def read_from_archive(path: Path, name: str) -> npt.NDArray:
    """One of the arrays, which is there. Raises ``UserError`` as ``read_archive`` does."""
    with _in_a_sentence(path), _opened(path) as file:
        _shape_in(path, name)
        return np.asarray(file[name])


def shapes_in_archive(path: Path) -> dict[str, tuple[int, ...]]:
    """The shapes of the arrays by name, without reading them. Raises ``UserError`` as ``read_archive`` does."""
    with _in_a_sentence(path), _opened(path) as file:
        return {name: _shape_in(path, name) for name in file.files}


def _opened(path: Path) -> np.lib.npyio.NpzFile:
    file = np.load(path, allow_pickle=False)
    if isinstance(file, np.ndarray):
        raise ValueError
    return file


@contextlib.contextmanager
def _in_a_sentence(path: Path) -> Iterator[None]:
    """Turns what is wrong with an archive into a ``UserError``."""
    try:
        yield
    except UserError:
        raise
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None
    except Exception:  # zip and number formats fail in many ways
        raise UserError(f"{path} is no .npz file of arrays") from None


def _shape_in(path: Path, name: str) -> tuple[int, ...]:
    """The array's shape, by its header. Raises ``UserError`` if there is no room for it."""
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    with zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as member:
        version = np.lib.format.read_magic(member)
        if reader := readers.get(version):
            shape, _, dtype = reader(member)
            require_room(dtype, shape, f"{path}: array {name}")
            return shape
    raise UserError(f"{path}: array {name} is in version {version} of the format, which is not read here")
