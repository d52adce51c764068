"""From a plan to instructions: the loop nest that ``wingrid.host.compiler.plan`` describes, written out."""

from __future__ import annotations

import functools

from wingrid.host.compiler.addend_loader import addend_loader
from wingrid.host.compiler.blocking import Box, balanced
from wingrid.host.compiler.coded_weights import CodedWeights
from wingrid.host.compiler.group_geometry import Group, Rows, StoredPart
from wingrid.host.compiler.memory_map import MemoryMap, layer_tables, surface_of
from wingrid.host.compiler.pixel_loader import GroupPixels, PixelLoader
from wingrid.host.compiler.plan import Plan
from wingrid.host.compiler.residency import NOBODY
from wingrid.host.compiler.synchronise import Schedule
from wingrid.host.compiler.weight_loader import WeightLoader, WeightPiece, parameter_loader, table_loader
from wingrid.host.networks.layer import Layer, Lookup
from wingrid.hw.isa import LARGEST_STRIDE, Execute, Store

BANKS = 2


class Lowering:
    """Emits a layer's instructions into ``schedule``; one use only."""

    def __init__(self, layer: Layer, plan: Plan, memory: MemoryMap, coded: CodedWeights | None = None) -> None:
        self.schedule = Schedule()
        self._layer, self._plan, self._memory = layer, plan, memory
        self._walk, self._blocking = plan.blocking.walk, plan.blocking
        context = (self.schedule, plan.blocking, plan.config, memory)
        self._weights = WeightLoader(*context, coded)
        self._coded = int(coded is not None)
        self._parameters = parameter_loader(*context)
        tables = layer_tables(layer, plan.blocking)
        self._tables = table_loader(self.schedule, tables, plan.config, memory) if tables else None
        self._addends = addend_loader(layer, *context)
        self._pixels = PixelLoader(*context)
        self._depth = plan.config.input_buffer
        self._box = functools.cache(self._box_within)
        self._pieces = functools.cache(plan.pieces)
        self._stored_part = functools.cache(functools.partial(StoredPart.of, plan.blocking))
        self._bank = 0
        self._bank_user = [NOBODY] * BANKS

    def emit(self) -> Schedule:
        """Write out the whole layer."""
        for region in self._plan.region_groups():
            # What is still there is used before anything takes its place.
            for blocks in sorted(self._plan.output_passes(), key=self._weights_to_come):
                self._pass(region, blocks)
        return self.schedule

    def _pass(self, region: list[Group], blocks: tuple[int, int]) -> None:
        chunks = self._chunks(blocks)
        count = blocks[1] - blocks[0]
        parts = -(-count // (self._plan.batch if len(chunks) > 1 else 1))
        batches = [(blocks[0] + a, blocks[0] + b) for a, b in balanced(count, parts)]
        for group in region:
            for batch in batches:
                self._batch(group, batch, chunks)

    def _chunks(self, blocks: tuple[int, int]) -> list[Box]:
        chunks = self._plan.chunks(blocks)
        assert chunks is not None, "the tiler only returns plans that fit"
        return chunks

    def _box_within(self, chunk: Box, block: int) -> Box | None:
        """The chunk's taps that an output block has, if any."""
        return chunk.within(self._blocking.visited(block))

    def _weights_to_come(self, blocks: tuple[int, int]) -> bool:
        """Whether any weights of these output blocks are not on chip."""
        return not all(
            self._weights.resident(block, piece)
            for chunk in self._chunks(blocks)
            for block in range(*blocks)
            if (box := self._box(chunk, block))
            for piece in self._pieces(box, False)
        )

    def _batch(self, group: Group, batch: tuple[int, int], chunks: list[Box]) -> None:
        """One group of several output blocks, summed up side by side in an accumulator bank."""
        begun: set[int] = set()
        last = NOBODY
        for chunk in chunks:
            boxes = [(slot, block, self._box(chunk, block)) for slot, block in enumerate(range(*batch))]
            if not any(box for _, _, box in boxes):
                continue
            pixels = self._pixels.place(group, chunk)
            for slot, block, box in boxes:
                for piece in self._pieces(box, False) if box else ():
                    weights = self._weights.request(block, piece)
                    # Where pixels have still to come, work starts with the first few blocks of them.
                    for part in self._pieces(piece, True) if pixels.missing(piece.blocks[1]) else (piece,):
                        last = self._execute(slot, pixels, weights, part, block in begun)
                        begun.add(block)
                    weights.use(last)
            pixels.use(last)
        for slot, block in enumerate(range(*batch)):
            self._bank_user[self._bank] = self._store(group, block, slot, last)
        self._bank = (self._bank + 1) % BANKS

    def _execute(self, slot: int, pixels: GroupPixels, weights: WeightPiece, part: Box, accumulate: bool) -> int:
        pixels_loaded = pixels.request(part.blocks[1])
        weight_base, weights_loaded = weights.request(part)
        fields = pixels.fields.get(part)
        if fields is None:
            if not pixels.raster:
                pixels.raster = self._raster(pixels)
            fields = pixels.fields[part] = {**pixels.raster, **self._taps(pixels, part)}
        execute = Execute(
            bank=self._bank,
            accumulate=int(accumulate),
            accumulator_base=self._accumulator_base(slot),
            weight_base=weight_base,
            **fields,
        )
        return self.schedule.add(execute, weights_loaded, *pixels_loaded, self._bank_user[self._bank])

    def _raster(self, pixels: GroupPixels) -> dict[str, int]:
        """Fields of an EXECUTE about the pixels that it visits, which are the same for all parts of a chunk."""
        shape, group, chunk, view = self._walk, pixels.group, pixels.chunk, pixels.view
        stride_y, stride_x = (step if step <= LARGEST_STRIDE else 1 for step in shape.stride)
        tap_rows = self._buffer_rows(self._blocking.tap_pitch[0], chunk, view.rows)
        return {
            "tile": self._blocking.tile,
            "coded": self._coded,
            "zero_point": self._layer.x_zero_point,
            "stride_y": stride_y,
            "stride_x": stride_x,
            "count": group.count,
            "first": group.first % group.strip.width * stride_x,
            "last": (group.strip.width - 1) * stride_x,
            "image_height": shape.height,
            "image_width": shape.width,
            "row_pitch": shape.stride[0] // view.rows.step * view.row_entries % self._depth,
            "block_pitch": view.columns.width % self._depth,
            "tap_row_pitch": tap_rows * view.row_entries % self._depth,
        }

    def _taps(self, pixels: GroupPixels, part: Box) -> dict[str, int]:
        """Fields of an EXECUTE about the taps of a part, and where its first pixel lies."""
        shape, chunk = self._walk, pixels.chunk
        rows, columns, row_entries = pixels.view.rows, pixels.view.columns, pixels.view.row_entries
        # Kernel rows and columns of the part, as steps down and right from the chunk's first tap.
        down, right = part.rows[0] - chunk.rows[0], part.columns[0] - chunk.columns[0]
        base = (
            pixels.position
            + (rows.top + down * self._buffer_rows(shape.dilation[0], chunk, rows)) * row_entries
            + (part.blocks[0] - chunk.blocks[0]) * columns.width
            + columns.left
            - columns.start
            + right * shape.dilation[1]
        )
        height, width = self._blocking.steps(part)
        pitch_y, pitch_x = self._blocking.tap_pitch
        return {
            "kernel_height": height,
            "kernel_width": width,
            "dilation_y": pitch_y if height > 1 else 1,
            "tap_pitch": pitch_x if width > 1 else 1,
            "blocks": part.block_count,
            "top": rows.phase + rows.top * rows.step + down * shape.dilation[0],
            "left": columns.left + right * shape.dilation[1],
            "input_base": self._pixels.address(base),
        }

    def _buffer_rows(self, image_rows: int, chunk: Box, rows: Rows) -> int:
        """How far apart in the buffer two kernel rows lie that are so many image rows apart."""
        return image_rows // rows.step if chunk.row_count > 1 else 0

    def _store(self, group: Group, block: int, slot: int, after: int) -> int:
        bus, out_height = self._memory.bus_bytes, self._blocking.output_size[0]
        surface = surface_of(self._layer, self._blocking)
        parameter_block, parameters_loaded = self._parameters.request(block)
        table, table_loaded, table_block = 0, NOBODY, block if self._layer.lookup is Lookup.CHANNEL else 0
        if self._tables:
            entry, table_loaded = self._tables.request(table_block)
            table = entry + 1
        part = self._stored_part(group)
        plane = group.strip.image * self._blocking.output_blocks + block
        pixel = plane * surface.pixels + part.row * surface.row_pixels + part.column * surface.column_step
        first, width, pixel_pitch = part.first, part.width, self._blocking.pixel_pitch
        if self._blocking.tile == 0 and not part.pooling and width * pixel_pitch == surface.row_pixels:
            # Rows that fill the image's follow each other in memory: one long row makes longer bursts.
            pixel, first, width = pixel + first * pixel_pitch, 0, group.count
        combining, addends_loaded = {}, NOBODY
        if self._addends and (combination := self._layer.combination):
            addend_base, addends_loaded = self._addends.load(group, part, block)
            combining = {"addend_base": addend_base, **combination.fields}
        store = Store(
            bank=self._bank,
            tile=self._blocking.tile,
            zero_point=self._layer.y_zero_point,
            minimum=self._layer.minimum,
            maximum=self._layer.maximum,
            count=part.count,
            accumulator_base=self._accumulator_base(slot),
            parameter_block=parameter_block,
            first=first,
            width=width,
            lines=out_height - part.row,
            destination=self._memory.outputs + pixel * bus,
            row_pitch=surface.row_pixels * bus,
            table=table,
            pixel_pitch=pixel_pitch if pixel_pitch > 1 else 0,
            **combining,
            **part.pooling,
        )
        index = self.schedule.add(store, parameters_loaded, table_loaded, addends_loaded, after)
        if self._addends:
            self._addends.use(index)
        self._parameters.use(block, index)
        if self._tables:
            self._tables.use(table_block, index)
        return index

    def _accumulator_base(self, slot: int) -> int:
        return slot * self._plan.largest * self._blocking.positions
