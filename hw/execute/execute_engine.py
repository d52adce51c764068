"""The execute engine: weights and vectors to the mesh, direct or through the Winograd transforms."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.control.counters import Stall
from wingrid.hw.control.fetch_engine import dispatched
from wingrid.hw.events import Event
from wingrid.hw.execute.vector_feeder import VectorFeeder
from wingrid.hw.execute.weight_feeder import WeightFeeder
from wingrid.hw.isa import Execute, Semaphore
from wingrid.hw.mesh.accumulators import accumulator_tag
from wingrid.hw.mesh.matrix_unit import vectors_layout, weights_layout
from wingrid.hw.winograd.winograd_feeder import WinogradFeeder


class ExecuteEngine(wiring.Component):
    """Gives each EXECUTE to the weight feeder and to the source of its vectors, in order.

    The sources, direct and Winograd, share the input buffer and the mesh: an instruction for one
    waits until the other is idle, so a program that alternates between the two loses that time. They belong to the
    source that took the last instruction: a register selects, and never whether a source is idle.

    Members
    -------
    instruction : In, stream of ``dispatched(Execute)``
        The payload is there two cycles before ``valid``, too: whom it is for rests in a register, and whether there is
        room for it in the next one.
    available : In, len(Semaphore)
    take : Out, len(Semaphore)
    signal : Out, len(Semaphore)
        OPERANDS_RELEASED alone; the accumulators' ``committed`` stands for SUMS_READY.
    input_enable : Out, 1
    input_address : Out, range(input_buffer)
    input_data : In, 8 * rows
        The entry of the input buffer, ``OperandBuffers.read_latency`` cycles after its address.
    weight_enable : Out, 1
    weight_address : Out, range(weight_buffer)
    weight_data : In, 8 * cols
        The entry of the weight buffer, ``OperandBuffers.read_latency`` cycles after its address.
    weights : Out, stream of ``weights_layout(config)``
    vectors : Out, stream of ``vectors_layout(config, accumulator_tag(config))``
    halt : In, 1
        No further instruction starts.
    stall : Out, Stall
        What keeps the next vector from being offered, when none is.
    idle : Out, 1
        Nothing is queued or under way.
    vectors_idle : Out, 1
        Nothing is queued or under way in the sources of vectors.
    events : Out, len(Event)
        The bits of this engine; the others are low.
    """

    ready_latency = 1
    """Cycles from the first in which all that an instruction is given to has room to the first in which it is taken."""
    switch_latency = 2
    """Cycles from the last vector of one source to the first in which the other one has room for an instruction."""

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        super().__init__(
            {
                "instruction": In(stream.Signature(dispatched(Execute))),
                "available": In(len(Semaphore)),
                "take": Out(len(Semaphore)),
                "signal": Out(len(Semaphore)),
                "input_enable": Out(1),
                "input_address": Out(range(config.input_buffer)),
                "input_data": In(8 * config.rows),
                "weight_enable": Out(1),
                "weight_address": Out(range(config.weight_buffer)),
                "weight_data": In(8 * config.cols),
                "weights": Out(stream.Signature(weights_layout(config))),
                "vectors": Out(stream.Signature(vectors_layout(config, accumulator_tag(config)))),
                "halt": In(1),
                "stall": Out(Stall),
                "idle": Out(1),
                "vectors_idle": Out(1),
                "events": Out(len(Event)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        config = self._config
        m = Module()
        m.submodules.weights = weights = WeightFeeder(config)
        m.submodules.direct = direct = VectorFeeder(config)
        sources = [direct]
        if config.tiles:
            m.submodules.winograd = winograd = WinogradFeeder(config)
            sources.append(winograd)
        execute = self.instruction.payload.instruction

        connect(m, weights.weights, flipped(self.weights))
        m.d.comb += [
            weights.instruction.payload.eq(execute),
            weights.available.eq(self.available),
            weights.halt.eq(self.halt),
            self.weight_enable.eq(weights.read_enable),
            self.weight_address.eq(weights.read_address),
            weights.read_data.eq(self.weight_data),
        ]
        for source in sources:
            m.d.comb += [
                source.instruction.payload.eq(execute),
                source.available.eq(self.available),
                source.halt.eq(self.halt),
                source.read_data.eq(self.input_data),
                source.vectors.ready.eq(self.vectors.ready),
            ]
        # Whom the instruction is for, who took the last one, and whether that is done.
        wanted = Signal(range(len(sources)))
        owner = Signal(range(len(sources)))
        unowned = Signal()
        given = Signal()
        m.d.comb += given.eq(self.instruction.valid & self.instruction.ready)
        m.d.sync += wanted.eq(execute.tile != 0)
        if len(sources) > 1:
            m.d.sync += unowned.eq(Cat(source.idle for source in sources).all() & ~given)
        with m.If(given):
            m.d.sync += owner.eq(wanted)
        take = weights.take
        read: Value = Const(0, len(Semaphore))
        room = Signal()
        for number, source in enumerate(sources):
            with m.If(wanted == number):
                m.d.comb += [
                    room.eq(weights.instruction.ready & source.instruction.ready & ((owner == number) | unowned)),
                    source.instruction.valid.eq(given),
                ]
            with m.If(owner == number):
                m.d.comb += [
                    self.input_enable.eq(source.read_enable),
                    self.input_address.eq(source.read_address),
                    self.vectors.valid.eq(source.vectors.valid),
                    self.vectors.payload.eq(source.vectors.payload),
                    self.stall.eq(source.stall),
                ]
            take, read = take | source.take, read | source.signal
        # Room that there is stays until an instruction takes it.
        m.d.sync += self.instruction.ready.eq(room & ~given)
        m.d.comb += [
            weights.instruction.valid.eq(given),
            self.take.eq(take),
            self.vectors_idle.eq(Cat(source.idle for source in sources).all()),
            self.idle.eq(weights.idle & self.vectors_idle),
        ]
        m.d.comb += [
            self.events[Event.WEIGHTS_STARTED].eq(weights.started),
            self.events[Event.WEIGHTS_ENDED].eq(weights.ended),
            self.events[Event.VECTORS_STARTED].eq(Cat(source.started for source in sources).any()),
            self.events[Event.VECTORS_ENDED].eq(Cat(source.ended for source in sources).any()),
        ]
        if config.tiles:
            m.d.comb += [
                self.events[Event.PATCHES_STARTED].eq(winograd.patches_started),
                self.events[Event.PATCHES_ENDED].eq(winograd.patches_ended),
            ]
        self._release(m, weights.released, read[Semaphore.OPERANDS_RELEASED])
        return m

    def _release(self, m: Module, weights_read: Value, vectors_read: Value) -> None:
        """Signal OPERANDS_RELEASED for an instruction when both its weights and its vectors are read.

        Either may be read first: weights are fetched ahead of direct vectors, Winograd patches ahead of weights.
        """
        ahead = range(self._config.queue_depth + 2)
        weights_ahead = Signal(ahead)
        vectors_ahead = Signal(ahead)
        released = Signal()
        m.d.comb += [
            released.eq((weights_read | (weights_ahead != 0)) & (vectors_read | (vectors_ahead != 0))),
            self.signal.eq(Mux(released, 1 << Semaphore.OPERANDS_RELEASED, 0)),
        ]
        m.d.sync += [
            weights_ahead.eq(weights_ahead + weights_read - released),
            vectors_ahead.eq(vectors_ahead + vectors_read - released),
        ]
