"""Taps of a kernel that meet padding and nothing else, in all of its outputs: they add nothing, and are left out.

Networks have them where maps have become smaller than kernels reach: of a 5x5 over two rows, padded by two, the first
and the last row of taps.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from wingrid.host.networks.layer import Convolution, Pair


def without_dead_taps(shape: Convolution, weights: npt.NDArray) -> tuple[Convolution, npt.NDArray]:
    """The convolution, and its weights [K, C, kh, kw], of the taps between the first and the last that meet a pixel."""
    rows, columns = (_met(shape, axis) for axis in (0, 1))
    top, left, bottom, right = shape.padding
    (down, across), (height, width) = shape.dilation, shape.kernel
    met = dataclasses.replace(
        shape,
        kernel=(rows[1] - rows[0], columns[1] - columns[0]),
        padding=(
            top - rows[0] * down,
            left - columns[0] * across,
            bottom - (height - rows[1]) * down,
            right - (width - columns[1]) * across,
        ),
    )
    return met, weights[:, :, slice(*rows), slice(*columns)]


def _met(shape: Convolution, axis: int) -> Pair:
    """Taps along an axis from the first to behind the last that meets a pixel; all where none does."""
    size, outputs = ((shape.height, shape.out_height), (shape.width, shape.out_width))[axis]
    taps = np.arange(shape.kernel[axis])[:, None] * shape.dilation[axis]
    places = taps + np.arange(outputs) * shape.stride[axis] - shape.padding[axis]
    (met,) = np.nonzero(((places >= 0) & (places < size)).any(axis=1))
    return (int(met[0]), int(met[-1]) + 1) if len(met) else (0, shape.kernel[axis])
