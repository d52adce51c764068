"""Archives of arrays (.npz), judged before memory is spent on them."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

from wingrid.host.errors import UserError
from wingrid.host.onnx_models.room import require_room

SUFFIX = ".npz"


def read_archive(path: Path) -> dict[str, npt.NDArray]:
    """The arrays by name. Raises ``UserError`` for what is no .npz file, or holds more than there is room for."""
    try:
        with np.load(path, allow_pickle=False) as file:
            if isinstance(file, np.ndarray):
                raise ValueError
            names = list(file.files)
            for name in names:
                _require_room_for(path, name)
            return {name: file[name] for name in names}
    except UserError:
        raise
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None
    except Exception:  # zip and number formats fail in many ways
        raise UserError(f"{path} is no .npz file of arrays") from None


def _require_room_for(path: Path, name: str) -> None:
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    with zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as member:
        if reader := readers.get(np.lib.format.read_magic(member)):
            shape, _, dtype = reader(member)
            require_room(dtype, shape, f"{path}: array {name}")
