"""The load engine: memory to buffers, many bursts in flight."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from wingrid.hw.bus.bursts import Bursts
from wingrid.hw.bus.read_master import read_beat, read_request
from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.control.fetch_engine import dispatched
from wingrid.hw.control.semaphores import satisfied
from wingrid.hw.isa import PC_BITS, Buffer, Load, Semaphore
from wingrid.hw.load.operand_buffers import BUFFER_ADDRESS_BITS, next_entry
from wingrid.hw.queue import Queue

EXPECTED = data.StructLayout(
    {
        "buffer": range(len(Buffer)),
        "destination": BUFFER_ADDRESS_BITS,
        "row_beats": 32,
        "rows": 32,
        "row_pitch": BUFFER_ADDRESS_BITS,
        "block_pitch": BUFFER_ADDRESS_BITS,
        "signal": len(Semaphore),
        "pc": PC_BITS,
    }
)
"""What the receiver has to know of an instruction."""


class LoadEngine(wiring.Component):
    """Carries out LOAD instructions in order, in two halves that run apart.

    The requester starts an instruction when its semaphores allow, and asks for its bursts (``Bursts``); it goes on to
    the next instruction while data are still coming. The receiver puts
    each arriving beat into its buffer and signals the instruction's semaphores with the last one.

    Members
    -------
    base : In, address_bits
        Byte address that the sources of instructions count from, a multiple of 4096; steady while any is carried out.
    instruction : In, stream of ``dispatched(Load)``
        Taken as it starts.
    available : In, len(Semaphore)
    take : Out, len(Semaphore)
    signal : Out, len(Semaphore)
    request : Out, stream of ``read_request(config)``
    beat : In, ``read_beat(config)``
    write_enable : Out, len(Buffer)
        A bit for each ``Buffer``, in the cycle of the beat.
    write_address : Out, BUFFER_ADDRESS_BITS
    write_data : Out, 8 * bus_bytes
    halt : In, 1
        Nothing is started or requested.
    idle : Out, 1
        Nothing is asked for or expected.
    ended : Out, 1
        The last beat of an instruction has come in this cycle.
    error : Out, 1
        A beat with an error response has come in this cycle.
    error_pc : Out, PC_BITS
        Instruction of the beat.
    """

    start_latency = 1
    """Cycles from the first in which an instruction may start to its start."""

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        self.bursts = Bursts(config, 32, 32)
        super().__init__(
            {
                "base": In(config.address_bits),
                "instruction": In(stream.Signature(dispatched(Load))),
                "available": In(len(Semaphore)),
                "take": Out(len(Semaphore)),
                "signal": Out(len(Semaphore)),
                "request": Out(stream.Signature(read_request(config))),
                "beat": In(read_beat(config)),
                "write_enable": Out(len(Buffer)),
                "write_address": Out(BUFFER_ADDRESS_BITS),
                "write_data": Out(8 * config.bus_bytes),
                "halt": In(1),
                "idle": Out(1),
                "ended": Out(1),
                "error": Out(1),
                "error_pc": Out(PC_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.bursts = bursts = self.bursts
        m.submodules.expected = expected = Queue(EXPECTED, self._config.queue_depth)
        self._request(m, bursts, expected)
        receiving = self._receive(m, expected)
        m.d.comb += self.idle.eq(bursts.idle & expected.holds[0] & ~receiving)
        return m

    def _request(self, m: Module, bursts: Bursts, expected: Queue) -> None:
        load = self.instruction.payload.instruction
        descriptor, burst = bursts.descriptor.payload, bursts.burst
        ready = Signal()
        start = Signal()
        # Nobody else takes the semaphores that this engine waits for, or its room: what may start may do so later, too.
        m.d.sync += ready.eq(
            self.instruction.valid
            & bursts.descriptor.ready
            & expected.input.ready
            & satisfied(load.wait, self.available, Load.waits)
            & ~start
        )
        m.d.comb += [
            start.eq(ready & ~self.halt),
            self.instruction.ready.eq(start),
            self.take.eq(Mux(start, load.wait, 0)),
            expected.input.valid.eq(start),
            expected.input.payload.pc.eq(self.instruction.payload.pc),
            bursts.base.eq(self.base),
            bursts.descriptor.valid.eq(start),
            descriptor.address.eq(load.source),
            descriptor.beats.eq(load.run_beats),
            descriptor.beat_pitch.eq(1),
            descriptor.pitch.eq(load.run_pitch),
            descriptor.runs.eq(load.runs),
            self.request.valid.eq(burst.valid & ~self.halt),
            burst.ready.eq(self.request.ready & ~self.halt),
            self.request.payload.address.eq(burst.payload.address),
            self.request.payload.beats_less_one.eq(burst.payload.beats - 1),
            self.request.payload.final.eq(burst.payload.final),
        ]
        m.d.comb += [expected.input.payload[name].eq(load[name]) for name, _ in EXPECTED if name != "pc"]

    def _receive(self, m: Module, expected: Queue) -> Signal:
        """Put beats in their places; returns whether any are expected by what stands here already."""
        following = expected.output.payload
        head = Signal(EXPECTED)
        receiving = Signal()
        row = Signal(BUFFER_ADDRESS_BITS)
        block = Signal(BUFFER_ADDRESS_BITS)
        beats_left = Signal(32)
        rows_left = Signal(32)
        last_beat = Signal()
        last_row = Signal()
        one_beat = Signal()
        one_row = Signal()
        next_row = Signal(BUFFER_ADDRESS_BITS)
        next_block = Signal(BUFFER_ADDRESS_BITS)
        done = Signal()
        fetch = Signal()
        # The depths of the other buffers are powers of two, and their memories ignore the bits above.
        entry = Mux(
            head.buffer == Buffer.WEIGHTS.value,
            next_entry(self.write_address, self._config.weight_buffer),
            self.write_address + 1,
        )
        m.d.comb += [
            done.eq(self.beat.final),
            fetch.eq(done | ~receiving),
            expected.output.ready.eq(fetch),
            next_row.eq(row + head.row_pitch),
            next_block.eq(block + head.block_pitch),
            self.write_data.eq(self.beat.data),
            self.write_enable.eq(Mux(self.beat.valid, 1 << head.buffer, 0)),
            self.signal.eq(Mux(done, head.signal, 0)),
            self.ended.eq(done),
            self.error.eq(self.beat.valid & self.beat.error),
            self.error_pc.eq(head.pc),
        ]
        # An instruction stands here before its first beat, which comes cycles after the start.
        with m.If(fetch):
            m.d.sync += [
                receiving.eq(expected.output.valid),
                head.eq(following),
                self.write_address.eq(following.destination),
                row.eq(following.destination),
                block.eq(following.destination),
                beats_left.eq(following.row_beats),
                rows_left.eq(following.rows),
                last_beat.eq(following.row_beats == 1),
                last_row.eq(following.rows == 1),
                one_beat.eq(following.row_beats == 1),
                one_row.eq(following.rows == 1),
            ]
        with m.Elif(self.beat.valid):
            with m.If(~last_beat):
                m.d.sync += [
                    self.write_address.eq(entry),
                    beats_left.eq(beats_left - 1),
                    last_beat.eq(beats_left == 2),
                ]
            with m.Else():
                m.d.sync += [
                    self.write_address.eq(Mux(last_row, next_block, next_row)),
                    row.eq(Mux(last_row, next_block, next_row)),
                    beats_left.eq(head.row_beats),
                    last_beat.eq(one_beat),
                    rows_left.eq(Mux(last_row, head.rows, rows_left - 1)),
                    last_row.eq(Mux(last_row, one_row, rows_left == 2)),
                ]
                with m.If(last_row):
                    m.d.sync += block.eq(next_block)
        return receiving
