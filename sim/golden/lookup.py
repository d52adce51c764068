"""Tables that replace each byte by another one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def looked_up(y: npt.NDArray[np.int8], table: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
    """What ``table`` has for each value of int8 ``y``, [channels, ...].

    The table is int8 [256], or [channels, 256] with one for each channel. Entry i is that for the value whose bits, as
    an unsigned number, are i: from 0 to 127 upwards, then from -128 to -1.
    """
    entries = y.view(np.uint8)
    if table.ndim == 1:
        return table[entries]
    return np.take_along_axis(table, entries.reshape(len(y), -1).astype(np.intp), axis=1).reshape(y.shape)
