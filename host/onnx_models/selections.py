"""Tensors that are a choice of another one's channels, and of every n-th of its rows and columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Selection:
    """What [images, channels, rows, columns] of a tensor another one is made of."""

    channels: tuple[int, ...]
    first: tuple[int, int]
    """Row and column of its first pixel."""
    step: tuple[int, int]
    """Rows and columns from one pixel to the next."""
    size: tuple[int, int]
    repeats: tuple[int, int] = (1, 1)
    """How often each row and column of a whole image occurs, one after the other."""
    offsets: tuple[tuple[int, int], ...] = ()
    """Rows and columns from there to the first pixel of each channel; none where they are all the same."""

    @classmethod
    def of(cls, elements: npt.NDArray[np.int32], shape: Sequence[int]) -> Selection | None:
        """From the number of each element in a tensor of that shape, in C order; ``None`` if it is no such thing."""
        if elements.ndim != 4 or len(shape) != 4 or not elements.size or len(elements) != shape[0]:
            return None
        axes = np.unravel_index(elements, shape)
        lines = [np.moveaxis(places, axis, 0).reshape(elements.shape[axis], -1) for axis, places in enumerate(axes[:2])]
        # Each channel's rows and columns, and how far they are from those of the channel in which they begin.
        planes = [np.moveaxis(places, (axis, 1), (0, 1)) for axis, places in enumerate(axes) if axis >= 2]
        lines += [plane.reshape(*plane.shape[:2], -1)[..., 0] for plane in planes]
        offsets = [line[0] - line[0].min() for line in lines[2:]]
        lines[2:] = [line - offset for line, offset in zip(lines[2:], offsets, strict=True)]
        if any((line != line[:, :1]).any() for line in lines):
            return None
        if any((plane != plane[:, :, :1, :1]).any() for plane in planes):
            return None
        images, channels, rows, columns = (line[:, 0] for line in lines)
        repeats = [_repetitions(places, size) for places, size in zip((rows, columns), shape[2:], strict=True)]
        rows, columns = rows[:: repeats[0]], columns[:: repeats[1]]
        steps = [int(places[1] - places[0]) if len(places) > 1 else 1 for places in (rows, columns)]
        if not np.array_equal(images, np.arange(shape[0])) or min(steps) < 1:
            return None
        if any((np.diff(places) != step).any() for places, step in zip((rows, columns), steps, strict=True)):
            return None
        shifted = any(offset.any() for offset in offsets)
        if shifted and repeats != [1, 1]:
            return None
        return cls(
            tuple(map(int, channels)),
            (int(rows[0]), int(columns[0])),
            (steps[0], steps[1]),
            (len(rows), len(columns)),
            (repeats[0], repeats[1]),
            tuple((int(down), int(across)) for down, across in zip(*offsets, strict=True)) if shifted else (),
        )

    def repeats_all(self, shape: Sequence[int]) -> bool:
        """Whether it repeats the pixels of all channels of a single image of that shape, and leaves none out."""
        once = (*self.first, *self.step, *self.size) == (0, 0, 1, 1, *shape[2:])
        return shape[0] == 1 and once and not self.offsets and self.channels == tuple(range(shape[1]))

    def whole_images(self, shape: Sequence[int]) -> bool:
        """Whether it has all pixels of a tensor of that shape."""
        whole = (*self.first, *self.step, *self.size, *self.repeats) == (0, 0, 1, 1, *shape[2:], 1, 1)
        return whole and not self.offsets


def _repetitions(places: npt.NDArray[np.intp], size: int) -> int:
    """How often each of ``size`` places occurs in turn; 1 if they are not all there so."""
    count = len(places) // size
    return count if count > 1 and np.array_equal(places, np.repeat(np.arange(size), count)) else 1
