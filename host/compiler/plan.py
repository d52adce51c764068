"""A plan says how a layer is cut, and in which order it is worked through.

The order of work, outermost first:

    regions of the image             (their pixels may stay while passes go by)
      passes over output blocks      (their weights may stay while the region goes by)
        groups of the region         (runs of output pixels or Winograd tiles)
          batches of output blocks   (that share an accumulator bank)
            chunks                   (input blocks and taps whose pixels are in the input buffer together)
              output blocks
                pieces               (weights that are loaded, and pixels that are waited for, together)
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from wingrid.host.compiler.blocking import Blocking, Box, balanced
from wingrid.host.compiler.group_geometry import Group, Strip, most_columns, most_rows
from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.winograd_matrices import KERNEL

OPENING_PIECES = 8
"""A chunk whose pixels are still arriving is cut into at most this many pieces, so that work can start with the first
input blocks.
"""

COUNTED_PARTS = 1024
"""Above this number of parts, their sizes are bounded instead of counted."""


@dataclass(frozen=True)
class Plan:
    """One way to compute a layer; ``wingrid.host.compiler.tiler.best_plan`` finds the best.

    ``passes``, ``strips`` and ``groups`` (in a strip) are numbers of parts that differ by one at most in size, and
    so is ``regions``, each a run of successive groups, of whole strips or within one. ``batch`` is a number of
    output blocks. Where pooling windows are gathered from accumulators, a group is
    made of whole rows of windows of a strip, and neighbours compute what their windows share twice.
    """

    blocking: Blocking
    config: AcceleratorConfig
    regions: int
    passes: int
    strips: int
    groups: int
    batch: int
    overlapped: bool
    """Whether the input buffer is to hold two chunks, so that one loads while the other is in use."""

    def output_passes(self) -> list[tuple[int, int]]:
        """Output blocks, start to stop, of each pass."""
        return balanced(self.blocking.output_blocks, self.passes)

    @property
    def first_pass(self) -> tuple[int, int]:
        """Output blocks, start to stop, of the first pass."""
        return self.blocking.pass_kinds(self.passes)[0].blocks

    def region_groups(self) -> Iterator[list[Group]]:
        """The groups of each region in order."""
        groups = list(self._image_groups())
        for start, stop in balanced(len(groups), self.regions):
            yield groups[start:stop]

    def _image_groups(self) -> Iterator[Group]:
        (height, width), pool = self.blocking.grid, self.blocking.gathered
        for image in range(self.blocking.shape.images):
            for start, stop in balanced(width, self.strips):
                if pool:
                    strip = Strip(image, *pool.span(start, stop))
                    for top, bottom in itertools.starmap(pool.span, balanced(height, self.groups)):
                        yield Group(strip, top * strip.width, (bottom - top) * strip.width)
                else:
                    strip = Strip(image, start, stop)
                    for first, last in balanced(strip.width * height, self.groups):
                        yield Group(strip, first, last - first)

    @cached_property
    def widest(self) -> int:
        """Output columns of the widest strip."""
        return self._reach(math.ceil(self.blocking.grid[1] / self.strips))

    @cached_property
    def largest(self) -> int:
        """Vectors, that is output pixels or Winograd tiles, of the largest group."""
        if self.blocking.gathered:
            return self.widest * self.group_rows
        return math.ceil(self.widest * self.blocking.grid[0] / self.groups)

    @cached_property
    def group_rows(self) -> int:
        """Output rows that a group touches at most."""
        return self._rows_touched(self.groups)

    def _rows_touched(self, parts: int) -> int:
        """Output rows that each of ``parts`` runs of a strip's groups touches at most."""
        known = self.blocking.rows_touched
        key = self.strips, self.groups, parts
        if key not in known:
            known[key] = self._most_rows_touched(parts)
        return known[key]

    def _most_rows_touched(self, parts: int) -> int:
        height, width = self.blocking.grid
        if self.blocking.gathered:
            return self._reach(_longest(height, self.groups, parts))
        widths = {width // self.strips, math.ceil(width / self.strips)}
        return max(_most_lines(strip, height, self.groups, parts) for strip in widths)

    @cached_property
    def vectors(self) -> int:
        """Vectors of all groups together, those counted twice that two groups' pooling windows share."""
        blocking = self.blocking
        (height, width), pool = blocking.grid, blocking.gathered
        if pool:
            height = height * pool.stride + self.groups * (pool.side - pool.stride)
            width = width * pool.stride + self.strips * (pool.side - pool.stride)
        return blocking.shape.images * height * width

    def _reach(self, successive: int) -> int:
        """Outputs along an axis under ``successive`` elements of the grid."""
        pool = self.blocking.gathered
        return pool.span(0, successive)[1] if pool else successive

    def chunk_entries(self, box: Box) -> int:
        """Entries of the input buffer that the largest group needs at most for these taps."""
        return box.block_count * self._rows_read(box, self.group_rows) * self._columns_read(box)

    def chunks(self, output_blocks: tuple[int, int]) -> list[Box] | None:
        """The boxes of taps that a group is worked through by; ``None`` if not even one tap fits."""
        union = self.blocking.union(output_blocks)
        if union not in self._known_chunks:
            self._known_chunks[union] = self._chunks(union)
        return self._known_chunks[union]

    @cached_property
    def _known_chunks(self) -> dict[tuple[int, int], list[Box] | None]:
        """Cache: chunks by the input blocks that they read."""
        return {}

    def _chunks(self, input_blocks: tuple[int, int]) -> list[Box] | None:
        blocking, config = self.blocking, self.config
        height, width = blocking.walk.kernel
        whole = Box(input_blocks, (0, height), (0, width))
        halved = self.overlapped and not self.overlaps(whole)
        limit = config.input_buffer // 2 if halved else config.input_buffer
        return whole.split(lambda box: blocking.expressible(box) and self.chunk_entries(box) <= limit)

    @property
    def smallest_piece(self) -> int:
        """Entries of the weight buffer that an EXECUTE needs at least: a weight tile, or the nine of a raw kernel."""
        return self.blocking.coded_entries or self.config.rows * (KERNEL * KERNEL if self.blocking.tile else 1)

    def pieces(self, box: Box, opening: bool) -> list[Box]:
        """The boxes of taps that become one EXECUTE each; ``opening`` ones are small, so that work starts early."""
        config = self.config
        blocking, entries = self.blocking, self.blocking.weight_entries(box)
        limit = max(config.weight_buffer // 3, self.smallest_piece)
        if opening:
            limit = min(limit, max(entries // box.block_count, entries // OPENING_PIECES))
        known = blocking.cuts.get((box, limit))
        if known is None and len(blocking.subkernels) > 1:
            known = blocking.cuts[box, limit] = blocking.patches(box)
        if known is None:
            known = box.split(lambda part: blocking.expressible(part) and blocking.weight_entries(part) <= limit)
            assert known is not None, "a third of the weight buffer or the smallest piece always fits"
            blocking.cuts[box, limit] = known
        return known

    def overlaps(self, whole: Box) -> bool:
        """Whether the buffer holds a chunk, and besides the rows by which the next one is ahead."""
        return self.chunk_entries(whole) + self.new_entries(whole) <= self.config.input_buffer or self.stays(whole)

    def new_entries(self, box: Box) -> int:
        """Entries that a group needs at most beyond what the group before it left in the buffer."""
        pool = self.blocking.gathered
        if pool:
            advance = math.ceil(self.blocking.grid[0] / self.groups) * pool.stride
        else:
            advance = math.ceil(self.largest / self.widest)
        rows = min(self._rows_read(box, advance + 1), self._rows_read(box, self.group_rows))
        if box.row_count > 1:
            rows = min(rows, advance * self.blocking.walk.stride[0])
        return box.block_count * rows * self._columns_read(box)

    def stays(self, box: Box) -> bool:
        """Whether the input buffer holds all that a region needs for these taps."""
        return self.would_stay(box, self.regions)

    def would_stay(self, box: Box, regions: int) -> bool:
        """Whether the input buffer would hold it with ``regions`` regions."""
        return self._entries(box, regions) <= self.config.input_buffer

    @cached_property
    def strips_in_all(self) -> int:
        """Strips of all images of the batch."""
        return self.blocking.shape.images * self.strips

    def region_entries(self, box: Box) -> int:
        """Entries that the largest region needs at most, for these taps."""
        return self._entries(box, self.regions)

    def _entries(self, box: Box, regions: int) -> int:
        whole_strips = math.ceil(self.strips_in_all / regions)
        rows = self._rows_read(box, self._rows_touched(max(regions // self.strips_in_all, 1)))
        return whole_strips * box.block_count * rows * self._columns_read(box)

    def image_entries(self, box: Box) -> int:
        """Entries that all images of the batch would take, for these taps."""
        rows = self._rows_read(box, self._reach(self.blocking.grid[0]))
        return self.strips_in_all * box.block_count * rows * self._columns_read(box)

    def _rows_read(self, box: Box, out_rows: int) -> int:
        known = self.blocking.rows_read
        key = box.row_count, out_rows
        if key not in known:
            known[key] = most_rows(self.blocking.walk, box, out_rows)
        return known[key]

    def _columns_read(self, box: Box) -> int:
        known = self.blocking.columns_read
        key = box.column_count, self.widest
        if key not in known:
            known[key] = most_columns(self.blocking.walk, box, self.widest)
        return known[key]


def _longest(total: int, groups: int, parts: int) -> int:
    """Elements of the longest of ``parts`` runs of groups at most, where ``groups`` divide ``total``."""
    if parts > COUNTED_PARTS:
        return math.ceil(total / groups) * math.ceil(groups / parts)
    return max(stop - start for start, stop in _runs(total, groups, parts))


def _most_lines(width: int, height: int, groups: int, parts: int) -> int:
    """Rows of ``width`` elements that the runs of ``_longest`` touch at most, laid out in raster order."""
    if parts > COUNTED_PARTS:
        return min((_longest(width * height, groups, parts) + width - 2) // width + 1, height)
    return max((stop - 1) // width - start // width + 1 for start, stop in _runs(width * height, groups, parts))


def _runs(total: int, groups: int, parts: int) -> list[tuple[int, int]]:
    edges = [total * group // groups for group, _ in [*balanced(groups, parts), (groups, groups)]]
    return list(itertools.pairwise(edges))
