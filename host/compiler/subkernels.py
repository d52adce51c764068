"""A kernel as a sum of 3x3 kernels at stride 1, which Winograd tiles compute one after the other.

A kernel of more taps is cut into 3x3 ones, each over the image moved by so many pixels, whose sums are added up. At
stride s the pixels that an output's taps meet fall into s phases along each axis, each an image of every s-th pixel,
over which the taps of that phase are a kernel of stride 1 (its polyphase components). What is lacking of 3x3 is zero.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from wingrid.host.networks.layer import Convolution, Pair
from wingrid.hw.isa import LARGEST_STRIDE
from wingrid.hw.winograd_matrices import KERNEL, POINTS, winograd


@dataclass(frozen=True)
class Subkernel:
    """3x3 taps of a kernel, ``pitch`` apart from ``first`` on, both (vertical, horizontal); some may lie beyond it."""

    first: Pair
    pitch: Pair

    def span(self, tile: int) -> tuple[Pair, Pair]:
        """Image rows and columns, from start to stop, of its patch for Winograd ``tile``, counted from the kernel's."""
        reach = winograd(tile).patch - 1
        rows, columns = (
            (first, first + reach * pitch + 1) for first, pitch in zip(self.first, self.pitch, strict=True)
        )
        return rows, columns


@lru_cache(maxsize=1024)
def subkernels(kernel: Pair, stride: Pair) -> tuple[Subkernel, ...]:
    """The 3x3 kernels of a convolution without dilation, whose sums add up to its own."""
    down, right = (_firsts(size, step) for size, step in zip(kernel, stride, strict=True))
    return tuple(Subkernel((row, column), stride) for row in down for column in right)


def saves(shape: Convolution) -> bool:
    """Whether Winograd tiles take fewer multiplications than direct convolution, what tiles overhang included."""
    if shape.dilation != (1, 1) or max(POINTS) * max(shape.stride) > LARGEST_STRIDE:
        return False
    count = len(subkernels(shape.kernel, shape.stride))
    outputs = (shape.out_height, shape.out_width)
    direct = math.prod(shape.kernel) * math.prod(outputs)
    return any(
        count * winograd(tile).patch ** 2 * math.prod(math.ceil(size / tile) for size in outputs) < direct
        for tile in POINTS
    )


def cut_kernels(weights: npt.NDArray[np.int8], stride: Pair) -> npt.NDArray[np.int8]:
    """Weights [K, C, kh, kw] as those of their subkernels, [K, C, subkernels, 3, 3]."""
    kernels, channels, height, width = weights.shape
    cut = []
    for subkernel in subkernels((height, width), stride):
        (row, column), (down, right) = subkernel.first, subkernel.pitch
        taps = weights[:, :, row : row + KERNEL * down : down, column : column + KERNEL * right : right]
        whole = np.zeros((kernels, channels, KERNEL, KERNEL), np.int8)
        whole[:, :, : taps.shape[2], : taps.shape[3]] = taps
        cut.append(whole)
    return np.stack(cut, axis=2)


def _firsts(size: int, stride: int) -> list[int]:
    """The first taps of runs of three, along an axis, of each phase."""
    return [first for phase in range(min(size, stride)) for first in range(phase, size, KERNEL * stride)]
