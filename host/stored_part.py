"""The part of a layer's output that one tile becomes."""

from __future__ import annotations

from dataclasses import dataclass

from host.blocking import Blocking
from host.window import Tile


@dataclass(frozen=True)
class StoredPart:
    """Where a tile's results lie in the output, in pixels that leave, and how a STORE walks over them.

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
    def of(cls, blocking: Blocking, tile: Tile) -> StoredPart:
        """The part that ``tile`` of the walk becomes."""
        strip, pool = tile.strip, blocking.pool
        if pool is None or blocking.tile:
            size = blocking.tile or 1
            if pool is not None:
                size //= pool.stride
            column = strip.start * size
            width = min(strip.width * size, blocking.output_size[1] - column)
            pooling = {"pool": pool.side, "pool_stride": pool.stride} if pool else {}
            return cls(tile.first_row * size, column, tile.first % strip.width * size, width, tile.count, pooling)
        width, lines = pool.outputs(strip.width), pool.outputs(tile.count // strip.width)
        pooling = {
            "pool": pool.side,
            "pool_stride": pool.stride,
            "sum_pitch": strip.width,
            # A single row of windows is never left, however far the next one would be.
            "sum_row_pitch": pool.stride * strip.width if lines > 1 else 0,
        }
        return cls(tile.first_row // pool.stride, strip.start // pool.stride, 0, width, width * lines, pooling)
