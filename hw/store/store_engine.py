"""The store engine: accumulators through the requantiser to memory."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from wingrid.hw.config import ADDRESS_BITS, AcceleratorConfig
from wingrid.hw.control.fetch_engine import dispatched
from wingrid.hw.control.semaphores import satisfied
from wingrid.hw.isa import PARAMETER_BYTES, PARAMETER_LAYOUT, PC_BITS, Semaphore, Store
from wingrid.hw.store.output_buffer import SEGMENT
from wingrid.hw.winograd_matrices import winograd


class StoreEngine(wiring.Component):
    """Carries out STORE instructions in order: parameters, then segment by segment of neighbouring tiles.

    A pixel of direct convolution is a tile of one. Reading the parameters takes ``PARAMETER_BYTES``
    cycles. A segment takes a cycle to measure, one or more to hand to the output buffer (until it has
    room for all of it), and one for each accumulator to read, positions of a tile or of a pooling
    window fastest. The last read signals the semaphores. The next instruction may change ``tile`` and
    ``parameters`` once ``placed`` says that every result has left the output path.

    Members
    -------
    instruction : In, stream of ``dispatched(Store)``
        Taken as it starts.
    available : In, len(Semaphore)
    take : Out, len(Semaphore)
    signal : Out, len(Semaphore)
    parameter_address : Out, range(parameter_entries)
    parameter_data : In, 8 * cols
        The parameter buffer's entry, one cycle after its address.
    parameters : Out, cols x ``PARAMETER_LAYOUT``
    tile : Out, 8
    pool : Out, 8
    zero_point : Out, signed(8)
    minimum : Out, signed(8)
    maximum : Out, signed(8)
        These six hold from an instruction's first read accumulator until every result is placed.
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
    measure_cycles = 1
    """Cycles before each segment."""

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
                "zero_point": Out(signed(8)),
                "minimum": Out(signed(8)),
                "maximum": Out(signed(8)),
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
        current = Signal(Store.layout())
        plane = Signal(range(PARAMETER_BYTES))
        plane_arrives = Signal()
        column, lines_left, tiles_left = Signal(16), Signal(16), Signal(16)
        row_address = Signal(ADDRESS_BITS)

        m.d.comb += [
            self.tile.eq(current.tile),
            self.pool.eq(current.pool),
            self.zero_point.eq(current.zero_point),
            self.minimum.eq(current.minimum),
            self.maximum.eq(current.maximum),
            self.drain_bank.eq(current.bank[0]),
            self.parameter_address.eq(Cat(plane, current.parameter_block)),
        ]
        m.d.sync += plane_arrives.eq(0)
        with m.If(plane_arrives):
            for channel in range(config.cols):
                word = self.parameters[channel].as_value()
                byte = self.parameter_data.word_select(channel, 8)
                m.d.sync += word.eq(Cat(word[8:], byte))

        # Numbers that depend on the tile's size, in pixels that leave.
        last_offset, last_position = Signal(2), Signal(8)
        columns_left, row_tiles, most_tiles = Signal(16), Signal(16), Signal(16)
        tiles, pixels, high = Signal(16), Signal(16), Signal(3)
        row_step = Signal(ADDRESS_BITS)
        m.d.comb += columns_left.eq(current.width - column)
        pools = Signal()
        m.d.comb += pools.eq(current.pool > 1)
        with m.Switch(Cat(current.tile, pools)):
            for field, pooled, size, positions in self._sizes:
                places = size.bit_length() - 1
                with m.Case(field | pooled << len(current.tile)):
                    m.d.comb += [
                        last_offset.eq(size - 1),
                        last_position.eq(positions - 1 if field or not pooled else current.pool - 1),
                        row_tiles.eq((columns_left + (size - 1)) >> places),
                        most_tiles.eq(config.segment_tiles(field)),
                        pixels.eq(tiles << places),
                        # Every pixel of direct convolution counts; of tiles, those within ``lines``.
                        high.eq(Mux(lines_left < size, lines_left, size) if field else 1),
                        row_step.eq(current.row_pitch << places),
                    ]
        nearest = Signal(16)
        m.d.comb += [
            nearest.eq(Mux(tiles_left < row_tiles, tiles_left, row_tiles)),
            tiles.eq(Mux(nearest < most_tiles, nearest, most_tiles)),
        ]

        segment = self.segment.payload
        sums = range(config.accumulators)
        tile, x, y = Signal(16), Signal.like(last_position), Signal.like(last_position)
        tile_address, row_sums = Signal(sums), Signal(sums)
        ends_row, row_ended = Signal(), Signal()
        m.d.comb += ends_row.eq(segment.columns == columns_left)
        # From accumulator to accumulator: neighbours in a pooling window, positions of a tile.
        windows = Signal()
        next_sum, next_tile = Signal(sums), Signal(sums)
        m.d.comb += windows.eq(pools & (current.tile == 0))
        with m.If(windows):
            m.d.comb += [
                next_sum.eq(self.drain_address + Mux(x == last_position, current.sum_pitch - last_position, 1)),
                next_tile.eq(
                    Mux((tile == 1) & row_ended, row_sums + current.sum_row_pitch, tile_address + current.pool_stride)
                ),
            ]
        with m.Else():
            m.d.comb += [next_sum.eq(self.drain_address + current.count), next_tile.eq(tile_address + 1)]
        placing = Signal()
        with m.If(self.drained):
            m.d.sync += placing.eq(1)
        with m.Elif(self.ended):
            m.d.sync += placing.eq(0)
        m.d.comb += self.ended.eq(placing & self.placed)
        with m.FSM():
            with m.State("IDLE"):
                start = Signal()
                m.d.comb += [
                    self.idle.eq(~self.instruction.valid),
                    start.eq(
                        self.instruction.valid
                        & self.placed
                        & satisfied(store.wait, self.available, Store.waits)
                        & ~self.halt
                    ),
                    self.instruction.ready.eq(start),
                    self.take.eq(Mux(start, store.wait, 0)),
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
                m.d.sync += [plane.eq(plane + 1), plane_arrives.eq(1)]
                with m.If(plane == PARAMETER_BYTES - 1):
                    m.next = "MEASURE"
            with m.State("MEASURE"):
                m.d.sync += [
                    segment.tiles.eq(tiles),
                    segment.columns.eq(Mux(pixels < columns_left, pixels, columns_left)),
                    segment.lines.eq(high),
                    segment.last_offset.eq(last_offset),
                    segment.address.eq(row_address + column * config.bus_bytes),
                    segment.row_pitch.eq(current.row_pitch),
                    segment.pc.eq(self.pc),
                ]
                m.next = "RESERVE"
            with m.State("RESERVE"):
                m.d.comb += self.segment.valid.eq(~self.halt)
                m.d.sync += [tile.eq(segment.tiles), x.eq(0), y.eq(0), self.drain_address.eq(tile_address)]
                m.d.sync += row_ended.eq(ends_row)
                with m.If(self.segment.valid & self.segment.ready):
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
                m.d.sync += [x.eq(x + 1), self.drain_address.eq(next_sum)]
                with m.If(x == last_position):
                    m.d.sync += [x.eq(0), y.eq(y + 1)]
                with m.If((x == last_position) & (y == last_position)):
                    m.d.sync += [
                        y.eq(0),
                        tile.eq(tile - 1),
                        tile_address.eq(next_tile),
                        self.drain_address.eq(next_tile),
                    ]
                    with m.If(tile == 1):
                        with m.If(row_ended):
                            m.d.sync += row_sums.eq(next_tile)
                        with m.If(tiles_left == 0):
                            m.d.comb += [self.signal.eq(current.signal), self.drained.eq(1)]
                            m.next = "IDLE"
                        with m.Else():
                            m.next = "MEASURE"
        # Lines are at most a tile high.
        m.d.comb += segment.beats.eq(
            sum(Mux(segment.lines[bit], segment.columns << bit, 0) for bit in range(len(segment.lines)))
        )
        return m
