"""Addresses and image positions of the patches of a Winograd EXECUTE, one vector per step."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.isa import POSITION_BITS, Execute
from wingrid.hw.layouts import layout_of


class PatchWalk(wiring.Component):
    """Walks blocks, tiles, patch rows and patch columns of one instruction, columns innermost.

    The counterpart of ``RasterWalk`` with the same addresses (see ``Execute``), but all taps of a
    tile before the next tile. From the cycle after ``start`` on the outputs describe a vector.

    Where the next line, tile, block or instruction begins rests in registers before the walk goes there: a step adds
    the pitch along a line, or takes what is there, and no more. To get there takes a few cycles, so a patch is at least
    three vectors wide and high.

    Members
    -------
    start : In, 1
        Loads ``instruction``, with the final step of the one before or later.
    instruction : In, ``layout_of(Execute)``
        There in the cycle before ``start``, too.
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
                "instruction": In(layout_of(Execute)),
                "step": In(1),
                "address": Out(range(config.input_buffer)),
                "inside": Out(1),
                "commits": Out(1),
                "final": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        new = self.instruction
        current = Signal(layout_of(Execute))
        taps_x_left = Signal(8)
        taps_y_left = Signal(8)
        tiles_left = Signal(16)
        blocks_left = Signal(16)
        over = Signal(init=1)
        # What ends with this vector is over, too.
        ends_line = Signal(init=1)
        first_patch = Signal()
        last_line = Signal()
        last_tile = Signal()
        last_block = Signal()
        address_shape, position = self.address.shape(), signed(POSITION_BITS)
        line_address = Signal(address_shape)
        block_address = Signal(address_shape)
        x = Signal(position)
        y = Signal(position)
        # A negative position is beyond any height or width once its sign counts as a digit.
        m.d.comb += self.inside.eq((y.as_unsigned() < current.image_height) & (x.as_unsigned() < current.image_width))

        # What comes after this line.
        opens_line = Signal()
        opens_tile = Signal()
        opens_block = Signal()
        opens_new = Signal()
        m.d.comb += [
            opens_line.eq(~over & ~last_line),
            opens_tile.eq(~over & last_line & ~last_tile),
            opens_block.eq(~over & last_line & last_tile & ~last_block),
            opens_new.eq(over | (last_line & last_tile & last_block)),
        ]
        tile, next_tile, next_block, following = (
            self._tile(name) for name in ("tile", "next_tile", "next_block", "following")
        )
        self._look_ahead(m, current, tile, next_tile)
        next_block_address = Signal(address_shape)
        m.d.sync += [
            next_block_address.eq(block_address + current.block_pitch),
            next_block.row.eq(next_block_address),
            next_block.column.eq(current.first),
            next_block.top.eq(current.top),
            next_block.address.eq(next_block_address + current.first),
            next_block.x.eq(current.left + current.first),
        ]
        with m.If(opens_new):
            m.d.sync += [
                following.row.eq(new.input_base),
                following.column.eq(new.first),
                following.top.eq(new.top),
                following.address.eq(new.input_base + new.first),
                following.x.eq(new.left + new.first),
            ]
        with m.Elif(opens_block):
            m.d.sync += following.eq(next_block)
        with m.Elif(opens_tile):
            m.d.sync += following.eq(next_tile)
        with m.Else():
            m.d.sync += [
                following.top.eq(y + current.dilation_y),
                following.address.eq(line_address + current.tap_row_pitch),
                following.x.eq(tile.x),
            ]
        kernel_width = Signal(8)
        kernel_height = Signal(8)
        count = Signal(16)
        m.d.sync += [
            size.eq(Mux(opens_new, new[name], current[name]))
            for name, size in (("kernel_width", kernel_width), ("kernel_height", kernel_height), ("count", count))
        ]

        # Where an instruction begins is gone to in each cycle that has none, so that this hangs on registers alone.
        moves = Signal()
        m.d.comb += moves.eq(over | self.step)
        with m.If(moves):
            with m.If(~ends_line):
                ends = taps_x_left == 2
                m.d.sync += [
                    taps_x_left.eq(taps_x_left - 1),
                    ends_line.eq(ends),
                    self.commits.eq(ends & last_line & first_patch),
                    self.final.eq(ends & last_line & last_tile & last_block),
                    self.address.eq(self.address + current.tap_pitch),
                    x.eq(x + current.tap_pitch),
                ]
            with m.Else():
                m.d.sync += [
                    taps_x_left.eq(kernel_width),
                    ends_line.eq(0),
                    self.commits.eq(0),
                    self.final.eq(0),
                    self.address.eq(following.address),
                    line_address.eq(following.address),
                    x.eq(following.x),
                    y.eq(following.top),
                ]
                with m.If(opens_line):
                    m.d.sync += [taps_y_left.eq(taps_y_left - 1), last_line.eq(taps_y_left == 2)]
                with m.Else():
                    m.d.sync += [taps_y_left.eq(kernel_height), last_line.eq(0), first_patch.eq(~opens_tile)]
                with m.If(opens_block):
                    m.d.sync += [blocks_left.eq(blocks_left - 1), last_block.eq(blocks_left == 2)]
                with m.If(opens_new):
                    m.d.sync += [current.eq(new), blocks_left.eq(new.blocks), last_block.eq(new.blocks == 1)]
        # What a tile's first line has no need of follows a cycle later, enabled by registers; it still rests.
        begins_tile = Signal()
        begins_block = Signal()
        turns = moves & ends_line & ~opens_line
        m.d.sync += [begins_tile.eq(turns), begins_block.eq(turns & ~opens_tile)]
        with m.If(begins_tile):
            m.d.sync += [tile.eq(following), tiles_left.eq(tiles_left - 1), last_tile.eq(tiles_left == 2)]
        with m.If(begins_block):
            m.d.sync += [block_address.eq(following.row), tiles_left.eq(count), last_tile.eq(count == 1)]
        with m.If(self.start):
            m.d.sync += over.eq(0)
        with m.Elif(over | (self.step & self.final)):
            m.d.sync += [over.eq(1), ends_line.eq(1)]
        return m

    def _tile(self, name: str) -> data.View:
        """Where a tile begins: its row's address, its column in there, the address of both, and its image position."""
        address = self.address.shape()
        position = signed(POSITION_BITS)
        layout = {"row": address, "column": 17, "address": address, "x": position, "top": position}
        return Signal(data.StructLayout(layout), name=name)

    def _look_ahead(self, m: Module, current: data.View, tile: data.View, following: data.View) -> None:
        """``following`` is the tile after ``tile`` of the same block, three cycles after that changed."""
        wraps = Signal()
        beside = Signal.like(tile.column)
        below = Signal.like(tile.row)
        lower = Signal.like(tile.top)
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
