"""How much an input may hold."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from wingrid.host.errors import UserError
from wingrid.hw.config import OFFSET_BITS

LARGEST_INPUT = 1 << OFFSET_BITS
"""Bytes."""


def require_room(dtype: np.dtype, shape: Sequence[int], what: str) -> None:
    """Raise ``UserError`` for more bytes than the accelerator can address, before anything is made of them."""
    size = math.prod(shape) * dtype.itemsize
    if size > LARGEST_INPUT:
        raise UserError(f"{what} of {dtype} {list(shape)} takes {size} bytes, and at most {LARGEST_INPUT} can be used")
