"""Magnitude pruning: the largest weights stay (Han et al., "Learning both Weights and Connections", 2015)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def kept(magnitudes: npt.NDArray, density: float) -> npt.NDArray[np.bool_]:
    """Which weights stay: ``density`` of them, rounded to a whole number, by magnitude; of equal ones the first.

    ``magnitudes`` are not negative; the mask has their shape.
    """
    flat = np.ravel(magnitudes)
    count = round(density * flat.size)
    if count == 0 or count == flat.size:
        return np.full(magnitudes.shape, count > 0)
    least = np.partition(flat, flat.size - count)[flat.size - count]
    mask = flat > least
    # As many of those that are as small as the smallest one which stays as there is room for.
    mask[np.flatnonzero(flat == least)[: count - np.count_nonzero(mask)]] = True
    return mask.reshape(magnitudes.shape)
