"""Addresses and image positions of the vectors of an EXECUTE, one per step."""

from __future__ import annotations

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.isa import POSITION_BITS, Execute


class RasterWalk(wiring.Component):
    """Walks the vectors, taps and blocks of one instruction (see ``Execute``), vectors innermost.

    From the cycle after ``start`` on the outputs describe a vector.

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
    sum_address : Out, range(accumulators)
        Accumulator that its sums go to.
    overwrite : Out, 1
        The sum starts with this vector.
    first : Out, 1
        First vector of a tap.
    last : Out, 1
        Last vector of a tap.
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
                "sum_address": Out(range(config.accumulators)),
                "overwrite": Out(1),
                "first": Out(1),
                "last": Out(1),
                "final": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        config = self._config
        m = Module()
        current = Signal(Execute.layout())
        address_shape = range(config.input_buffer)
        position = signed(POSITION_BITS)

        # The column within the walk is shared by address and image position.
        column = Signal(17)
        vectors_left = Signal(16)
        row_address, row_top = Signal(address_shape), Signal(position)
        tap_address, tap_left, tap_top = Signal(address_shape), Signal(position), Signal(position)
        kernel_row_address, block_address = Signal(address_shape), Signal(address_shape)
        taps_x_left, taps_y_left, blocks_left = Signal(8), Signal(8), Signal(16)
        first_tap = Signal()

        image_column = Signal(position)
        m.d.comb += [
            self.address.eq(row_address + column),
            image_column.eq(tap_left + column),
            # A negative position is beyond any height or width once its sign counts as a digit.
            self.inside.eq(
                (row_top.as_unsigned() < current.image_height) & (image_column.as_unsigned() < current.image_width)
            ),
            self.overwrite.eq(first_tap & ~current.accumulate[0]),
            self.first.eq(vectors_left == current.count),
            self.last.eq(vectors_left == 1),
            self.final.eq(self.last & (taps_x_left == 1) & (taps_y_left == 1) & (blocks_left == 1)),
        ]

        with m.If(self.step):
            m.d.sync += [vectors_left.eq(vectors_left - 1), self.sum_address.eq(self.sum_address + 1)]
            with m.If(column == current.last):
                m.d.sync += [
                    column.eq(0),
                    row_address.eq(row_address + current.row_pitch),
                    row_top.eq(row_top + current.stride_y),
                ]
            with m.Else():
                m.d.sync += column.eq(column + current.stride_x)
            with m.If(self.last):
                m.d.sync += [
                    vectors_left.eq(current.count),
                    self.sum_address.eq(current.accumulator_base),
                    column.eq(current.first),
                    first_tap.eq(0),
                ]
                with m.If(taps_x_left != 1):
                    next_address, next_top = tap_address + current.tap_pitch, tap_top
                    m.d.sync += [
                        taps_x_left.eq(taps_x_left - 1),
                        tap_address.eq(next_address),
                        tap_left.eq(tap_left + current.tap_pitch),
                        row_address.eq(next_address),
                        row_top.eq(next_top),
                    ]
                with m.Elif(taps_y_left != 1):
                    next_address, next_top = kernel_row_address + current.tap_row_pitch, tap_top + current.dilation_y
                    m.d.sync += [
                        taps_x_left.eq(current.kernel_width),
                        taps_y_left.eq(taps_y_left - 1),
                        kernel_row_address.eq(next_address),
                        tap_address.eq(next_address),
                        tap_left.eq(current.left),
                        tap_top.eq(next_top),
                        row_address.eq(next_address),
                        row_top.eq(next_top),
                    ]
                with m.Else():
                    next_address = block_address + current.block_pitch
                    m.d.sync += [
                        taps_x_left.eq(current.kernel_width),
                        taps_y_left.eq(current.kernel_height),
                        blocks_left.eq(blocks_left - 1),
                        block_address.eq(next_address),
                        kernel_row_address.eq(next_address),
                        tap_address.eq(next_address),
                        tap_left.eq(current.left),
                        tap_top.eq(current.top),
                        row_address.eq(next_address),
                        row_top.eq(current.top),
                    ]
        with m.If(self.start):
            new = self.instruction
            m.d.sync += [
                current.eq(new),
                column.eq(new.first),
                vectors_left.eq(new.count),
                self.sum_address.eq(new.accumulator_base),
                first_tap.eq(1),
                taps_x_left.eq(new.kernel_width),
                taps_y_left.eq(new.kernel_height),
                blocks_left.eq(new.blocks),
                tap_left.eq(new.left),
                tap_top.eq(new.top),
                row_top.eq(new.top),
            ]
            m.d.sync += [
                address.eq(new.input_base) for address in (row_address, tap_address, kernel_row_address, block_address)
            ]
        return m
