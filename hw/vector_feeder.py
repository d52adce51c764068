"""The half of the execute engine that streams input vectors into the mesh."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.accumulators import accumulator_tag
from hw.config import AcceleratorConfig
from hw.fetch_engine import dispatched
from hw.isa import PC_BITS, Execute, Semaphore
from hw.matrix_unit import vectors_layout
from hw.queue import Queue
from hw.raster_walk import RasterWalk
from hw.semaphores import satisfied

WAITS = frozenset({Semaphore.INPUTS_LOADED, Semaphore.BANK_RELEASED})
"""The semaphores of an EXECUTE that this half waits for; the weight feeder waits for the weights."""


class VectorFeeder(wiring.Component):
    """Carries out queued EXECUTE instructions in order, one vector per cycle, across instructions too.

    A vector leaves one cycle after ``read_enable`` asked the input buffer for it; ``read_data`` is the
    buffer's entry one cycle after and must hold while ``read_enable`` is low. Padding is filled in
    here. OPERANDS_RELEASED is signalled with the last vector's read; SUMS_READY travels as the tag's
    ``last`` and is signalled by whoever sees the sum committed. ``awaiting`` is the mask of semaphores
    that keep the next instruction from starting while nothing else is left to do; ``queued`` says that
    there is a next one.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        super().__init__(
            {
                "instruction": In(stream.Signature(dispatched(Execute))),
                "available": In(len(Semaphore)),
                "take": Out(len(Semaphore)),
                "signal": Out(len(Semaphore)),
                "read_enable": Out(1),
                "read_address": Out(range(config.input_buffer)),
                "read_data": In(8 * config.rows),
                "vectors": Out(stream.Signature(vectors_layout(config, accumulator_tag(config)))),
                "halt": In(1),
                "active": Out(1),
                "queued": Out(1),
                "awaiting": Out(len(Semaphore)),
                "idle": Out(1),
                "pc": Out(PC_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        config = self._config
        m = Module()
        m.submodules.queue = queue = Queue(dispatched(Execute), config.queue_depth)
        m.submodules.walk = walk = RasterWalk(config)
        m.d.comb += [
            queue.input.valid.eq(self.instruction.valid),
            queue.input.payload.eq(self.instruction.payload),
            self.instruction.ready.eq(queue.input.ready),
        ]

        head = queue.output.payload.instruction
        own_waits = sum(1 << semaphore for semaphore in WAITS)
        zero_point, bank, signal = Signal(signed(8)), Signal(), Signal(len(Semaphore))
        advance = Signal()
        start = Signal()
        m.d.comb += [
            advance.eq(~self.vectors.valid | self.vectors.ready),
            start.eq(
                queue.output.valid
                & (~self.active | (walk.final & advance))
                & satisfied(head.wait, self.available, WAITS)
                & ~self.halt
            ),
            queue.output.ready.eq(start),
            self.take.eq(Mux(start, head.wait & own_waits, 0)),
            walk.start.eq(start),
            walk.instruction.eq(head),
            walk.step.eq(self.active & advance),
            self.read_enable.eq(self.active & advance),
            self.read_address.eq(walk.address),
            self.signal.eq(
                Mux(self.active & advance & walk.final, signal & (1 << Semaphore.OPERANDS_RELEASED), 0)
            ),
            self.queued.eq(queue.output.valid),
            self.awaiting.eq(head.wait & own_waits & ~self.available),
            self.idle.eq(~self.active & ~queue.output.valid & ~self.vectors.valid),
        ]
        with m.If(start):
            m.d.sync += [
                self.active.eq(1),
                self.pc.eq(queue.output.payload.pc),
                zero_point.eq(head.zero_point),
                bank.eq(head.bank),
                signal.eq(head.signal),
            ]
        with m.Elif(walk.step & walk.final):
            m.d.sync += self.active.eq(0)

        payload = self.vectors.payload
        inside, padding = Signal(), Signal(signed(8))
        with m.If(advance):
            m.d.sync += self.vectors.valid.eq(self.active)
        with m.If(walk.step):
            m.d.sync += [
                inside.eq(walk.inside),
                padding.eq(zero_point),
                payload.first.eq(walk.first),
                payload.tag.bank.eq(bank),
                payload.tag.address.eq(walk.sum_address),
                payload.tag.accumulate.eq(~walk.overwrite),
                payload.tag.last.eq(walk.final & signal[Semaphore.SUMS_READY]),
            ]
        for lane in range(config.rows):
            pixel = self.read_data.word_select(lane, 8).as_signed()
            m.d.comb += payload.lanes[lane].eq(Mux(inside, pixel, padding))
        return m
