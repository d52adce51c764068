"""The output buffer: puts the pixels of tiles in raster order, so that they leave in long bursts."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory, WritePort
from amaranth.lib.wiring import In, Out

from wingrid.hw.bus.burst import burst_beats
from wingrid.hw.bus.write_master import WRITE_REQUEST
from wingrid.hw.config import ADDRESS_BITS, AcceleratorConfig
from wingrid.hw.isa import PC_BITS
from wingrid.hw.queue import Queue
from wingrid.hw.ram_style import RamStyle
from wingrid.hw.store.requantiser import results_layout

SEGMENT = data.StructLayout(
    {
        "last_offset": 2,
        "columns": 16,
        "lines": 3,
        "beats": 16,
        "tiles": 16,
        "address": ADDRESS_BITS,
        "row_pitch": ADDRESS_BITS,
        "pc": PC_BITS,
    }
)
"""Neighbouring tiles of ``last_offset`` + 1 pixels squared. ``columns`` x ``lines`` = ``beats`` of their pixels count;
the first one goes to byte ``address``, and rows are ``row_pitch`` bytes apart."""

PLACE = data.StructLayout({name: SEGMENT[name].shape for name in ("last_offset", "columns", "lines", "tiles")})


class OutputBuffer(wiring.Component):
    """A ring of ``config.output_buffer`` beats between the requantiser and the write master.

    A segment is taken when there is room for all of its pixels. Then its results come, tile after
    tile, each in raster order; pixels that don't count are dropped. When the last one is in place, the
    segment's rows are requested as bursts, in the order in which they lie in the ring. A segment of no lines, whose
    results are all dropped, takes a cycle and no request.

    Members
    -------
    segment : In, stream of ``SEGMENT``
    results : In, ``results_layout(config)``
        Results of the segments taken, in order. No back-pressure.
    request : Out, stream of ``WRITE_REQUEST``
    beat : Out, 8 * bus_bytes
        The oldest beat in the ring.
    next_beat : In, 1
        The oldest beat is taken; ``beat`` is the next one in the cycle after.
    released : In, 1
        A burst has left, and its room is free.
    released_beats : In, 9
        Length of that burst.
    placed : Out, 1
        No results are expected.
    idle : Out, 1
        Every segment is requested.
    """

    placing_segments = 2
    """Segments whose results may be expected at once."""
    leaving_segments = 4
    """Segments that may be in the ring without being requested."""

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        super().__init__(
            {
                "segment": In(stream.Signature(SEGMENT)),
                "results": In(results_layout(config)),
                "request": Out(stream.Signature(WRITE_REQUEST)),
                "beat": Out(8 * config.bus_bytes),
                "next_beat": In(1),
                "released": In(1),
                "released_beats": In(9),
                "placed": Out(1),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        config = self._config
        m = Module()
        m.submodules.placing = placing = Queue(PLACE, self.placing_segments)
        m.submodules.leaving = leaving = Queue(SEGMENT, self.leaving_segments)
        m.submodules.memory = memory = Memory(
            shape=8 * config.bus_bytes, depth=config.output_buffer, init=[], attrs=RamStyle.BLOCK.attributes
        )
        write, read = memory.write_port(), memory.read_port()

        reserved = Signal(range(config.output_buffer + 1))
        accepted = Signal()
        m.d.comb += [
            self.segment.ready.eq(
                (self.segment.payload.beats <= config.output_buffer - reserved)
                & placing.input.ready
                & leaving.input.ready
            ),
            accepted.eq(self.segment.valid & self.segment.ready),
            placing.input.valid.eq(accepted),
            leaving.input.valid.eq(accepted),
            leaving.input.payload.eq(self.segment.payload),
        ]
        m.d.comb += [placing.input.payload[name].eq(self.segment.payload[name]) for name, _ in PLACE]
        m.d.sync += reserved.eq(
            reserved + Mux(accepted, self.segment.payload.beats, 0) - Mux(self.released, self.released_beats, 0)
        )

        done = self._place(m, placing, write)
        self._request(m, leaving, done)

        oldest = Signal(range(config.output_buffer))
        following = Signal(range(config.output_buffer))
        m.d.comb += [following.eq(oldest + self.next_beat), read.addr.eq(following), self.beat.eq(read.data)]
        m.d.sync += oldest.eq(following)
        m.d.comb += [self.placed.eq(placing.level == 0), self.idle.eq(leaving.level == 0)]
        return m

    def _place(self, m: Module, placing: Queue, write: WritePort) -> Signal:
        """Write each result to its place in the ring; returns the pulse that ends a segment."""
        config = self._config
        segment = placing.output.payload
        ring = range(config.output_buffer)
        base, line = Signal(ring), Signal(ring)
        column, x, y, tile = Signal(16), Signal(2), Signal(2), Signal(16)
        done, ends_line, ends_tile = Signal(), Signal(), Signal()
        m.d.comb += [
            write.addr.eq(line + x),
            write.data.eq(self.results.lanes.as_value()),
            write.en.eq(self.results.valid & (column + x < segment.columns) & (y < segment.lines)),
            ends_line.eq(x == segment.last_offset),
            ends_tile.eq(ends_line & (y == segment.last_offset)),
            done.eq(self.results.valid & ends_tile & (tile == segment.tiles - 1)),
            placing.output.ready.eq(done),
        ]
        next_column, next_base, area = Signal(16), Signal(ring), Signal(16)
        m.d.comb += [
            next_column.eq(column + segment.last_offset + 1),
            # Lines are at most a tile high.
            area.eq(sum(Mux(segment.lines[bit], segment.columns << bit, 0) for bit in range(len(segment.lines)))),
            next_base.eq(base + area),
        ]
        with m.If(self.results.valid):
            m.d.sync += x.eq(x + 1)
            with m.If(ends_line):
                m.d.sync += [x.eq(0), y.eq(y + 1), line.eq(line + segment.columns)]
            with m.If(ends_tile):
                m.d.sync += [y.eq(0), tile.eq(tile + 1), column.eq(next_column), line.eq(base + next_column)]
            with m.If(done):
                m.d.sync += [tile.eq(0), column.eq(0), base.eq(next_base), line.eq(next_base)]
        return done

    def _request(self, m: Module, leaving: Queue, done: Signal) -> None:
        """Request the bursts of placed segments, line after line."""
        config = self._config
        segment = leaving.output.payload
        ready_segments = Signal(range(leaving.depth + 1))
        fresh = Signal(init=1)
        saved_address, saved_line = Signal(ADDRESS_BITS), Signal(ADDRESS_BITS)
        saved_left, saved_lines = Signal(16), Signal(3)
        address, line, left, lines = Signal(ADDRESS_BITS), Signal(ADDRESS_BITS), Signal(16), Signal(3)
        m.d.comb += [
            address.eq(Mux(fresh, segment.address, saved_address)),
            line.eq(Mux(fresh, segment.address, saved_line)),
            left.eq(Mux(fresh, segment.columns, saved_left)),
            lines.eq(Mux(fresh, segment.lines, saved_lines)),
        ]
        beats = burst_beats(m, config, address, left)
        requested, finished, nothing = Signal(), Signal(), Signal()
        m.d.comb += [
            nothing.eq((ready_segments != 0) & (segment.lines == 0)),
            self.request.valid.eq((ready_segments != 0) & ~nothing),
            self.request.payload.address.eq(address),
            self.request.payload.beats.eq(beats),
            self.request.payload.pc.eq(segment.pc),
            requested.eq(self.request.valid & self.request.ready),
            finished.eq(nothing | (requested & (beats == left) & (lines == 1))),
            leaving.output.ready.eq(finished),
        ]
        m.d.sync += ready_segments.eq(ready_segments + done - finished)
        with m.If(requested):
            m.d.sync += fresh.eq(finished)
            with m.If(beats == left):
                m.d.sync += [
                    saved_address.eq(line + segment.row_pitch),
                    saved_line.eq(line + segment.row_pitch),
                    saved_left.eq(segment.columns),
                    saved_lines.eq(lines - 1),
                ]
            with m.Else():
                m.d.sync += [
                    saved_address.eq(address + beats * config.bus_bytes),
                    saved_line.eq(line),
                    saved_left.eq(left - beats),
                    saved_lines.eq(lines),
                ]
