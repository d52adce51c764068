"""From a plan to instructions: the loop nest that ``host.plan`` describes, written out."""

from __future__ import annotations

from host.blocking import LARGEST_BYTE, Box, balanced
from host.layers import Layer
from host.memory_map import MemoryMap
from host.operand_loader import ParameterLoader, WeightLoader
from host.pixel_loader import PixelLoader
from host.plan import Plan
from host.residency import NOBODY
from host.schedule import Schedule
from host.stored_part import StoredPart
from host.window import Columns, Rows, Tile
from hw.isa import Execute, Store

BANKS = 2


class Lowering:
    """Emits a layer's instructions into ``schedule``; one use only."""

    def __init__(self, layer: Layer, plan: Plan, memory: MemoryMap) -> None:
        self.schedule = Schedule()
        self._layer, self._plan, self._memory = layer, plan, memory
        self._walk, self._blocking = plan.blocking.walk, plan.blocking
        context = (self.schedule, plan.blocking, plan.config, memory)
        self._weights = WeightLoader(*context)
        self._parameters = ParameterLoader(*context)
        self._pixels = PixelLoader(*context)
        self._depth = plan.config.input_buffer
        self._bank = 0
        self._bank_user = [NOBODY] * BANKS

    def emit(self) -> Schedule:
        """Write out the whole layer."""
        for region in self._plan.region_tiles():
            # What is still there is used before anything takes its place.
            for blocks in sorted(self._plan.output_passes(), key=self._weights_to_come):
                self._pass(region, blocks)
        return self.schedule

    def _pass(self, region: list[Tile], blocks: tuple[int, int]) -> None:
        windows = self._windows(blocks)
        count = blocks[1] - blocks[0]
        parts = -(-count // (self._plan.batch if len(windows) > 1 else 1))
        batches = [(blocks[0] + a, blocks[0] + b) for a, b in balanced(count, parts)]
        for tile in region:
            for batch in batches:
                self._batch(tile, batch, windows)

    def _windows(self, blocks: tuple[int, int]) -> list[Box]:
        windows = self._plan.windows(blocks)
        assert windows is not None, "the tiler only returns plans that fit"
        return windows

    def _weights_to_come(self, blocks: tuple[int, int]) -> bool:
        """Whether any weights of these output blocks are not on chip."""
        return not all(
            self._weights.resident(block, piece)
            for window in self._windows(blocks)
            for block in range(*blocks)
            if (box := window.within(self._blocking.visited(block)))
            for piece in self._plan.pieces(box, opening=False)
        )

    def _batch(self, tile: Tile, batch: tuple[int, int], windows: list[Box]) -> None:
        """One tile of several output blocks, summed up side by side in an accumulator bank."""
        begun: set[int] = set()
        last = NOBODY
        for window in windows:
            for slot, block in enumerate(range(*batch)):
                box = window.within(self._blocking.visited(block))
                for piece in self._plan.pieces(box, opening=False) if box else ():
                    # Where pixels have still to come, work starts with the first few blocks of them.
                    missing = self._pixels.missing(tile, window, piece.blocks[1])
                    for part in self._plan.pieces(piece, opening=True) if missing else [piece]:
                        last = self._execute(tile, block, slot, window, piece, part, block in begun)
                        begun.add(block)
                    self._weights.use(block, piece, last)
        for slot, block in enumerate(range(*batch)):
            self._bank_user[self._bank] = self._store(tile, block, slot, last)
        self._bank = (self._bank + 1) % BANKS

    def _execute(self, tile: Tile, block: int, slot: int, window: Box, piece: Box, part: Box, accumulate: bool) -> int:
        shape = self._walk
        position, pixels_loaded = self._pixels.request(tile, window, part.blocks[1])
        weight_base, weights_loaded = self._weights.request(block, piece, part)
        window_rows = Rows.of(shape, tile, window)
        window_columns = Columns.of(shape, tile.strip, window)
        width = window_columns.width
        row_entries = window.block_count * width
        # Kernel rows and columns of the part, as steps down and right from the window's first tap.
        down, right = part.rows[0] - window.rows[0], part.columns[0] - window.columns[0]
        tap_rows = shape.dilation[0] // window_rows.step if window.row_count > 1 else 0
        base = (
            position
            + (window_rows.top + down * tap_rows) * row_entries
            + (part.blocks[0] - window.blocks[0]) * width
            + window_columns.left
            - window_columns.start
            + right * shape.dilation[1]
        )
        stride_y, stride_x = (step if step <= LARGEST_BYTE else 1 for step in shape.stride)
        execute = Execute(
            bank=self._bank,
            accumulate=int(accumulate),
            tile=self._blocking.tile,
            zero_point=self._layer.x_zero_point,
            kernel_height=part.row_count,
            kernel_width=part.column_count,
            stride_y=stride_y,
            stride_x=stride_x,
            dilation_y=shape.dilation[0] if part.row_count > 1 else 1,
            tap_pitch=shape.dilation[1] if part.column_count > 1 else 1,
            count=tile.count,
            blocks=part.block_count,
            first=tile.first % tile.strip.width * stride_x,
            last=(tile.strip.width - 1) * stride_x,
            top=window_rows.phase + window_rows.top * window_rows.step + down * shape.dilation[0],
            left=window_columns.left + right * shape.dilation[1],
            image_height=shape.height,
            image_width=shape.width,
            accumulator_base=self._accumulator_base(slot),
            input_base=self._pixels.address(base),
            row_pitch=shape.stride[0] // window_rows.step * row_entries % self._depth,
            block_pitch=width % self._depth,
            tap_row_pitch=tap_rows * row_entries % self._depth,
            weight_base=weight_base,
        )
        bank_released = self._bank_user[self._bank]
        index = self.schedule.add(execute, weights_loaded, *pixels_loaded, bank_released)
        self._pixels.use(tile, window, index)
        return index

    def _store(self, tile: Tile, block: int, slot: int, after: int) -> int:
        bus, (out_height, out_width) = self._memory.bus_bytes, self._blocking.output_size
        parameter_block, parameters_loaded = self._parameters.request(block)
        part = StoredPart.of(self._blocking, tile)
        plane = tile.strip.image * self._blocking.output_blocks + block
        pixel = (plane * out_height + part.row) * out_width + part.column
        first, width = part.first, part.width
        if self._blocking.tile == 0 and not part.pooling and width == out_width:
            # Rows that fill the image's follow each other in memory: one long row makes longer bursts.
            pixel, first, width = pixel + first, 0, tile.count
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
            row_pitch=out_width * bus,
            **part.pooling,
        )
        index = self.schedule.add(store, parameters_loaded, after)
        self._parameters.use(block, index)
        return index

    def _accumulator_base(self, slot: int) -> int:
        return slot * self._plan.largest * self._blocking.positions
