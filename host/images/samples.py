"""Samples of a network's inputs or outputs, stacked by name, as an .npz file."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from wingrid.host.errors import UserError


def as_npz(arrays: Mapping[str, npt.NDArray]) -> bytes:
    """The content of a file of [N, ...] by name; equal arrays give equal bytes."""
    content = io.BytesIO()
    np.savez(content, **arrays)  # type: ignore[arg-type]
    return content.getvalue()


def read_npz(path: Path) -> dict[str, npt.NDArray]:
    """The arrays by name. Raises ``UserError`` for a file that cannot be read or holds none."""
    try:
        content = io.BytesIO(path.read_bytes())
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from None
    try:
        with np.load(content, allow_pickle=False) as file:
            return dict(file)
    except (ValueError, EOFError, TypeError, AttributeError):
        raise UserError(f"{path} holds no arrays") from None
