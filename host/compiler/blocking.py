"""Channel blocks of a layer on an array, and boxes of weight taps over them."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from wingrid.host.compiler.subkernels import Subkernel, saves, subkernels
from wingrid.host.networks.layer import Convolution, LayerError, Pair, Pool, output_size
from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.isa import LARGEST_BLOCKS, LARGEST_KERNEL, LARGEST_PIXEL_PITCH, LARGEST_POSITION, LARGEST_STRIDE
from wingrid.hw.winograd_matrices import KERNEL, winograd


def balanced(total: int, parts: int) -> list[tuple[int, int]]:
    """Cut range(total) into ``parts`` ranges (start, stop) whose lengths differ by 1 at most."""
    edges = [total * part // parts for part in range(parts + 1)]
    return list(itertools.pairwise(edges))


def furthest_position(shape: Convolution) -> Pair:
    """The largest row and column, padding included, that have to be expressed: of the image, or of a kernel over it."""
    span = [(n - 1) * s for n, s in zip((shape.out_height, shape.out_width), shape.stride, strict=True)]
    reach = [d * (k - 1) for d, k in zip(shape.dilation, shape.kernel, strict=True)]
    top, left, _, _ = shape.padding
    return max(span[0] + reach[0] - top, top, shape.height - 1), max(span[1] + reach[1] - left, left, shape.width - 1)


@dataclass(frozen=True)
class Box:
    """Taps of a kernel: input channel blocks, kernel rows and kernel columns, each from start to stop."""

    blocks: tuple[int, int]
    rows: tuple[int, int]
    columns: tuple[int, int]

    @property
    def block_count(self) -> int:
        return self.blocks[1] - self.blocks[0]

    @property
    def row_count(self) -> int:
        return self.rows[1] - self.rows[0]

    @property
    def column_count(self) -> int:
        return self.columns[1] - self.columns[0]

    @property
    def taps(self) -> int:
        """Weight tiles in the box."""
        return self.block_count * self.row_count * self.column_count

    def within(self, blocks: tuple[int, int]) -> Box | None:
        """The part of the box over these blocks, if any."""
        start, stop = max(self.blocks[0], blocks[0]), min(self.blocks[1], blocks[1])
        return Box((start, stop), self.rows, self.columns) if start < stop else None

    def split(self, fits: Callable[[Box], bool]) -> list[Box] | None:
        """Cut the box into the fewest that fit: by blocks, else each block by kernel rows, else by columns.

        In the order of the weights in memory, in which each of them is contiguous if the box itself is.
        ``None`` if not even a single tap fits.
        """
        if fits(self):
            return [self]
        blocks, rows, columns = self.blocks, self.rows, self.columns
        if size := _largest(self.block_count, lambda n: fits(Box((blocks[0], blocks[0] + n), rows, columns))):
            return [Box(part, rows, columns) for part in _cut(blocks, size)]
        singles = _cut(blocks, 1)
        if size := _largest(self.row_count, lambda n: fits(Box(singles[0], (rows[0], rows[0] + n), columns))):
            return [Box(block, part, columns) for block in singles for part in _cut(rows, size)]
        first = (rows[0], rows[0] + 1)
        if size := _largest(self.column_count, lambda n: fits(Box(singles[0], first, (columns[0], columns[0] + n)))):
            return [Box(block, row, part) for block in singles for row in _cut(rows, 1) for part in _cut(columns, size)]
        return None


def _largest(limit: int, fits: Callable[[int], bool]) -> int:
    """The largest number up to ``limit`` that fits, given that all smaller ones do; 0 if 1 does not."""
    low, high = 0, limit
    while low < high:
        middle = (low + high + 1) // 2
        if fits(middle):
            low = middle
        else:
            high = middle - 1
    return low


def _cut(span: tuple[int, int], size: int) -> list[tuple[int, int]]:
    start, stop = span
    return [(start + a, start + b) for a, b in balanced(stop - start, math.ceil((stop - start) / size))]


@dataclass(frozen=True)
class PassKind:
    """Passes over output blocks that are alike in their sizes, and therefore in what they cost."""

    blocks: Pair
    """Output blocks, start to stop, of the first of them."""
    weight_tiles: int
    count: int
    """How many passes there are of the kind."""
    repeated: int
    """How many of them read the input blocks that the pass before them has read."""


@dataclass(frozen=True)
class Blocking:
    """How a layer's channels fall into blocks of the array's rows (inputs) and columns (outputs)."""

    shape: Convolution
    rows: int
    cols: int
    tile: int = 0
    """Size of the Winograd tiles that the layer is computed in; 0 for direct convolution."""
    pool: Pool | None = None
    """Max pooling behind the convolution."""
    column_step: int = 1
    """Pixels in memory from a column of results to the next; 1 with Winograd tiles."""
    alike_rows: bool = False
    """Whether all kernel rows are one: it lies in memory once, and pixels are loaded and summed up row by row."""
    coded_entries: int = 0
    """Entries that a compressed raw weight tile takes at most; 0 for weights as they are."""

    @classmethod
    def of(
        cls,
        shape: Convolution,
        config: AcceleratorConfig,
        tile: int = 0,
        pool: Pool | None = None,
        *,
        column_step: int = 1,
        alike_rows: bool = False,
    ) -> Blocking:
        """Raises ``LayerError`` for a geometry beyond what instructions express."""
        if tile and not cls.suits_winograd(shape, pool):
            raise LayerError(
                "only convolutions without dilation that it saves multiplications, pooled 2x2 at stride 2 or not at "
                "all, can take a Winograd algorithm"
            )
        output_size(shape, pool)
        if pool and pool.stride > LARGEST_STRIDE:
            raise LayerError(f"pooling stride {pool.stride} is more than the {LARGEST_STRIDE} that hardware steps")
        if pool and not tile and pool.side**2 > config.accumulators:
            raise LayerError(
                f"a pooling window of {pool.side}x{pool.side} does not fit into {config.accumulators} accumulators"
            )
        for axis, stride, outputs in zip("yx", shape.stride, (shape.out_height, shape.out_width), strict=True):
            if stride > LARGEST_STRIDE and outputs > 1:
                raise LayerError(f"stride {stride} along {axis} is more than the {LARGEST_STRIDE} that hardware steps")
        for what, last in zip(("high", "wide"), furthest_position(shape), strict=True):
            if last > LARGEST_POSITION:
                raise LayerError(
                    f"an image of {shape.height}x{shape.width} pixels is too {what}: "
                    f"positions end at {LARGEST_POSITION}"
                )
        return cls(shape, config.rows, config.cols, tile, pool, column_step, alike_rows)

    @staticmethod
    def suits_winograd(shape: Convolution, pool: Pool | None = None) -> bool:
        """Whether it is a convolution that Winograd tiles are made for, and no pooling window spans two of them.

        They are made for 3x3 kernels at stride 1, and take others that are cheaper as sums of such.
        """
        native = shape.kernel == (KERNEL, KERNEL) and shape.stride == (1, 1) and shape.dilation == (1, 1)
        return pool in (None, Pool(2, 2)) and (native or saves(shape))

    @property
    def gathered(self) -> Pool | None:
        """The pooling whose windows are gathered from separate accumulators, not found within a Winograd tile."""
        return None if self.tile else self.pool

    @property
    def pixel_pitch(self) -> int:
        """Pixels in memory from one that a STORE writes to the next of its row."""
        return 1 if self.columns_alone else self.column_step

    @property
    def columns_alone(self) -> bool:
        """Whether each column of results is a strip of its own, as they lie too far apart for a STORE."""
        return self.column_step > LARGEST_PIXEL_PITCH

    @cached_property
    def output_size(self) -> Pair:
        """Height and width of what leaves the accelerator, in pixels."""
        return output_size(self.shape, self.pool)

    @property
    def input_shape(self) -> tuple[int, int, int, int]:
        """[images, channels, height, width] of what is read."""
        shape = self.shape
        return shape.images, shape.channels, shape.height, shape.width

    @property
    def output_shape(self) -> tuple[int, int, int, int]:
        """[images, kernels, height, width] of what leaves."""
        return (self.shape.images, self.shape.kernels, *self.output_size)

    @cached_property
    def grid(self) -> Pair:
        """Height and width of what is divided into groups: gathered pooling windows, else outputs of the walk.

        Outputs that no pooling window needs are left out.
        """
        if not self.tile:
            return self.output_size
        height, width = self.output_size
        size = self.tile // self.pool.stride if self.pool else self.tile
        return math.ceil(height / size), math.ceil(width / size)

    @cached_property
    def walk(self) -> Convolution:
        """The convolution whose windows the vector feeder walks over.

        The layer itself; or, in Winograd's case, one whose kernel is all patches of a tile together, whose stride is a
        tile, and whose outputs are tiles, padded below and to the right up to whole ones.
        """
        shape, tile = self.shape, self.tile
        if not tile:
            return shape
        top, left, _, _ = shape.padding
        spans = [subkernel.span(tile) for subkernel in self.subkernels]
        height, width = (max(span[axis][1] for span in spans) for axis in (0, 1))
        down, right = (tile * step for step in shape.stride)
        below = (math.ceil(shape.out_height / tile) - 1) * down + height - shape.height - top
        beside = (math.ceil(shape.out_width / tile) - 1) * right + width - shape.width - left
        return dataclasses.replace(
            shape, kernel=(height, width), stride=(down, right), padding=(top, left, below, beside)
        )

    @cached_property
    def subkernels(self) -> tuple[Subkernel, ...]:
        """The 3x3 kernels that a Winograd layer's is the sum of; each is a tap box of its own. None of a direct one."""
        return subkernels(self.shape.kernel, self.shape.stride) if self.tile else ()

    @property
    def tap_pitch(self) -> Pair:
        """Image rows, and columns, from a tap of an EXECUTE to the next."""
        return self.shape.stride if self.tile else self.shape.dilation

    def steps(self, box: Box) -> Pair:
        """Taps of a box, or of the patch that it is, along each axis: what an EXECUTE calls its kernel's size."""
        if not self.tile:
            return box.row_count, box.column_count
        patch = winograd(self.tile).patch
        return patch, patch

    def patches(self, box: Box) -> list[Box]:
        """The box's taps, of a single patch or of all, by input block and patch, in the order of the weights."""
        spans = [subkernel.span(self.tile) for subkernel in self.subkernels]
        if not self._whole(box):
            spans = [(box.rows, box.columns)]
        return [Box((block, block + 1), *span) for block in range(*box.blocks) for span in spans]

    def _whole(self, box: Box) -> bool:
        """Whether a box has all taps of its input blocks."""
        return (box.row_count, box.column_count) == self.walk.kernel

    @cached_property
    def rows_touched(self) -> dict[tuple[int, int, int], int]:
        """Cache: the most output rows of a run of groups, by numbers of strips, of groups in each, and of runs."""
        return {}

    @cached_property
    def rows_read(self) -> dict[Pair, int]:
        """Cache: the most input rows that are read, by numbers of kernel rows and output rows."""
        return {}

    @cached_property
    def columns_read(self) -> dict[Pair, int]:
        """Cache: the most image columns that are read, by numbers of kernel columns and output columns."""
        return {}

    @cached_property
    def cuts(self) -> dict[tuple[Box, int], list[Box]]:
        """Cache: boxes cut into pieces, by box and the most entries of a piece."""
        return {}

    @cached_property
    def known_passes(self) -> dict[int, list[PassKind]]:
        """Cache: kinds of passes, by the number of passes."""
        return {}

    def pass_kinds(self, passes: int) -> list[PassKind]:
        """Kinds of passes over the output blocks, if there are so many passes, in the order in which they occur."""
        known = self.known_passes.get(passes)
        if known is None:
            known = self.known_passes[passes] = self._pass_kinds(balanced(self.output_blocks, passes))
        return known

    def _pass_kinds(self, passes: list[Pair]) -> list[PassKind]:
        first: dict[tuple[int, int, int], Pair] = {}
        counts: Counter[tuple[int, int, int]] = Counter()
        repeated: Counter[tuple[int, int, int]] = Counter()
        before: Pair | None = None
        for start, stop in passes:
            union = self.union((start, stop))
            sizes = stop - start, union[1] - union[0], self.first_tile[stop] - self.first_tile[start]
            first.setdefault(sizes, (start, stop))
            counts[sizes] += 1
            repeated[sizes] += union == before
            before = union
        return [PassKind(first[sizes], sizes[2], counts[sizes], repeated[sizes]) for sizes in first]

    @property
    def positions(self) -> int:
        """Accumulators that a vector of the walk takes for each output block."""
        return winograd(self.tile).patch ** 2 if self.tile else 1

    def weight_tiles(self, box: Box) -> int:
        """Weight tiles that lie in memory for the taps of a box."""
        if not self.tile:
            return box.taps // box.row_count if self.alike_rows else box.taps
        return box.block_count * KERNEL * KERNEL * (len(self.subkernels) if self._whole(box) else 1)

    def tile_offset(self, box: Box) -> int:
        """Weight tiles in memory from the first one of input block 0 to the first one of a box."""
        height, width = self.shape.kernel
        if self.alike_rows:
            return box.blocks[0] * width + box.columns[0]
        if not self.tile:
            return (box.blocks[0] * height + box.rows[0]) * width + box.columns[0]
        before = 0 if self._whole(box) else self._patch_order[box.rows[0], box.columns[0]]
        return (box.blocks[0] * len(self.subkernels) + before) * KERNEL * KERNEL

    @cached_property
    def _patch_order(self) -> dict[Pair, int]:
        return {subkernel.first: number for number, subkernel in enumerate(self.subkernels)}

    @cached_property
    def tile_origins(self) -> list[int]:
        """For each output block, the weight tile in memory that ``tile_offset`` 0 stands for."""
        return [
            first - self.tile_offset(self.tap_box(block))
            for block, first in enumerate(self.first_tile[: self.output_blocks])
        ]

    def weight_entries(self, box: Box) -> int:
        """Entries of the weight buffer that the weights for the taps of a box take, at most if they are compressed."""
        return self.entries(self.weight_tiles(box))

    def entries(self, weight_tiles: int) -> int:
        """Entries that so many weight tiles take, at most if they are compressed."""
        return weight_tiles // KERNEL**2 * self.coded_entries if self.coded_entries else weight_tiles * self.rows

    @cached_property
    def first_tile(self) -> list[int]:
        """The weight tile that each output block's begin with in memory, and, at the end, how many there are."""
        of_block = self.weight_tiles(Box((0, 1), (0, self.walk.kernel[0]), (0, self.walk.kernel[1])))
        if self.shape.groups == 1:
            step = of_block * self.input_blocks
            return [*range(0, step * self.output_blocks, step), step * self.output_blocks]
        return list(itertools.accumulate((of_block * (stop - start) for start, stop in self._visited), initial=0))

    @cached_property
    def taps(self) -> int:
        """Weight tiles that enter the mesh for each vector: Winograd makes n * n out of nine."""
        blocks = sum(stop - start for start, stop in self._visited)
        if self.tile:
            return blocks * len(self.subkernels) * self.positions
        height, width = self.walk.kernel
        return blocks * height * width

    @property
    def input_blocks(self) -> int:
        return math.ceil(self.shape.channels / self.rows)

    @cached_property
    def output_blocks(self) -> int:
        return math.ceil(self.shape.kernels / self.cols)

    def input_channels(self, output_block: int) -> tuple[int, int]:
        """Input channels from start to stop that the groups of this output block read."""
        per_group = self.shape.kernels // self.shape.groups
        first = output_block * self.cols // per_group
        last = (min((output_block + 1) * self.cols, self.shape.kernels) - 1) // per_group
        width = self.shape.channels // self.shape.groups
        return first * width, (last + 1) * width

    def visited(self, output_block: int) -> tuple[int, int]:
        """Input blocks from start to stop that hold ``input_channels(output_block)``."""
        return self._visited[output_block]

    @cached_property
    def _visited(self) -> list[Pair]:
        if self.shape.groups == 1:
            return [(0, self.input_blocks)] * self.output_blocks
        channels = map(self.input_channels, range(self.output_blocks))
        return [(start // self.rows, math.ceil(stop / self.rows)) for start, stop in channels]

    def union(self, output_blocks: tuple[int, int]) -> tuple[int, int]:
        """Input blocks that any of these output blocks reads."""
        return self.visited(output_blocks[0])[0], self.visited(output_blocks[1] - 1)[1]

    def tap_box(self, output_block: int) -> Box:
        """All taps of an output block."""
        return Box(self.visited(output_block), (0, self.walk.kernel[0]), (0, self.walk.kernel[1]))

    def expressible(self, box: Box) -> bool:
        """Whether the box's sizes fit into one EXECUTE, or one for each patch; a Winograd patch can't be cut."""
        if self.tile:
            return box.block_count <= LARGEST_BLOCKS and self._whole(box)
        if self.alike_rows and box.row_count > 1:
            return False
        limits = [1 if dilation > LARGEST_STRIDE else LARGEST_KERNEL for dilation in self.shape.dilation]
        return box.block_count <= LARGEST_BLOCKS and box.row_count <= limits[0] and box.column_count <= limits[1]
