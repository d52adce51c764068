"""Addresses and image positions of the patches of a Winograd EXECUTE, one vector per step."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.isa import POSITION_BITS, Execute


class PatchWalk(wiring.Component):
    """Walks blocks, tiles, patch rows and patch columns of one instruction, columns innermost.

    The counterpart of ``RasterWalk`` with the same addresses (see ``Execute``), but all taps of a
    tile before the next tile. From the cycle after ``start`` on the outputs describe a vector.

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
        column = Signal(17)
        line_address, row_address, block_address = Signal(address_shape), Signal(address_shape), Signal(address_shape)
        x, y, tile_top = Signal(position), Signal(position), Signal(position)
        first_patch, patch_ends = Signal(), Signal()
        m.d.comb += [
            patch_ends.eq((taps_x_left == 1) & (taps_y_left == 1)),
            # A negative position is beyond any height or width once its sign counts as a digit.
            self.inside.eq((y.as_unsigned() < current.image_height) & (x.as_unsigned() < current.image_width)),
            self.commits.eq(first_patch & patch_ends),
            self.final.eq(patch_ends & (tiles_left == 1) & (blocks_left == 1)),
        ]

        def open_patch(row: Value, column: Value, top: Value) -> list[object]:
            return [
                self.address.eq(row + column),
                line_address.eq(row + column),
                row_address.eq(row),
                x.eq(current.left + column),
                y.eq(top),
                tile_top.eq(top),
                taps_x_left.eq(current.kernel_width),
                taps_y_left.eq(current.kernel_height),
            ]

        with m.If(self.step):
            with m.If(taps_x_left != 1):
                m.d.sync += [taps_x_left.eq(taps_x_left - 1), self.address.eq(self.address + current.tap_pitch)]
                m.d.sync += x.eq(x + current.tap_pitch)
            with m.Elif(taps_y_left != 1):
                m.d.sync += [
                    taps_x_left.eq(current.kernel_width),
                    taps_y_left.eq(taps_y_left - 1),
                    self.address.eq(line_address + current.tap_row_pitch),
                    line_address.eq(line_address + current.tap_row_pitch),
                    x.eq(current.left + column),
                    y.eq(y + current.dilation_y),
                ]
            with m.Elif(tiles_left != 1):
                m.d.sync += [first_patch.eq(0), tiles_left.eq(tiles_left - 1)]
                wraps = column == current.last
                next_column = Signal.like(column)
                next_row, next_top = Signal.like(row_address), Signal.like(tile_top)
                m.d.comb += [
                    next_column.eq(Mux(wraps, 0, column + current.stride_x)),
                    next_row.eq(Mux(wraps, row_address + current.row_pitch, row_address)),
                    next_top.eq(Mux(wraps, tile_top + current.stride_y, tile_top)),
                ]
                m.d.sync += [column.eq(next_column), *open_patch(next_row, next_column, next_top)]
            with m.Else():
                next_block = Signal.like(block_address)
                m.d.comb += next_block.eq(block_address + current.block_pitch)
                m.d.sync += [
                    first_patch.eq(1),
                    blocks_left.eq(blocks_left - 1),
                    tiles_left.eq(current.count),
                    block_address.eq(next_block),
                    column.eq(current.first),
                    *open_patch(next_block, current.first, current.top),
                ]
        with m.If(self.start):
            new = self.instruction
            m.d.sync += [
                current.eq(new),
                first_patch.eq(1),
                blocks_left.eq(new.blocks),
                tiles_left.eq(new.count),
                column.eq(new.first),
                block_address.eq(new.input_base),
                row_address.eq(new.input_base),
                line_address.eq(new.input_base + new.first),
                self.address.eq(new.input_base + new.first),
                x.eq(new.left + new.first),
                y.eq(new.top),
                tile_top.eq(new.top),
                taps_x_left.eq(new.kernel_width),
                taps_y_left.eq(new.kernel_height),
            ]
        return m
