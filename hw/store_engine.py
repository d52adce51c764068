"""The store engine: accumulators through the requantiser to memory."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.burst import burst_beats
from hw.config import ADDRESS_BITS, AcceleratorConfig
from hw.fetch_engine import dispatched
from hw.isa import PARAMETER_BYTES, PARAMETER_LAYOUT, PC_BITS, Semaphore, Store
from hw.semaphores import satisfied
from hw.write_master import WRITE_REQUEST


class StoreEngine(wiring.Component):
    """Carries out STORE instructions in order: parameters, then bursts of accumulators.

    Reading the parameters takes ``PARAMETER_BYTES`` cycles. Then, burst by burst, one cycle or more to
    plan it (until the output buffer has room for all of it) and a cycle per vector to read the
    accumulators (``drain_*``). The last read signals the semaphores. ``flush_cycles`` more pass
    before the next instruction may change ``parameters``: the last vector is then out of the
    requantiser. ``draining`` is high in cycles that read an accumulator, ``idle`` when there is
    nothing to do.
    """

    def __init__(self, config: AcceleratorConfig, flush_cycles: int) -> None:
        self._config = config
        self.flush_cycles = flush_cycles
        super().__init__(
            {
                "instruction": In(stream.Signature(dispatched(Store))),
                "available": In(len(Semaphore)),
                "take": Out(len(Semaphore)),
                "signal": Out(len(Semaphore)),
                "parameter_address": Out(range(config.parameter_entries)),
                "parameter_data": In(8 * config.cols),
                "parameters": Out(data.ArrayLayout(PARAMETER_LAYOUT, config.cols)),
                "zero_point": Out(signed(8)),
                "minimum": Out(signed(8)),
                "maximum": Out(signed(8)),
                "drain_enable": Out(1),
                "drain_bank": Out(1),
                "drain_address": Out(range(config.accumulators)),
                "request": Out(stream.Signature(WRITE_REQUEST)),
                "free": In(range(config.output_buffer + 1)),
                "halt": In(1),
                "idle": Out(1),
                "pc": Out(PC_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        config = self._config
        m = Module()
        store = self.instruction.payload.instruction
        signal = Signal(len(Semaphore))
        plane = Signal(range(PARAMETER_BYTES))
        parameter_block = Signal(range(config.parameter_blocks))
        plane_arrives = Signal()
        address, row_address, row_pitch = Signal(ADDRESS_BITS), Signal(ADDRESS_BITS), Signal(ADDRESS_BITS)
        remaining = Signal(16)
        run_left, width = Signal(32), Signal(32)
        burst_left = Signal(9)
        flush = Signal(range(self.flush_cycles + 1))

        m.d.comb += self.parameter_address.eq(Cat(plane, parameter_block))
        m.d.sync += plane_arrives.eq(0)
        with m.If(plane_arrives):
            for channel in range(config.cols):
                word = self.parameters[channel].as_value()
                byte = self.parameter_data.word_select(channel, 8)
                m.d.sync += word.eq(Cat(word[8:], byte))

        contiguous = Signal(32)
        m.d.comb += contiguous.eq(Mux(remaining < run_left, remaining, run_left))
        beats = burst_beats(m, config, address, contiguous)
        m.d.comb += [
            self.request.payload.address.eq(address),
            self.request.payload.beats.eq(beats),
            self.request.payload.pc.eq(self.pc),
        ]

        with m.FSM():
            with m.State("IDLE"):
                start = Signal()
                m.d.comb += [
                    self.idle.eq(~self.instruction.valid),
                    start.eq(
                        self.instruction.valid & satisfied(store.wait, self.available, Store.waits) & ~self.halt
                    ),
                    self.instruction.ready.eq(start),
                    self.take.eq(Mux(start, store.wait, 0)),
                ]
                with m.If(start):
                    row_start = store.destination
                    m.d.sync += [
                        self.pc.eq(self.instruction.payload.pc),
                        signal.eq(store.signal),
                        parameter_block.eq(store.parameter_block),
                        plane.eq(0),
                        self.zero_point.eq(store.zero_point),
                        self.minimum.eq(store.minimum),
                        self.maximum.eq(store.maximum),
                        self.drain_bank.eq(store.bank),
                        self.drain_address.eq(store.accumulator_base),
                        address.eq(row_start + store.first * config.bus_bytes),
                        row_address.eq(row_start),
                        row_pitch.eq(store.row_pitch),
                        remaining.eq(store.count),
                        run_left.eq(store.width - store.first),
                        width.eq(store.width),
                    ]
                    m.next = "PARAMETERS"
            with m.State("PARAMETERS"):
                m.d.sync += [plane.eq(plane + 1), plane_arrives.eq(1)]
                with m.If(plane == PARAMETER_BYTES - 1):
                    m.next = "PLAN"
            with m.State("PLAN"):
                m.d.comb += self.request.valid.eq((self.free >= beats) & ~self.halt)
                with m.If(self.request.valid & self.request.ready):
                    m.d.sync += [
                        burst_left.eq(beats),
                        remaining.eq(remaining - beats),
                    ]
                    with m.If(run_left == beats):
                        m.d.sync += [
                            run_left.eq(width),
                            address.eq(row_address + row_pitch),
                            row_address.eq(row_address + row_pitch),
                        ]
                    with m.Else():
                        m.d.sync += [run_left.eq(run_left - beats), address.eq(address + beats * config.bus_bytes)]
                    m.next = "DRAIN"
            with m.State("DRAIN"):
                m.d.comb += self.drain_enable.eq(1)
                m.d.sync += [self.drain_address.eq(self.drain_address + 1), burst_left.eq(burst_left - 1)]
                with m.If(burst_left == 1):
                    with m.If(remaining == 0):
                        m.d.comb += self.signal.eq(signal)
                        m.d.sync += flush.eq(self.flush_cycles)
                        m.next = "FLUSH"
                    with m.Else():
                        m.next = "PLAN"
            with m.State("FLUSH"):
                m.d.sync += flush.eq(flush - 1)
                with m.If(flush == 1):
                    m.next = "IDLE"
        return m
