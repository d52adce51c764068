"""Emits the LOADs that bring pixels into the input buffer, no more often than needed."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from operator import attrgetter

from wingrid.host.compiler.blocking import Blocking, Box
from wingrid.host.compiler.group_geometry import Columns, Group, Rows, Strip
from wingrid.host.compiler.memory_map import MemoryMap
from wingrid.host.compiler.residency import NOBODY, Allocation, Ring
from wingrid.host.compiler.synchronise import Schedule
from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.isa import Buffer, Load


@dataclass
class _Band:
    """Successive rows of a chunk that were allocated together; loaded block by block."""

    start: int
    stop: int
    region: Allocation


@dataclass(frozen=True)
class _View:
    """What a group reads of a chunk: rows and columns of the image, and entries from a row to the next."""

    rows: Rows
    columns: Columns
    row_entries: int

    def origin(self, band: _Band) -> int:
        """Position that row 0 would have, counted from where the band lies."""
        return band.region.position - band.start * self.row_entries

    def used(self, bands: list[_Band]) -> list[_Band]:
        """The bands that hold any of the view's rows; bands follow each other without a gap."""
        first = bisect_right(bands, self.rows.start, key=attrgetter("stop"))
        return bands[first : bisect_left(bands, self.rows.stop, key=attrgetter("start"))]


class PixelLoader:
    """Keeps chunks of the image in the input buffer, as [row][block][column].

    Rows are outermost, so that a chunk slides down the image: rows that the last group read and this
    one reads again stay where they are, and new ones follow them.
    """

    def __init__(self, schedule: Schedule, blocking: Blocking, config: AcceleratorConfig, memory: MemoryMap) -> None:
        self._schedule, self._blocking, self._memory = schedule, blocking, memory
        self._ring = Ring(config.input_buffer)
        self._bands: dict[tuple[Strip, Box], list[_Band]] = {}
        # Good for as long as nothing else has been given a place.
        self._placed: dict[tuple[Group, Box], tuple[int, GroupPixels]] = {}

    def place(self, group: Group, chunk: Box) -> GroupPixels:
        """Where the group's pixels of the chunk lie; room for those not there yet is allocated."""
        head, pixels = self._placed.get((group, chunk), (None, None))
        if pixels is None or head != self._ring.head:
            pixels = GroupPixels(self, group, chunk, *self._view(group, chunk))
            self._placed[group, chunk] = self._ring.head, pixels
        return pixels

    def note_use(self, start: int, entries: int, user: int) -> None:
        self._ring.use(start, entries, user)

    def address(self, position: int) -> int:
        """The entry at a position, which may lie outside of what is loaded if only padding is read there."""
        return self._ring.address(position)

    def _view(self, group: Group, chunk: Box) -> tuple[_View, list[_Band]]:
        """The group's view of the chunk, and the bands that hold its rows; those not there yet are allocated."""
        shape = self._blocking.walk
        columns = Columns.of(shape, group.strip, chunk)
        view = _View(Rows.of(shape, group, chunk), columns, chunk.block_count * columns.width)
        rows = view.rows
        if rows.start == rows.stop or not view.row_entries:
            return view, []
        key = (group.strip, chunk)
        bands = [band for band in self._bands.get(key, ()) if self._ring.resident(band.region.end - 1)]
        if not self._continues(bands, view, chunk.block_count):
            bands = []
        start = bands[-1].stop if bands else rows.start
        if start < rows.stop:
            entries = (rows.stop - start) * view.row_entries
            bands.append(_Band(start, rows.stop, self._ring.allocate(entries)))
        self._bands[key] = bands
        return view, view.used(bands)

    def _continues(self, bands: list[_Band], view: _View, blocks: int) -> bool:
        """Whether the view's rows are in these bands, or can be put right behind them without damage."""
        if not bands:
            return False
        rows, origin = view.rows, view.origin(bands[0])
        new_rows = max(rows.stop - bands[-1].stop, 0)
        if not bands[0].start <= rows.start <= bands[-1].stop:
            return False
        if new_rows and self._ring.head != origin + bands[-1].stop * view.row_entries:
            return False
        # What is read must still be there when the new rows are allocated; and what is still to be loaded
        # must not reach into what others have overwritten.
        oldest = self._ring.head + new_rows * view.row_entries - self._ring.depth
        return origin + rows.start * view.row_entries >= oldest and all(
            band.region.loaded == blocks or band.region.position >= oldest for band in view.used(bands)
        )

    def load(self, image: int, chunk: Box, band: _Band, view: _View, end: int) -> None:
        """Bring the band's blocks of the chunk below ``end``."""
        shape, bus = self._blocking.shape, self._memory.bus_bytes
        rows, columns = view.rows, view.columns
        start, count = band.region.loaded, band.stop - band.start
        block_beats = shape.height * shape.width
        first_block = image * self._blocking.input_blocks + chunk.blocks[0] + start
        first_pixel = (rows.phase + band.start * rows.step) * shape.width + columns.start
        source = self._memory.inputs + (first_block * block_beats + first_pixel) * bus
        common = {
            "buffer": Buffer.INPUTS.value,
            "row_beats": columns.width,
            "row_pitch": view.row_entries % self._ring.depth,
            "block_pitch": columns.width % self._ring.depth,
        }
        last = NOBODY
        if count == 1 or (columns.width == shape.width and rows.step == 1):
            run_beats, runs = count * columns.width, end - start
            if run_beats == block_beats:
                run_beats, runs = run_beats * runs, 1
            last = self._schedule.add(
                Load(
                    source=source,
                    run_beats=run_beats,
                    runs=runs,
                    run_pitch=block_beats * bus,
                    rows=count,
                    destination=self._ring.address(band.region.position + start * columns.width),
                    **common,
                ),
                band.region.evicted_user,
            )
        else:
            for block in range(start, end):
                last = self._schedule.add(
                    Load(
                        source=source + (block - start) * block_beats * bus,
                        run_beats=columns.width,
                        runs=count,
                        run_pitch=rows.step * shape.width * bus,
                        rows=count,
                        destination=self._ring.address(band.region.position + block * columns.width),
                        **common,
                    ),
                    band.region.evicted_user,
                )
        band.region.record(end, last)


@dataclass(slots=True)
class GroupPixels:
    """The pixels that a group reads of a chunk."""

    loader: PixelLoader
    group: Group
    chunk: Box
    view: _View
    bands: list[_Band]
    raster: dict[str, int] = field(default_factory=dict)
    """What EXECUTEs over any part of the chunk say of them."""
    fields: dict[Box, dict[str, int]] = field(default_factory=dict)
    """What EXECUTEs over a part say."""
    _loads: dict[int, list[int]] = field(default_factory=dict)

    def missing(self, up_to_block: int) -> bool:
        """Whether any row has still to be loaded for blocks below ``up_to_block``."""
        end = up_to_block - self.chunk.blocks[0]
        return up_to_block not in self._loads and any(band.region.loaded < end for band in self.bands)

    def request(self, up_to_block: int) -> list[int]:
        """The LOADs that bring the rows, of blocks below ``up_to_block``; what is there already stays."""
        loads = self._loads.get(up_to_block)
        if loads is None:
            end = up_to_block - self.chunk.blocks[0]
            for band in self.bands:
                if band.region.loaded < end:
                    self.loader.load(self.group.strip.image, self.chunk, band, self.view, end)
            loads = self._loads[up_to_block] = [band.region.loader(end) for band in self.bands]
        return loads

    @property
    def position(self) -> int:
        """Position of row 0 of the chunk's stream."""
        return self.view.origin(self.bands[0]) if self.bands else 0

    def use(self, user: int) -> None:
        """Note that EXECUTE ``user`` reads them."""
        if self.bands:
            rows, view = self.view.rows, self.view
            start = self.position + rows.start * view.row_entries
            self.loader.note_use(start, (rows.stop - rows.start) * view.row_entries, user)
