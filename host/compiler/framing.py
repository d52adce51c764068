"""An image within the pixels that a kernel sees around it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from wingrid.host.networks.layer import Pair


def framed(x: npt.NDArray[np.int8], top: int, left: int, size: Pair, zero_point: int) -> npt.NDArray[np.int8]:
    """int8 [images, C, H, W] at (top, left) of images of ``size``, all else zero points; what overhangs is dropped."""
    whole = np.full((*x.shape[:2], *size), zero_point, np.int8)
    seen = x[:, :, : max(size[0] - top, 0), : max(size[1] - left, 0)]
    whole[:, :, top : top + seen.shape[2], left : left + seen.shape[3]] = seen
    return whole
