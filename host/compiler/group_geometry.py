"""What a group of output pixels reads, and the rows and columns of output that it becomes."""

from __future__ import annotations

import math
from dataclasses import dataclass

from wingrid.host.compiler.blocking import Blocking, Box
from wingrid.host.networks.layer import Convolution


@dataclass(frozen=True)
class StoredPart:
    """Where a group's results lie in the output, in pixels that leave, and how a STORE walks over them.

    ``row`` and ``column`` are those of the walk's origin, ``count`` is the number of pixels, pooling windows or
    Winograd tiles, ``pooling`` the STORE's fields for pooling (empty without).
    """

    row: int
    column: int
    first: int
    width: int
    count: int
    pooling: dict[str, int]

    @classmethod
    def of(cls, blocking: Blocking, group: Group) -> StoredPart:
        """The part that ``group`` of the walk becomes."""
        strip, pool = group.strip, blocking.pool
        if pool is None or blocking.tile:
            size = blocking.tile or 1
            if pool is not None:
                size //= pool.stride
            column = strip.start * size
            width = min(strip.width * size, blocking.output_size[1] - column)
            pooling = {"pool": pool.side, "pool_stride": pool.stride} if pool else {}
            return cls(group.first_row * size, column, group.first % strip.width * size, width, group.count, pooling)
        width, lines = pool.outputs(strip.width), pool.outputs(group.count // strip.width)
        pooling = {
            "pool": pool.side,
            "pool_stride": pool.stride,
            "sum_pitch": strip.width,
            # A single row of windows is never left, however far the next one would be.
            "sum_row_pitch": pool.stride * strip.width if lines > 1 else 0,
        }
        return cls(group.first_row // pool.stride, strip.start // pool.stride, 0, width, width * lines, pooling)


@dataclass(frozen=True)
class Strip:
    """Output columns from start to stop, over the whole height of one image of the batch."""

    image: int
    start: int
    stop: int

    @property
    def width(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True)
class Group:
    """A run of output pixels of a strip, in raster order."""

    strip: Strip
    first: int
    count: int

    @property
    def first_row(self) -> int:
        return self.first // self.strip.width

    @property
    def last_row(self) -> int:
        return (self.first + self.count - 1) // self.strip.width


def lattice_step(shape: Convolution, box: Box) -> int:
    """Distance of the image rows that the box's kernel rows touch, over all output rows.

    A single kernel row skips what lies between its strides; several meet on their common divisor.
    """
    stride = shape.stride[0]
    return stride if box.row_count == 1 else math.gcd(stride, shape.dilation[0])


def most_rows(shape: Convolution, box: Box, out_rows: int) -> int:
    """Image rows that ``out_rows`` successive output rows read at most."""
    step = lattice_step(shape, box)
    span = (out_rows - 1) * shape.stride[0] + (box.row_count - 1) * shape.dilation[0]
    return min(span // step + 1, math.ceil(shape.height / step))


def most_columns(shape: Convolution, box: Box, out_columns: int) -> int:
    """Image columns that ``out_columns`` successive output columns read at most."""
    return min((out_columns - 1) * shape.stride[1] + (box.column_count - 1) * shape.dilation[1] + 1, shape.width)


@dataclass(frozen=True)
class Columns:
    """Image columns from start to stop that a strip reads through a box, padding cut off.

    ``left`` is the image column of the strip's first output pixel under the box's first kernel
    column; it may lie in the padding, before ``start``.
    """

    left: int
    start: int
    stop: int

    @classmethod
    def of(cls, shape: Convolution, strip: Strip, box: Box) -> Columns:
        origin = box.columns[0] * shape.dilation[1] - shape.padding[1]
        left = strip.start * shape.stride[1] + origin
        last = (strip.stop - 1) * shape.stride[1] + origin + (box.column_count - 1) * shape.dilation[1]
        start, stop = max(left, 0), min(last + 1, shape.width)
        return cls(left, start, max(start, stop))

    @property
    def width(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True)
class Rows:
    """Rows that a group reads through a box, as a range of a lattice: row i is image row ``phase + i * step``.

    ``top`` is the lattice row of the group's first output row under the box's first kernel row; it
    may lie in the padding, before ``start``.
    """

    phase: int
    step: int
    top: int
    start: int
    stop: int

    @classmethod
    def of(cls, shape: Convolution, group: Group, box: Box) -> Rows:
        step = lattice_step(shape, box)
        origin = box.rows[0] * shape.dilation[0] - shape.padding[0]
        first = group.first_row * shape.stride[0] + origin
        last = group.last_row * shape.stride[0] + origin + (box.row_count - 1) * shape.dilation[0]
        phase = origin % step
        start = max((first - phase) // step, 0)
        stop = min((last - phase) // step + 1, math.ceil((shape.height - phase) / step))
        return cls(phase, step, (first - phase) // step, start, max(start, stop))
