"""Addresses and image positions of the patches of a Winograd EXECUTE, one vector per step."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.isa import POSITION_BITS, Execute


class PatchWalk(wiring.Component):
    """Walks blocks, tiles, patch rows and patch columns of one instruction, columns innermost.

    The counterpart of ``RasterWalk`` with the same addresses (see ``Execute``), but all taps of a
    tile before the next tile. From the cycle after ``start`` on the outputs describe a vector.

    Where the next tile and the next block begin is computed while a patch is walked, in a few cycles, so that a step
    chooses and no more. A patch is at least two vectors wide and high.

    Members
    -------
    start : In, 1
        Loads ``instruction``.
    instruction : In, ``Execute.layout()``
    step : In, 1
        Moves on to the next vector.
    address : Out, range(input_buffer)
        Entry of the input buffer, modulo its depth.
    inside : Out, 1
        The vector is a pixel of the image, no padding.
    commits : Out, 1
        Last vector of a block's first patch.
    final : Out, 1
        Last vector of the instruction.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        super().__init__(
            {
                "start": In(1),
                "instruction": In(Execute.layout()),
                "step": In(1),
                "address": Out(range(config.input_buffer)),
                "inside": Out(1),
                "commits": Out(1),
                "final": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        current = Signal(Execute.layout())
        address_shape = range(self._config.input_buffer)
        position = signed(POSITION_BITS)

        taps_x_left, taps_y_left = Signal(8), Signal(8)
        tiles_left, blocks_left = Signal(16), Signal(16)
        ends_line, last_line, last_tile, last_block = Signal(), Signal(), Signal(), Signal()
        line_address, block_address = Signal(address_shape), Signal(address_shape)
        x, y = Signal(position), Signal(position)
        first_patch, patch_ends = Signal(), Signal()
        m.d.comb += [
            patch_ends.eq(ends_line & last_line),
            # A negative position is beyond any height or width once its sign counts as a digit.
            self.inside.eq((y.as_unsigned() < current.image_height) & (x.as_unsigned() < current.image_width)),
            self.commits.eq(first_patch & patch_ends),
            self.final.eq(patch_ends & last_tile & last_block),
        ]
        tile, next_tile, next_block = (self._tile(name) for name in ("tile", "next_tile", "next_block"))
        next_block_address = Signal(address_shape)
        self._look_ahead(m, current, tile, next_tile)
        m.d.sync += [
            next_block_address.eq(block_address + current.block_pitch),
            next_block.row.eq(next_block_address),
            next_block.column.eq(current.first),
            next_block.top.eq(current.top),
            next_block.address.eq(next_block_address + current.first),
            next_block.x.eq(current.left + current.first),
        ]

        def open_patch(new: data.View) -> list[object]:
            return [
                tile.eq(new),
                self.address.eq(new.address),
                line_address.eq(new.address),
                x.eq(new.x),
                y.eq(new.top),
                taps_x_left.eq(current.kernel_width),
                taps_y_left.eq(current.kernel_height),
                ends_line.eq(0),
                last_line.eq(0),
            ]

        with m.If(self.step):
            with m.If(~ends_line):
                m.d.sync += [
                    taps_x_left.eq(taps_x_left - 1),
                    ends_line.eq(taps_x_left == 2),
                    self.address.eq(self.address + current.tap_pitch),
                    x.eq(x + current.tap_pitch),
                ]
            with m.Elif(~last_line):
                m.d.sync += [
                    taps_x_left.eq(current.kernel_width),
                    ends_line.eq(0),
                    taps_y_left.eq(taps_y_left - 1),
                    last_line.eq(taps_y_left == 2),
                    self.address.eq(line_address + current.tap_row_pitch),
                    line_address.eq(line_address + current.tap_row_pitch),
                    x.eq(tile.x),
                    y.eq(y + current.dilation_y),
                ]
            with m.Elif(~last_tile):
                m.d.sync += [
                    first_patch.eq(0),
                    tiles_left.eq(tiles_left - 1),
                    last_tile.eq(tiles_left == 2),
                    *open_patch(next_tile),
                ]
            with m.Else():
                m.d.sync += [
                    first_patch.eq(1),
                    blocks_left.eq(blocks_left - 1),
                    last_block.eq(blocks_left == 2),
                    tiles_left.eq(current.count),
                    last_tile.eq(current.count == 1),
                    block_address.eq(next_block.row),
                    *open_patch(next_block),
                ]
        with m.If(self.start):
            new = self.instruction
            address = new.input_base + new.first
            m.d.sync += [
                current.eq(new),
                first_patch.eq(1),
                blocks_left.eq(new.blocks),
                last_block.eq(new.blocks == 1),
                tiles_left.eq(new.count),
                last_tile.eq(new.count == 1),
                block_address.eq(new.input_base),
                tile.row.eq(new.input_base),
                tile.column.eq(new.first),
                tile.top.eq(new.top),
                tile.address.eq(address),
                tile.x.eq(new.left + new.first),
                line_address.eq(address),
                self.address.eq(address),
                x.eq(new.left + new.first),
                y.eq(new.top),
                taps_x_left.eq(new.kernel_width),
                taps_y_left.eq(new.kernel_height),
                ends_line.eq(0),
                last_line.eq(0),
            ]
        return m

    def _tile(self, name: str) -> data.View:
        """Where a tile begins: its row's address, its column in there, the address of both, and its image position."""
        address = range(self._config.input_buffer)
        position = signed(POSITION_BITS)
        layout = {"row": address, "column": 17, "address": address, "x": position, "top": position}
        return Signal(data.StructLayout(layout), name=name)

    def _look_ahead(self, m: Module, current: data.View, tile: data.View, following: data.View) -> None:
        """``following`` is the tile after ``tile`` of the same block, three cycles after that changed."""
        wraps = Signal()
        beside, below, lower = Signal.like(tile.column), Signal.like(tile.row), Signal.like(tile.top)
        m.d.sync += [
            wraps.eq(tile.column == current.last),
            beside.eq(tile.column + current.stride_x),
            below.eq(tile.row + current.row_pitch),
            lower.eq(tile.top + current.stride_y),
            following.column.eq(Mux(wraps, 0, beside)),
            following.row.eq(Mux(wraps, below, tile.row)),
            following.top.eq(Mux(wraps, lower, tile.top)),
            following.address.eq(following.row + following.column),
            following.x.eq(current.left + following.column),
        ]
