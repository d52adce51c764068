"""The output buffer: puts the pixels of tiles in raster order, so that they leave in long bursts."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from wingrid.hw.block_memory import BlockMemory
from wingrid.hw.bus.bursts import Bursts
from wingrid.hw.bus.write_master import write_request
from wingrid.hw.config import OFFSET_BITS, AcceleratorConfig
from wingrid.hw.isa import PC_BITS, PIXEL_PITCH_BITS
from wingrid.hw.queue import Queue
from wingrid.hw.store.requantiser import results_layout
from wingrid.hw.tally import tally

SEGMENT = data.StructLayout(
    {
        "last_offset": 2,
        "columns": 16,
        "lines": 3,
        "beats": 16,
        "tiles": 16,
        "address": OFFSET_BITS,
        "pixel_pitch": PIXEL_PITCH_BITS,
        "row_pitch": OFFSET_BITS,
        "pc": PC_BITS,
    }
)
"""Neighbouring tiles of ``last_offset`` + 1 pixels squared. ``columns`` x ``lines`` = ``beats`` of their pixels count;
the first one goes to byte ``address`` from BASE. Rows are ``row_pitch`` bytes apart, and pixels of a row
``pixel_pitch`` beats; if that is more than 1, there is a single row of up to ``config.burst_beats``."""

PLACE = data.StructLayout({name: SEGMENT[name].shape for name in ("last_offset", "columns", "lines", "tiles", "beats")})


def area(columns: Value, lines: Value) -> Value:
    """``columns`` x ``lines``, of which there are up to 4: as many as a tile is high."""
    return Mux(lines[2], columns << 2, Mux(lines[0], columns, 0) + Mux(lines[1], columns << 1, 0))


class OutputBuffer(wiring.Component):
    """A ring of ``config.output_buffer`` beats between the requantiser and the write master.

    A segment is taken when half of the ring is free, which is room for any (``config.segment_tiles``). Then its results
    come, tile after tile, each in raster order, the first one two cycles later or more; pixels that don't count are
    dropped. When the last one is in place, the segment's rows are requested as bursts (``Bursts``), in the order in
    which they lie in the ring; pixels that lie apart, as a burst each. A segment of no lines, whose results are all
    dropped, takes a cycle and no request.

    Members
    -------
    base : In, address_bits
        Byte address that those of segments count from, a multiple of 4096; steady until all are requested.
    segment : In, stream of ``SEGMENT``
    results : In, ``results_layout(config)``
        Results of the segments taken, in order. No back-pressure.
    request : Out, stream of ``write_request(config)``
    read_next : In, 1
        The oldest beat leaves the ring.
    beat : Out, 8 * bus_bytes
        The last one that left, from the cycle after ``read_next`` on.
    released : In, 1
        A burst has left, and its room is free.
    released_beats : In, 9
        Length of that burst.
    placed : Out, 1
        No results are expected.
    idle : Out, 1
        Every segment is requested.
    """

    placing_segments = 3
    """Segments whose results may be expected at once: one in registers, the others in a queue."""
    leaving_segments = 4
    """Segments that may be in the ring and wait for the bursts of those before."""
    room_latency = 2
    """Cycles from the end of a burst to the first in which its room counts."""

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        # What counts of a segment takes half of the ring at most.
        self.bursts = Bursts(config, bits_for(config.output_buffer // 2), SEGMENT["lines"].width)
        super().__init__(
            {
                "base": In(config.address_bits),
                "segment": In(stream.Signature(SEGMENT)),
                "results": In(results_layout(config)),
                "request": Out(stream.Signature(write_request(config))),
                "beat": Out(8 * config.bus_bytes),
                "read_next": In(1),
                "released": In(1),
                "released_beats": In(9),
                "placed": Out(1),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        config = self._config
        m = Module()
        m.submodules.placing = placing = Queue(PLACE, self.placing_segments - 1)
        # Whether a segment is empty is worked out as it enters.
        m.submodules.leaving = leaving = Queue(
            data.StructLayout({"segment": SEGMENT, "empty": 1}), self.leaving_segments
        )
        # The oldest beat is read again in every cycle until it leaves, long after it was written.
        m.submodules.memory = memory = BlockMemory(8 * config.bus_bytes, config.output_buffer)

        free = Signal(range(config.output_buffer + 1), init=config.output_buffer)
        roomy = Signal()
        recent = Signal()
        accepted = Signal()
        m.d.comb += [
            self.segment.ready.eq(roomy & ~recent & placing.input.ready & leaving.input.ready),
            accepted.eq(self.segment.valid & self.segment.ready),
            placing.input.valid.eq(accepted),
            leaving.input.valid.eq(accepted),
            leaving.input.payload.segment.eq(self.segment.payload),
            leaving.input.payload.empty.eq(self.segment.payload.lines == 0),
        ]
        m.d.comb += [placing.input.payload[name].eq(self.segment.payload[name]) for name, _ in PLACE]
        # ``roomy`` knows of a segment two cycles after it was taken.
        m.d.sync += [
            recent.eq(accepted),
            roomy.eq(free >= config.output_buffer // 2),
            free.eq(free - Mux(accepted, self.segment.payload.beats, 0) + Mux(self.released, self.released_beats, 0)),
        ]

        done = self._place(m, placing, memory)
        self._request(m, leaving, done)

        oldest = Signal(range(config.output_buffer))
        second = Signal(range(config.output_buffer), init=1)
        beat = Signal.like(self.beat, reset_less=True)
        m.d.comb += [
            self.beat.eq(beat),
            memory.read_enable.eq(1),
            memory.read_address.eq(Mux(self.read_next, second, oldest)),
        ]
        with m.If(self.read_next):
            m.d.sync += [beat.eq(memory.read_data), oldest.eq(second), second.eq(second + 1)]
        return m

    def _place(self, m: Module, placing: Queue, memory: BlockMemory) -> Signal:
        """Write each result to its place in the ring; returns the pulse that ends a segment."""
        config = self._config
        following = placing.output.payload
        segment = Signal(PLACE)
        expecting = Signal()
        ring = range(config.output_buffer)
        base = Signal(ring)
        tile_base = Signal(ring)
        line = Signal(ring)
        side = Signal(3)
        columns_left = Signal(16)
        tiles_left = Signal(16)
        last_tile = Signal()
        x = Signal(2)
        y = Signal(2)
        done = Signal()
        # Whether the next result is the last one of its line, that line the last of its tile, and a tile one pixel.
        ends_line = Signal()
        last_line = Signal()
        one_pixel = Signal()
        ends_tile = Signal()
        fetch = Signal()
        next_base = Signal(ring)
        next_tile = Signal(ring)
        m.d.comb += [
            memory.write_address.eq(line + x),
            memory.write_data.eq(self.results.lanes.as_value()),
            memory.write_enable.eq(self.results.valid & (x < columns_left) & (y < segment.lines)),
            ends_tile.eq(ends_line & last_line),
            done.eq(self.results.valid & ends_tile & last_tile),
            fetch.eq(done | ~expecting),
            placing.output.ready.eq(fetch),
            self.placed.eq(~expecting & placing.holds[0]),
            next_base.eq(base + segment.beats),
            next_tile.eq(tile_base + side),
        ]
        with m.If(self.results.valid):
            m.d.sync += [x.eq(x + 1), ends_line.eq(x + 1 == segment.last_offset)]
            with m.If(ends_line):
                m.d.sync += [
                    x.eq(0),
                    ends_line.eq(one_pixel),
                    y.eq(y + 1),
                    last_line.eq(y + 1 == segment.last_offset),
                    line.eq(line + segment.columns),
                ]
            with m.If(ends_tile):
                m.d.sync += [y.eq(0), last_line.eq(one_pixel), tile_base.eq(next_tile), line.eq(next_tile)]
                with m.If(~last_tile):
                    m.d.sync += [
                        # The last tile may be cut off, the others are whole.
                        columns_left.eq(columns_left - side),
                        tiles_left.eq(tiles_left - 1),
                        last_tile.eq(tiles_left == 2),
                    ]
            with m.If(done):
                m.d.sync += [base.eq(next_base), tile_base.eq(next_base), line.eq(next_base)]
        with m.If(fetch):
            m.d.sync += [
                expecting.eq(placing.output.valid),
                segment.eq(following),
                side.eq(following.last_offset + 1),
                columns_left.eq(following.columns),
                tiles_left.eq(following.tiles),
                last_tile.eq(following.tiles == 1),
                *(flag.eq(following.last_offset == 0) for flag in (one_pixel, ends_line, last_line)),
            ]
        return done

    def _request(self, m: Module, leaving: Queue, done: Signal) -> None:
        """Request the bursts of placed segments, line after line."""
        segment, empty = leaving.output.payload.segment, leaving.output.payload.empty
        m.submodules.bursts = bursts = self.bursts
        descriptor, burst = bursts.descriptor, bursts.burst
        leaves = Signal()
        complete = tally(m, "complete", leaving.depth, done, leaves)
        pc = Signal(PC_BITS)
        m.d.comb += [
            bursts.base.eq(self.base),
            descriptor.valid.eq(~complete[0] & ~empty),
            descriptor.p.address.eq(segment.address),
            descriptor.p.beats.eq(segment.columns),
            descriptor.p.beat_pitch.eq(segment.pixel_pitch),
            descriptor.p.pitch.eq(segment.row_pitch),
            descriptor.p.runs.eq(segment.lines),
            leaves.eq(~complete[0] & (empty | descriptor.ready)),
            leaving.output.ready.eq(leaves),
            self.request.valid.eq(burst.valid),
            burst.ready.eq(self.request.ready),
            self.request.payload.address.eq(burst.p.address),
            self.request.payload.beats.eq(burst.p.beats),
            self.request.payload.beat_pitch.eq(burst.p.beat_pitch),
            self.request.payload.apart.eq(burst.p.apart),
            self.request.payload.pc.eq(pc),
            self.idle.eq(leaving.holds[0] & bursts.idle),
        ]
        with m.If(descriptor.valid & descriptor.ready):
            m.d.sync += pc.eq(segment.pc)
