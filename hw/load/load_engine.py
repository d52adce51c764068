"""The load engine: memory to buffers, many bursts in flight."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from wingrid.hw.bus.burst import burst_beats
from wingrid.hw.bus.read_master import READ_REQUEST, read_beat
from wingrid.hw.config import ADDRESS_BITS, AcceleratorConfig
from wingrid.hw.control.fetch_engine import dispatched
from wingrid.hw.control.semaphores import satisfied
from wingrid.hw.isa import PC_BITS, Buffer, Load, Semaphore
from wingrid.hw.load.operand_buffers import BUFFER_ADDRESS_BITS, next_entry
from wingrid.hw.queue import Queue


class LoadEngine(wiring.Component):
    """Carries out LOAD instructions in order, in two halves that run apart.

    The requester starts an instruction when its semaphores allow, and asks for its bursts, one per
    cycle at most; it goes on to the next instruction while data are still coming. The receiver puts
    each arriving beat into its buffer and signals the instruction's semaphores with the last one.

    Members
    -------
    instruction : In, stream of ``dispatched(Load)``
        Taken as it starts.
    available : In, len(Semaphore)
    take : Out, len(Semaphore)
    signal : Out, len(Semaphore)
    request : Out, stream of ``READ_REQUEST``
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
    """Cycles from the start of an instruction to its first request, and from the last one to the next start."""

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        super().__init__(
            {
                "instruction": In(stream.Signature(dispatched(Load))),
                "available": In(len(Semaphore)),
                "take": Out(len(Semaphore)),
                "signal": Out(len(Semaphore)),
                "request": Out(stream.Signature(READ_REQUEST)),
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
        expected = Queue(
            data.StructLayout(
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
            ),
            self._config.queue_depth,
        )
        m.submodules.expected = expected
        requesting = self._request(m, expected)
        self._receive(m, expected)
        m.d.comb += self.idle.eq(~requesting & (expected.level == 0))
        return m

    def _request(self, m: Module, expected: Queue) -> Signal:
        config = self._config
        requesting = Signal()
        run_address = Signal(ADDRESS_BITS)
        address = Signal(ADDRESS_BITS)
        left = Signal(32)
        run_beats = Signal(32)
        runs = Signal(32)
        run_pitch = Signal(ADDRESS_BITS)

        load = self.instruction.payload.instruction
        start = Signal()
        m.d.comb += [
            start.eq(
                self.instruction.valid
                & ~requesting
                & expected.input.ready
                & satisfied(load.wait, self.available, Load.waits)
                & ~self.halt
            ),
            self.instruction.ready.eq(start),
            self.take.eq(Mux(start, load.wait, 0)),
            expected.input.valid.eq(start),
            expected.input.payload.buffer.eq(load.buffer),
            expected.input.payload.pc.eq(self.instruction.payload.pc),
        ]
        m.d.comb += [
            expected.input.payload[name].eq(load[name])
            for name in ("destination", "row_beats", "rows", "row_pitch", "block_pitch", "signal")
        ]

        beats = Signal(range(config.burst_beats + 1))
        run_ends = beats == left
        m.d.comb += [
            beats.eq(burst_beats(m, config, address, left)),
            self.request.valid.eq(requesting & ~self.halt),
            self.request.payload.address.eq(address),
            self.request.payload.beats_less_one.eq(beats - 1),
            self.request.payload.final.eq(run_ends & (runs == 1)),
        ]
        with m.If(start):
            m.d.sync += [
                requesting.eq(1),
                run_address.eq(load.source),
                address.eq(load.source),
                left.eq(load.run_beats),
                run_beats.eq(load.run_beats),
                runs.eq(load.runs),
                run_pitch.eq(load.run_pitch),
            ]
        with m.Elif(self.request.valid & self.request.ready):
            with m.If(run_ends):
                m.d.sync += [
                    run_address.eq(run_address + run_pitch),
                    address.eq(run_address + run_pitch),
                    left.eq(run_beats),
                    runs.eq(runs - 1),
                    requesting.eq(runs != 1),
                ]
            with m.Else():
                m.d.sync += [address.eq(address + beats * config.bus_bytes), left.eq(left - beats)]
        return requesting

    def _receive(self, m: Module, expected: Queue) -> None:
        head = expected.output.payload
        fresh = Signal(init=1)
        next_address = Signal(BUFFER_ADDRESS_BITS)
        saved_row, saved_block = Signal(BUFFER_ADDRESS_BITS), Signal(BUFFER_ADDRESS_BITS)
        saved_beats_left, saved_rows_left = Signal(32), Signal(32)
        # An instruction's first beat starts from its descriptor, the others from where the last one left off.
        row, block = Signal(BUFFER_ADDRESS_BITS), Signal(BUFFER_ADDRESS_BITS)
        beats_left, rows_left = Signal(32), Signal(32)
        m.d.comb += [
            self.write_address.eq(Mux(fresh, head.destination, next_address)),
            row.eq(Mux(fresh, head.destination, saved_row)),
            block.eq(Mux(fresh, head.destination, saved_block)),
            beats_left.eq(Mux(fresh, head.row_beats, saved_beats_left)),
            rows_left.eq(Mux(fresh, head.rows, saved_rows_left)),
        ]
        done = self.beat.valid & self.beat.last & self.beat.final
        # The depths of the other buffers are powers of two, and their memories ignore the bits above.
        following = Mux(
            head.buffer == Buffer.WEIGHTS.value,
            next_entry(self.write_address, self._config.weight_buffer),
            self.write_address + 1,
        )
        m.d.comb += [
            self.write_data.eq(self.beat.data),
            self.write_enable.eq(Mux(self.beat.valid, 1 << head.buffer, 0)),
            expected.output.ready.eq(done),
            self.signal.eq(Mux(done, head.signal, 0)),
            self.ended.eq(done),
            self.error.eq(self.beat.valid & self.beat.error),
            self.error_pc.eq(head.pc),
        ]
        with m.If(self.beat.valid):
            m.d.sync += fresh.eq(done)
            with m.If(beats_left != 1):
                m.d.sync += [
                    next_address.eq(following),
                    saved_row.eq(row),
                    saved_block.eq(block),
                    saved_beats_left.eq(beats_left - 1),
                    saved_rows_left.eq(rows_left),
                ]
            with m.Elif(rows_left != 1):
                m.d.sync += [
                    next_address.eq(row + head.row_pitch),
                    saved_row.eq(row + head.row_pitch),
                    saved_block.eq(block),
                    saved_beats_left.eq(head.row_beats),
                    saved_rows_left.eq(rows_left - 1),
                ]
            with m.Else():
                m.d.sync += [
                    next_address.eq(block + head.block_pitch),
                    saved_row.eq(block + head.block_pitch),
                    saved_block.eq(block + head.block_pitch),
                    saved_beats_left.eq(head.row_beats),
                    saved_rows_left.eq(head.rows),
                ]
