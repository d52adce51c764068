"""The half of the execute engine that streams input vectors into the mesh."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib.wiring import connect, flipped

from wingrid.hw.control.counters import Stall
from wingrid.hw.control.semaphores import armed, satisfied
from wingrid.hw.execute.raster_walk import RasterWalk
from wingrid.hw.isa import Execute, Semaphore
from wingrid.hw.layouts import layout_of
from wingrid.hw.load.operand_buffers import OperandBuffers
from wingrid.hw.load.padding import padded_pixel
from wingrid.hw.mesh.matrix_unit import PAYLOAD_LATENCY
from wingrid.hw.mesh.vector_source import VectorSource, makes_way
from wingrid.hw.queue import Queue

WAITS = frozenset({Semaphore.INPUTS_LOADED, Semaphore.BANK_RELEASED})
"""The semaphores of an EXECUTE that this half waits for; the weight feeder waits for the weights."""


class VectorFeeder(VectorSource):
    """Carries out queued EXECUTE instructions in order, one vector per cycle, across instructions too.

    A vector leaves one cycle after ``read_enable`` asked the input buffer for it, its lanes ``PAYLOAD_LATENCY`` cycles
    later. Padding is filled in here. OPERANDS_RELEASED is signalled with the last vector's read; SUMS_READY travels as
    the tag's ``last``, and the core signals it when the accumulators have committed the sum. The ports are those of
    every ``VectorSource``.
    """

    def elaborate(self, platform: object) -> Module:
        config = self._config
        m = Module()
        m.submodules.queue = queue = Queue(layout_of(Execute), config.queue_depth)
        m.submodules.walk = walk = RasterWalk(config)
        connect(m, flipped(self.instruction), queue.input)

        head = queue.output.payload
        own_waits = sum(1 << semaphore for semaphore in WAITS)
        zero_point = Signal(signed(8))
        bank = Signal()
        signal = Signal(len(Semaphore))
        active = Signal()
        advance = makes_way(m, self.loaded_next, walk.step, walk.first)
        start = Signal()
        has_all = queue.output.valid & satisfied(head.wait, self.available, WAITS)
        m.d.comb += [
            start.eq(armed(m, has_all, start) & (~active | (walk.final & advance)) & ~self.halt),
            queue.output.ready.eq(start),
            self.take.eq(Mux(start, head.wait & own_waits, 0)),
            walk.active.eq(active),
            walk.instruction.eq(head),
            walk.step.eq(active & advance),
            self.read_enable.eq(active & advance),
            self.read_address.eq(walk.address),
            self.started.eq(start),
            self.ended.eq(active & advance & walk.final),
            self.signal.eq(Mux(self.ended, signal & (1 << Semaphore.OPERANDS_RELEASED), 0)),
            self.idle.eq(~active & ~queue.output.valid & ~self.vectors.valid),
        ]
        with m.If(start):
            m.d.sync += active.eq(1)
        with m.Elif(walk.step & walk.final):
            m.d.sync += active.eq(0)
        with m.If(~active | (walk.step & walk.final)):
            m.d.sync += [zero_point.eq(head.zero_point), bank.eq(head.bank), signal.eq(head.signal)]

        m.d.sync += self.stall.eq(Stall.NO_INSTRUCTION)
        with m.If(active | has_all):
            m.d.sync += self.stall.eq(Stall.PIPELINE)
        with m.Elif(queue.output.valid & head.wait[Semaphore.BANK_RELEASED] & ~self.available[Semaphore.BANK_RELEASED]):
            m.d.sync += self.stall.eq(Stall.ACCUMULATORS)
        with m.Elif(queue.output.valid):
            m.d.sync += self.stall.eq(Stall.INPUTS)

        assert self.read_latency + PAYLOAD_LATENCY == OperandBuffers.read_latency
        payload = self.vectors.payload
        pixel = padded_pixel(m, walk.step, walk.inside, zero_point, self.read_data)
        m.d.comb += [payload.lanes[lane].eq(value) for lane, value in enumerate(pixel)]
        with m.If(advance):
            m.d.sync += self.vectors.valid.eq(active)
        with m.If(walk.step):
            m.d.sync += [
                payload.first.eq(walk.first),
                payload.tag.bank.eq(bank),
                payload.tag.address.eq(walk.sum_address),
                payload.tag.accumulate.eq(~walk.overwrite),
                payload.tag.last.eq(walk.final & signal[Semaphore.SUMS_READY]),
            ]
        return m
