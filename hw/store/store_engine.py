"""The store engine: accumulators through the requantiser to memory."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Shape, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from wingrid.hw.config import OFFSET_BITS, AcceleratorConfig
from wingrid.hw.control.fetch_engine import dispatched
from wingrid.hw.control.semaphores import satisfied
from wingrid.hw.isa import FACTOR_BITS, PARAMETER_BYTES, PC_BITS, PIXEL_PITCH_BITS, Combining, Semaphore, Store
from wingrid.hw.layouts import PARAMETER_LAYOUT, layout_of
from wingrid.hw.load.operand_buffers import OperandBuffers
from wingrid.hw.store.output_buffer import SEGMENT, area
from wingrid.hw.winograd_matrices import winograd


class StoreEngine(wiring.Component):
    """Carries out STORE instructions in order: parameters, then segment by segment of neighbouring tiles.

    A pixel of direct convolution is a tile of one. Reading the parameters takes ``PARAMETER_BYTES`` cycles. A
    segment takes one cycle or more to hand to the output buffer (until it has room for all of it), and one for each
    accumulator to read, positions of a tile or of a pooling window fastest. It is measured in ``measure_cycles``,
    while the parameters arrive or the segment before it drains. The last read signals the semaphores;
    PARAMETERS_RELEASED waits until the last result is placed if results are looked up in a table, or combined with
    another tensor. The next instruction may change ``tile`` and ``parameters`` once ``placed`` says that every result
    has left the output path.

    Members
    -------
    instruction : In, stream of ``dispatched(Store)``
        Taken as it starts.
    available : In, len(Semaphore)
    take : Out, len(Semaphore)
    signal : Out, len(Semaphore)
    parameter_address : Out, range(parameter_entries)
    parameter_data : In, 8 * cols
        The parameter buffer's entry, ``OperandBuffers.read_latency`` cycles after its address.
    parameters : Out, cols x ``PARAMETER_LAYOUT``
    tile : Out, 8
    pool : Out, 8
    table : Out, 16
    zero_point : Out, signed(8)
    minimum : Out, signed(8)
    maximum : Out, signed(8)
    combination : Out, Combining
    factor : Out, signed(FACTOR_BITS)
    addend_factor : Out, signed(FACTOR_BITS)
    offset : Out, signed(32)
    result_zero : Out, signed(8)
    addend_zero : Out, signed(8)
    addend_base : Out, 16
    broadcast : Out, 1
        All of these hold from an instruction's first read accumulator until every result is placed.
    rewind : Out, 1
        An instruction has started, and has read no accumulator.
    drain_enable : Out, 1
        An accumulator is read.
    drain_bank : Out, 1
    drain_address : Out, range(accumulators)
    segment : Out, stream of ``SEGMENT``
    placed : In, 1
        The output buffer expects no results.
    halt : In, 1
        Nothing starts, neither an instruction nor a segment.
    idle : Out, 1
        No instruction is queued or under way; one whose results are not placed yet counts as over.
    drained : Out, 1
        Last read of an instruction.
    ended : Out, 1
        The last result of an instruction is placed.
    pc : Out, PC_BITS
        Index of the instruction under way.
    """

    parameter_cycles = PARAMETER_BYTES
    """Cycles after the start of an instruction, one for each plane of parameters."""
    start_latency = 1
    """Cycles from the first in which an instruction may start to its start."""
    measure_cycles = 5
    """Cycles from the start, or from handing over a segment, to the first in which the next can be handed over."""

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        super().__init__(
            {
                "instruction": In(stream.Signature(dispatched(Store))),
                "available": In(len(Semaphore)),
                "take": Out(len(Semaphore)),
                "signal": Out(len(Semaphore)),
                "parameter_address": Out(range(config.parameter_entries)),
                "parameter_data": In(8 * config.cols),
                "parameters": Out(data.ArrayLayout(PARAMETER_LAYOUT, config.cols)),
                "tile": Out(8),
                "pool": Out(8),
                "table": Out(16),
                "zero_point": Out(signed(8)),
                "minimum": Out(signed(8)),
                "maximum": Out(signed(8)),
                "combination": Out(Combining),
                "factor": Out(signed(FACTOR_BITS)),
                "addend_factor": Out(signed(FACTOR_BITS)),
                "offset": Out(signed(32)),
                "result_zero": Out(signed(8)),
                "addend_zero": Out(signed(8)),
                "addend_base": Out(16),
                "broadcast": Out(1),
                "rewind": Out(1),
                "drain_enable": Out(1),
                "drain_bank": Out(1),
                "drain_address": Out(range(config.accumulators)),
                "segment": Out(stream.Signature(SEGMENT)),
                "placed": In(1),
                "halt": In(1),
                "idle": Out(1),
                "drained": Out(1),
                "ended": Out(1),
                "pc": Out(PC_BITS),
            }
        )

    @property
    def _sizes(self) -> list[tuple[int, int, int, int]]:
        """For each tile, as it is and pooled: its size along an axis in pixels that leave, and in accumulators.

        A pixel of direct convolution is one of each; its pooling windows are counted apart.
        """
        tiles = self._config.tiles
        return [
            (0, 0, 1, 1),
            (0, 1, 1, 1),
            *((tile, 0, tile, winograd(tile).patch) for tile in tiles),
            *((tile, 1, tile // 2, winograd(tile).patch) for tile in tiles),
        ]

    def elaborate(self, platform: object) -> Module:
        config = self._config
        m = Module()
        store = self.instruction.payload.instruction
        current = Signal(layout_of(Store))
        plane = Signal(range(PARAMETER_BYTES))
        plane_arrives = Signal(OperandBuffers.read_latency)
        column = Signal(16)
        lines_left = Signal(16)
        tiles_left = Signal(16)
        row_address = Signal(OFFSET_BITS)
        plane_asked = Signal()
        combination = current.combination[: Shape.cast(Combining).width]

        m.d.comb += [
            self.tile.eq(current.tile),
            self.pool.eq(current.pool),
            self.table.eq(current.table),
            self.zero_point.eq(current.zero_point),
            self.minimum.eq(current.minimum),
            self.maximum.eq(current.maximum),
            self.combination.eq(combination),
            self.factor.eq(current.factor),
            self.addend_factor.eq(current.addend_factor),
            self.offset.eq(current.offset),
            self.result_zero.eq(current.result_zero),
            self.addend_zero.eq(current.addend_zero),
            self.addend_base.eq(current.addend_base),
            self.broadcast.eq(current.broadcast[0]),
            self.rewind.eq(plane_asked),
            self.drain_bank.eq(current.bank[0]),
            self.parameter_address.eq(Cat(plane, current.parameter_block)),
        ]
        m.d.sync += plane_arrives.eq(Cat(plane_asked, plane_arrives))
        with m.If(plane_arrives[-1]):
            for channel in range(config.cols):
                word = self.parameters[channel].as_value()
                byte = self.parameter_data.word_select(channel, 8)
                m.d.sync += word.eq(Cat(word[8:], byte))

        # What depends on the instruction alone stands in registers before its parameters are there.
        last_offset = Signal(2)
        last_position = Signal(8)
        most_tiles = Signal(16)
        places = Signal(2)
        row_step = Signal(OFFSET_BITS)
        pixel_pitch = Signal(PIXEL_PITCH_BITS)
        pools = Signal()
        windows = Signal()
        m.d.sync += [pools.eq(current.pool > 1), windows.eq(pools & (current.tile == 0))]
        with m.Switch(Cat(current.tile, pools)):
            for field, pooled, size, positions in self._sizes:
                shift = size.bit_length() - 1
                with m.Case(field | pooled << len(current.tile)):
                    m.d.sync += [
                        last_offset.eq(size - 1),
                        last_position.eq(positions - 1 if field or not pooled else current.pool - 1),
                        most_tiles.eq(config.segment_tiles(field)),
                        places.eq(shift),
                    ]
        m.d.sync += [
            row_step.eq(current.row_pitch << places),
            pixel_pitch.eq(Mux(current.pixel_pitch == 0, 1, current.pixel_pitch)),
        ]

        # The next segment, a register behind each step: what is left of the row; how many tiles that is, and the most
        # that may go; the lesser of them; beats. All of it is right ``measure_cycles`` after it has ``moved``.
        segment = self.segment.payload
        moved = Signal()
        age = Signal(self.measure_cycles - 1)
        columns_left = Signal(16)
        row_tiles = Signal(16)
        allowed = Signal(16)
        ends_row = Signal()
        # Beats from a row's first pixel to ``column``: a sum for each two bits of the pitch, and the sum of these.
        pairs = [Signal(len(column) + 2, name=f"beats_by_bits_{low}") for low in range(0, PIXEL_PITCH_BITS, 2)]
        beats_before = Signal(len(column) + PIXEL_PITCH_BITS)
        fits = Signal()
        size = Signal(3)
        m.d.comb += [fits.eq(row_tiles <= allowed), size.eq(last_offset + 1)]
        m.d.sync += [
            age.eq(Mux(moved, 0, Cat(1, age))),
            columns_left.eq(current.width - column),
            row_tiles.eq((columns_left + last_offset) >> places),
            allowed.eq(Mux(tiles_left < most_tiles, tiles_left, most_tiles)),
            ends_row.eq(fits),
            segment.tiles.eq(Mux(fits, row_tiles, allowed)),
            segment.columns.eq(Mux(fits, columns_left, allowed << places)),
            # Every pixel of direct convolution counts; of tiles, those within ``lines``.
            segment.lines.eq(Mux(current.tile == 0, 1, Mux(lines_left < size, lines_left, size))),
            segment.beats.eq(area(segment.columns, segment.lines)),
            segment.last_offset.eq(last_offset),
            *(
                pair.eq(sum(Mux(pixel_pitch[2 * number + bit], column << bit, 0) for bit in range(2)))
                for number, pair in enumerate(pairs)
            ),
            beats_before.eq(sum(pair << 2 * number for number, pair in enumerate(pairs))),
            segment.address.eq(row_address + beats_before * config.bus_bytes),
        ]
        m.d.comb += [
            segment.pixel_pitch.eq(pixel_pitch),
            segment.row_pitch.eq(current.row_pitch),
            segment.pc.eq(self.pc),
        ]

        sums = range(config.accumulators)
        tile = Signal(16)
        x = Signal.like(last_position)
        y = Signal.like(last_position)
        # Whether they stand at the last position, and whether there is but one.
        last_x = Signal()
        last_y = Signal()
        one_position = Signal()
        last_tile = Signal()
        last_segment = Signal()
        row_ended = Signal()
        tile_address = Signal(sums)
        row_sums = Signal(sums)
        # From accumulator to accumulator: neighbours in a pooling window, positions of a tile.
        step = Signal(sums)
        line_step = Signal(16)
        tile_step = Signal(16)
        next_sum = Signal(sums)
        next_tile = Signal(sums)
        m.d.sync += [
            step.eq(Mux(windows, 1, current.count)),
            line_step.eq(Mux(windows, current.sum_pitch - last_position, current.count)),
            tile_step.eq(Mux(windows, current.pool_stride, 1)),
            one_position.eq(last_position == 0),
        ]
        m.d.comb += [
            next_sum.eq(self.drain_address + Mux(last_x, line_step, step)),
            next_tile.eq(
                Mux(windows & last_tile & row_ended, row_sums + current.sum_row_pitch, tile_address + tile_step)
            ),
        ]
        placing = Signal()
        with m.If(self.drained):
            m.d.sync += placing.eq(1)
        with m.Elif(self.ended):
            m.d.sync += placing.eq(0)
        m.d.comb += self.ended.eq(placing & self.placed)
        releases_late = Signal()
        m.d.sync += releases_late.eq((current.table != 0) | (combination != Combining.NONE))
        late = Mux(releases_late, 1 << Semaphore.PARAMETERS_RELEASED, 0)
        m.d.comb += self.signal.eq(
            Mux(self.drained, current.signal & ~late, 0) | Mux(self.ended, current.signal & late, 0)
        )
        ready = Signal()
        m.d.sync += ready.eq(0)
        with m.FSM():
            with m.State("IDLE"):
                # Nobody else takes the semaphores that this engine waits for: what may start may do so later, too.
                start = Signal()
                m.d.sync += ready.eq(
                    self.instruction.valid & self.placed & satisfied(store.wait, self.available, Store.waits) & ~start
                )
                m.d.comb += [
                    self.idle.eq(~self.instruction.valid),
                    start.eq(ready & ~self.halt),
                    self.instruction.ready.eq(start),
                    self.take.eq(Mux(start, store.wait, 0)),
                    moved.eq(start),
                ]
                with m.If(start):
                    m.d.sync += [
                        self.pc.eq(self.instruction.payload.pc),
                        current.eq(store),
                        plane.eq(0),
                        tile_address.eq(store.accumulator_base),
                        row_sums.eq(store.accumulator_base),
                        row_address.eq(store.destination),
                        column.eq(store.first),
                        lines_left.eq(store.lines),
                        tiles_left.eq(store.count),
                    ]
                    m.next = "PARAMETERS"
            with m.State("PARAMETERS"):
                m.d.comb += plane_asked.eq(1)
                m.d.sync += plane.eq(plane + 1)
                with m.If(plane == PARAMETER_BYTES - 1):
                    m.next = "RESERVE"
            with m.State("RESERVE"):
                m.d.comb += self.segment.valid.eq(age[-1] & ~self.halt)
                m.d.sync += [
                    tile.eq(segment.tiles),
                    x.eq(0),
                    y.eq(0),
                    last_x.eq(one_position),
                    last_y.eq(one_position),
                    self.drain_address.eq(tile_address),
                    row_ended.eq(ends_row),
                    last_tile.eq(segment.tiles == 1),
                    last_segment.eq(segment.tiles == tiles_left),
                ]
                with m.If(self.segment.valid & self.segment.ready):
                    m.d.comb += moved.eq(1)
                    m.d.sync += [tiles_left.eq(tiles_left - segment.tiles), column.eq(column + segment.columns)]
                    with m.If(ends_row):
                        m.d.sync += [
                            column.eq(0),
                            row_address.eq(row_address + row_step),
                            lines_left.eq(lines_left - segment.lines),
                        ]
                    m.next = "DRAIN"
            with m.State("DRAIN"):
                m.d.comb += self.drain_enable.eq(1)
                m.d.sync += [x.eq(x + 1), last_x.eq(x + 1 == last_position), self.drain_address.eq(next_sum)]
                with m.If(last_x):
                    m.d.sync += [x.eq(0), last_x.eq(one_position), y.eq(y + 1), last_y.eq(y + 1 == last_position)]
                with m.If(last_x & last_y):
                    m.d.sync += [
                        y.eq(0),
                        last_y.eq(one_position),
                        tile.eq(tile - 1),
                        last_tile.eq(tile == 2),
                        tile_address.eq(next_tile),
                        self.drain_address.eq(next_tile),
                    ]
                    with m.If(last_tile):
                        with m.If(row_ended):
                            m.d.sync += row_sums.eq(next_tile)
                        with m.If(last_segment):
                            m.d.comb += self.drained.eq(1)
                            m.next = "IDLE"
                        with m.Else():
                            m.next = "RESERVE"
        return m
