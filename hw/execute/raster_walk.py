"""Addresses and image positions of the vectors of an EXECUTE, one per step."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.isa import POSITION_BITS, Execute
from wingrid.hw.layouts import layout_of


class RasterWalk(wiring.Component):
    """Walks the vectors, taps and blocks of one instruction (see ``Execute``), vectors innermost.

    The outputs describe a vector while it is ``active``. A step may end a tap, and the next one as well: so
    where the taps begin that may follow, to the side, below and in the next block, rests in registers, together with
    what tells which of them does.

    Members
    -------
    active : In, 1
        An instruction is under way.
    instruction : In, ``layout_of(Execute)``
        The one after that: loaded in each cycle that is not active, and by the final step.
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
                "active": In(1),
                "instruction": In(layout_of(Execute)),
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
        current = Signal(layout_of(Execute))
        address_shape = range(config.input_buffer)
        position = signed(POSITION_BITS)

        # The column within the walk is shared by address and image position.
        column = Signal(17)
        before_last = Signal(17)
        vectors_left = Signal(16)
        row_address = Signal(address_shape)
        row_top = Signal(position)
        tap_left = Signal(position)
        tap_top = Signal(position)
        taps_x_left = Signal(8)
        taps_y_left = Signal(8)
        blocks_left = Signal(16)
        last_x = Signal()
        last_y = Signal()
        last_block = Signal()
        wraps = Signal()
        # Whether there is but one of them.
        one_vector = Signal()
        one_column = Signal()
        one_x = Signal()
        one_y = Signal()
        begins_wrapped = Signal()

        # The next tap: beside this one, below its row of the kernel, in the next block.
        beside = Signal(address_shape)
        below = Signal(address_shape)
        behind = Signal(address_shape)
        left_beside = Signal(position)
        top_below = Signal(position)
        next_address = Signal(address_shape)
        next_left = Signal(position)
        next_top = Signal(position)
        m.d.comb += [
            next_address.eq(Mux(last_x, Mux(last_y, behind, below), beside)),
            next_left.eq(Mux(last_x, current.left, left_beside)),
            next_top.eq(Mux(last_x, Mux(last_y, current.top, top_below), tap_top)),
        ]

        image_column = Signal(position)
        m.d.comb += [
            self.address.eq(row_address + column),
            image_column.eq(tap_left + column),
            # A negative position is beyond any height or width once its sign counts as a digit.
            self.inside.eq(
                (row_top.as_unsigned() < current.image_height) & (image_column.as_unsigned() < current.image_width)
            ),
        ]

        # What an instruction begins with is loaded whether or not there is one, so that this hangs on registers alone.
        # An instruction's final step ends all of its loops: what each of them keeps is enabled by its own end.
        new = self.instruction
        begins = Signal()
        moves = Signal()
        ends_tap = Signal()
        ends_line = Signal()
        ends_block = Signal()
        m.d.comb += [
            begins.eq(~self.active | self.final),
            moves.eq(~self.active | self.step),
            ends_tap.eq(~self.active | (self.step & self.last)),
            ends_line.eq(~self.active | (self.step & self.last & last_x)),
            ends_block.eq(~self.active | (self.step & self.last & last_x & last_y)),
        ]
        with m.If(moves):
            with m.If(begins):
                m.d.sync += [
                    current.eq(new),
                    self.overwrite.eq(~new.accumulate[0]),
                    vectors_left.eq(new.count),
                    self.sum_address.eq(new.accumulator_base),
                    self.first.eq(1),
                    self.last.eq(new.count == 1),
                    column.eq(new.first),
                    before_last.eq(new.last - new.stride_x),
                    wraps.eq(new.first == new.last),
                    row_address.eq(new.input_base),
                    row_top.eq(new.top),
                    one_vector.eq(new.count == 1),
                    one_column.eq(new.last == 0),
                    one_x.eq(new.kernel_width == 1),
                    one_y.eq(new.kernel_height == 1),
                    begins_wrapped.eq(new.first == new.last),
                    self.final.eq(
                        (new.count == 1) & (new.kernel_width == 1) & (new.kernel_height == 1) & (new.blocks == 1)
                    ),
                ]
            with m.Elif(self.last):
                m.d.sync += [
                    self.overwrite.eq(0),
                    vectors_left.eq(current.count),
                    self.sum_address.eq(current.accumulator_base),
                    self.first.eq(1),
                    self.last.eq(one_vector),
                    column.eq(current.first),
                    wraps.eq(begins_wrapped),
                    row_address.eq(next_address),
                    row_top.eq(next_top),
                    # Foreseen as ``last``, as whether another instruction starts hangs on it.
                    self.final.eq(
                        one_vector
                        & Mux(
                            last_x,
                            one_x & Mux(last_y, one_y & (blocks_left == 2), (taps_y_left == 2) & last_block),
                            (taps_x_left == 2) & last_y & last_block,
                        )
                    ),
                ]
            with m.Else():
                m.d.sync += [
                    vectors_left.eq(vectors_left - 1),
                    self.sum_address.eq(self.sum_address + 1),
                    self.first.eq(0),
                    self.last.eq(vectors_left == 2),
                    column.eq(Mux(wraps, 0, column + current.stride_x)),
                    wraps.eq(Mux(wraps, one_column, column == before_last)),
                    self.final.eq((vectors_left == 2) & last_x & last_y & last_block),
                ]
                with m.If(wraps):
                    m.d.sync += [
                        row_address.eq(row_address + current.row_pitch),
                        row_top.eq(row_top + current.stride_y),
                    ]
        with m.If(ends_tap):
            with m.If(begins):
                m.d.sync += [
                    tap_left.eq(new.left),
                    tap_top.eq(new.top),
                    beside.eq(new.input_base + new.tap_pitch),
                    left_beside.eq(new.left + new.tap_pitch),
                    top_below.eq(new.top + new.dilation_y),
                    taps_x_left.eq(new.kernel_width),
                    last_x.eq(new.kernel_width == 1),
                ]
            with m.Else():
                m.d.sync += [
                    tap_left.eq(next_left),
                    tap_top.eq(next_top),
                    beside.eq(next_address + current.tap_pitch),
                    left_beside.eq(next_left + current.tap_pitch),
                    top_below.eq(next_top + current.dilation_y),
                    taps_x_left.eq(Mux(last_x, current.kernel_width, taps_x_left - 1)),
                    last_x.eq(Mux(last_x, one_x, taps_x_left == 2)),
                ]
        with m.If(ends_line):
            with m.If(begins):
                m.d.sync += [
                    below.eq(new.input_base + new.tap_row_pitch),
                    taps_y_left.eq(new.kernel_height),
                    last_y.eq(new.kernel_height == 1),
                ]
            with m.Else():
                m.d.sync += [
                    below.eq(next_address + current.tap_row_pitch),
                    taps_y_left.eq(Mux(last_y, current.kernel_height, taps_y_left - 1)),
                    last_y.eq(Mux(last_y, one_y, taps_y_left == 2)),
                ]
        with m.If(ends_block):
            with m.If(begins):
                m.d.sync += [
                    behind.eq(new.input_base + new.block_pitch),
                    blocks_left.eq(new.blocks),
                    last_block.eq(new.blocks == 1),
                ]
            with m.Else():
                m.d.sync += [
                    behind.eq(next_address + current.block_pitch),
                    blocks_left.eq(blocks_left - 1),
                    last_block.eq(blocks_left == 2),
                ]
        return m
