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
    the begins of the taps that may follow, to the side, below and in the next block, rest in registers, together with
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
        with m.If(~self.active | self.step):
            with m.If(~self.active | self.final):
                new = self.instruction
                m.d.sync += [
                    current.eq(new),
                    vectors_left.eq(new.count),
                    self.sum_address.eq(new.accumulator_base),
                    self.overwrite.eq(~new.accumulate[0]),
                    self.first.eq(1),
                    column.eq(new.first),
                    before_last.eq(new.last - new.stride_x),
                    row_address.eq(new.input_base),
                    row_top.eq(new.top),
                    tap_left.eq(new.left),
                    tap_top.eq(new.top),
                    beside.eq(new.input_base + new.tap_pitch),
                    below.eq(new.input_base + new.tap_row_pitch),
                    behind.eq(new.input_base + new.block_pitch),
                    left_beside.eq(new.left + new.tap_pitch),
                    top_below.eq(new.top + new.dilation_y),
                    taps_x_left.eq(new.kernel_width),
                    taps_y_left.eq(new.kernel_height),
                    blocks_left.eq(new.blocks),
                    last_block.eq(new.blocks == 1),
                    one_column.eq(new.last == 0),
                ]
                for flag, one, value in (
                    (self.last, one_vector, new.count == 1),
                    (last_x, one_x, new.kernel_width == 1),
                    (last_y, one_y, new.kernel_height == 1),
                    (wraps, begins_wrapped, new.first == new.last),
                ):
                    m.d.sync += [flag.eq(value), one.eq(value)]
                one_tap = (new.kernel_width == 1) & (new.kernel_height == 1) & (new.blocks == 1)
                m.d.sync += self.final.eq((new.count == 1) & one_tap)
            with m.Else():
                # Foreseen as ``last``, as whether another instruction starts hangs on it.
                m.d.sync += self.final.eq((vectors_left == 2) & last_x & last_y & last_block)
                m.d.sync += [
                    vectors_left.eq(vectors_left - 1),
                    self.sum_address.eq(self.sum_address + 1),
                    self.first.eq(0),
                    self.last.eq(vectors_left == 2),
                    column.eq(column + current.stride_x),
                    wraps.eq(column == before_last),
                ]
                with m.If(wraps):
                    m.d.sync += [
                        column.eq(0),
                        wraps.eq(one_column),
                        row_address.eq(row_address + current.row_pitch),
                        row_top.eq(row_top + current.stride_y),
                    ]
                with m.If(self.last):
                    m.d.sync += [
                        vectors_left.eq(current.count),
                        self.sum_address.eq(current.accumulator_base),
                        self.first.eq(1),
                        self.last.eq(one_vector),
                        self.overwrite.eq(0),
                        column.eq(current.first),
                        wraps.eq(begins_wrapped),
                        row_address.eq(next_address),
                        row_top.eq(next_top),
                        tap_left.eq(next_left),
                        tap_top.eq(next_top),
                        beside.eq(next_address + current.tap_pitch),
                        left_beside.eq(next_left + current.tap_pitch),
                        top_below.eq(next_top + current.dilation_y),
                        taps_x_left.eq(taps_x_left - 1),
                        last_x.eq(taps_x_left == 2),
                        self.final.eq(one_vector & (taps_x_left == 2) & last_y & last_block),
                    ]
                    with m.If(last_x):
                        m.d.sync += [
                            taps_x_left.eq(current.kernel_width),
                            last_x.eq(one_x),
                            taps_y_left.eq(taps_y_left - 1),
                            last_y.eq(taps_y_left == 2),
                            self.final.eq(one_vector & one_x & (taps_y_left == 2) & last_block),
                            below.eq(next_address + current.tap_row_pitch),
                        ]
                        with m.If(last_y):
                            m.d.sync += [
                                taps_y_left.eq(current.kernel_height),
                                last_y.eq(one_y),
                                blocks_left.eq(blocks_left - 1),
                                last_block.eq(blocks_left == 2),
                                self.final.eq(one_vector & one_x & one_y & (blocks_left == 2)),
                                behind.eq(next_address + current.block_pitch),
                            ]
        return m
