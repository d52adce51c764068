"""The execute engine: weights and vectors to the mesh, direct or through the Winograd transforms."""

from __future__ import annotations

from functools import reduce
from operator import or_

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.control.counters import Stall
from wingrid.hw.control.fetch_engine import dispatched
from wingrid.hw.events import Event
from wingrid.hw.execute.vector_feeder import VectorFeeder
from wingrid.hw.execute.weight_feeder import WeightFeeder
from wingrid.hw.isa import PC_BITS, Execute, Semaphore
from wingrid.hw.load.operand_buffers import OperandBuffers
from wingrid.hw.mesh.accumulators import accumulator_tag
from wingrid.hw.mesh.matrix_unit import MatrixUnit, sums_layout, vectors_layout, weights_layout
from wingrid.hw.mesh.vector_source import VectorSource
from wingrid.hw.sparse.sparse_unit import SparseUnit
from wingrid.hw.winograd.winograd_feeder import WinogradFeeder


class ExecuteEngine(wiring.Component):
    """Gives each EXECUTE to the weight feeder and to the source of its vectors, in order.

    The sources, direct and Winograd, share the input buffer and the mesh: an instruction for one
    waits until the other is idle, so a program that alternates between the two loses that time. They belong to the
    source that took the last instruction: a register selects, and never whether a source is idle.

    The sparse unit, where there is one, takes the place of weight feeder and source. As it shares the accumulators with
    the mesh, ``settling_cycles_for`` more cycles lie between the two.

    Members
    -------
    instruction : In, stream of ``dispatched(Execute)``
        The payload is there two cycles before ``valid``, too: whom it is for rests in a register, and whether there is
        room for it in the next one.
    available : In, len(Semaphore)
    late_take : Out, len(Semaphore)
        A cycle after an instruction's start (see ``Semaphores``).
    late_signal : Out, len(Semaphore)
        OPERANDS_RELEASED alone, a cycle after the last read (see ``Semaphores``); ``committed``, the accumulators' and
        that of the lanes, stands for SUMS_READY.
    input_enable : Out, 1
    input_addresses : Out, ``OperandBuffers.banks_for(config)`` x range(input_buffer)
    input_data : In, 8 * rows
        The entry of the input buffer, or a byte of each one that was asked for, ``OperandBuffers.read_latency`` cycles
        after the address.
    weight_enable : Out, 1
    weight_address : Out, range(weight_buffer)
    weight_data : In, 8 * weight_lanes
        The entry of the weight buffer, ``OperandBuffers.read_latency`` cycles after its address.
    decodes : Out, 1
        Compressed weights are decoded.
    code_write : In, 1
        A beat for the tables of their code comes.
    code_address : In, range(code_entries)
    code_data : In, 8 * bus_bytes
    weights : Out, stream of ``weights_layout(config)``
    vectors : Out, stream of ``vectors_layout(config, accumulator_tag(config))``
        Goes to a ``MatrixUnit``, whose ``ready`` is foreseen from ``loaded_next`` and not heard.
    ready_next : In, 1
        The matrix unit's: ``weights.ready`` in the next cycle.
    loaded_next : In, 1
        The matrix unit's: in the next cycle a vector with ``first`` is taken. All others always are.
    beat : Out, 1
        The sparse lanes have an entry of weights.
    sums : Out, ``sums_layout(config, accumulator_tag(config))``
        Vectors of the sparse lanes.
    committed : Out, 1
        Those of an EXECUTE that signals SUMS_READY are in their accumulators.
    overflow : Out, 1
        A sparse lane has left its window.
    overflow_pc : Out, PC_BITS
        Index of the instruction that led it there.
    halt : In, 1
        No further instruction starts.
    stall : Out, Stall
        What kept the next vector from being offered in the cycle before, when none was.
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
                "late_take": Out(len(Semaphore)),
                "late_signal": Out(len(Semaphore)),
                "input_enable": Out(1),
                "input_addresses": Out(data.ArrayLayout(range(config.input_buffer), OperandBuffers.banks_for(config))),
                "input_data": In(8 * config.rows),
                "weight_enable": Out(1),
                "weight_address": Out(range(config.weight_buffer)),
                "weight_data": In(8 * config.weight_lanes),
                "decodes": Out(1),
                "code_write": In(1),
                "code_address": In(range(max(config.code_entries, 1))),
                "code_data": In(8 * config.bus_bytes),
                "weights": Out(stream.Signature(weights_layout(config))),
                "vectors": Out(stream.Signature(vectors_layout(config, accumulator_tag(config)))),
                "ready_next": In(1),
                "loaded_next": In(1),
                "beat": Out(1),
                "sums": Out(sums_layout(config, accumulator_tag(config))),
                "committed": Out(1),
                "overflow": Out(1),
                "overflow_pc": Out(PC_BITS),
                "halt": In(1),
                "stall": Out(Stall),
                "idle": Out(1),
                "vectors_idle": Out(1),
                "events": Out(len(Event)),
            }
        )

    @staticmethod
    def settling_cycles_for(config: AcceleratorConfig) -> int:
        """Cycles between mesh and sparse lanes, so that the last sums of the one come before the first of the other."""
        return max(MatrixUnit.latency_for(config), SparseUnit.latency_for(config))

    def elaborate(self, platform: object) -> Module:
        config = self._config
        m = Module()
        m.submodules.weights = weights = WeightFeeder(config)
        m.submodules.direct = direct = VectorFeeder(config)
        sources: list[VectorSource] = [direct]
        if config.tiles:
            m.submodules.winograd = winograd = WinogradFeeder(config)
            sources.append(winograd)
        # What takes instructions beside the weight feeder: the sources of vectors, and the sparse unit.
        units: list[VectorSource | SparseUnit] = [*sources]
        if config.sparse:
            m.submodules.sparse = sparse = SparseUnit(config)
            units.append(sparse)
        execute = self.instruction.payload.instruction

        connect(m, weights.weights, flipped(self.weights))
        m.d.comb += [
            weights.instruction.payload.eq(execute),
            weights.ready_next.eq(self.ready_next),
            weights.available.eq(self.available),
            weights.halt.eq(self.halt),
            self.weight_enable.eq(weights.read_enable),
            self.weight_address.eq(weights.read_address),
            weights.read_data.eq(self.weight_data),
            weights.code_write.eq(self.code_write),
            weights.code_address.eq(self.code_address),
            weights.code_data.eq(self.code_data),
            self.decodes.eq(weights.decodes),
        ]
        for source in sources:
            m.d.comb += [
                source.instruction.payload.eq(execute),
                source.available.eq(self.available),
                source.halt.eq(self.halt),
                source.read_data.eq(self.input_data),
                source.loaded_next.eq(self.loaded_next),
            ]
        # Whom the instruction is for, who took the last one, and whether that is done.
        lanes = len(sources)
        wanted = Signal(range(len(units)))
        owner = Signal(range(len(units)))
        unowned = Signal()
        free = Signal()
        given = Signal()
        m.d.comb += [given.eq(self.instruction.valid & self.instruction.ready), free.eq(unowned)]
        m.d.sync += wanted.eq(
            Mux(execute.sparse != 0, lanes, execute.tile != 0) if config.sparse else execute.tile != 0
        )
        if len(units) > 1:
            m.d.sync += unowned.eq(self.vectors_idle & ~given)
        with m.If(given):
            m.d.sync += owner.eq(wanted)
        # A cycle late, as what the stalls are of.
        owned = Signal.like(owner)
        m.d.sync += owned.eq(owner)
        takes = [weights.take]
        read: Value = Const(0, len(Semaphore))
        room = Signal()
        for number, source in enumerate(sources):
            with m.If(wanted == number):
                m.d.comb += [
                    room.eq(weights.instruction.ready & source.instruction.ready & ((owner == number) | free)),
                    source.instruction.valid.eq(given),
                ]
            with m.If(owner == number):
                m.d.comb += [
                    self.input_enable.eq(source.read_enable),
                    *(address.eq(source.read_address) for address in self.input_addresses),
                    self.vectors.valid.eq(source.vectors.valid),
                    self.vectors.payload.eq(source.vectors.payload),
                ]
            with m.If(owned == number):
                m.d.comb += self.stall.eq(source.stall)
            takes.append(source.take)
            read |= source.signal
        # Room that there is stays until an instruction takes it.
        m.d.sync += self.instruction.ready.eq(room & ~given)
        m.d.comb += [
            weights.instruction.valid.eq(given),
            self.vectors_idle.eq(Cat(unit.idle for unit in units).all()),
            self.idle.eq(weights.idle & self.vectors_idle),
        ]
        m.d.comb += [
            self.events[Event.WEIGHTS_STARTED].eq(weights.started),
            self.events[Event.WEIGHTS_ENDED].eq(weights.ended),
            self.events[Event.VECTORS_STARTED].eq(Cat(unit.started for unit in units).any()),
            self.events[Event.VECTORS_ENDED].eq(Cat(unit.ended for unit in units).any()),
        ]
        if config.tiles:
            m.d.comb += [
                self.events[Event.PATCHES_STARTED].eq(winograd.patches_started),
                self.events[Event.PATCHES_ENDED].eq(winograd.patches_ended),
            ]
        released: Value = self._released(m, weights.released, read[Semaphore.OPERANDS_RELEASED])
        if config.sparse:
            self._attach(m, sparse, weights, (lanes, wanted, owner, owned, unowned, free, room))
            sparse_released = Signal()
            m.d.sync += sparse_released.eq(sparse.signal[Semaphore.OPERANDS_RELEASED])
            takes.append(sparse.take)
            released |= sparse_released
        taken = [Signal(len(Semaphore), name=f"taken_{number}") for number in range(len(takes))]
        m.d.sync += [late.eq(take) for late, take in zip(taken, takes, strict=True)]
        m.d.comb += [
            self.late_take.eq(reduce(or_, taken)),
            self.late_signal.eq(Mux(released, 1 << Semaphore.OPERANDS_RELEASED, 0)),
        ]
        return m

    def _attach(
        self,
        m: Module,
        sparse: SparseUnit,
        weights: WeightFeeder,
        ownership: tuple[int, Signal, Signal, Signal, Signal, Signal, Signal],
    ) -> None:
        """Give the sparse unit its instructions, and both buffers while it owns them."""
        number, wanted, owner, owned, unowned, free, room = ownership
        given = self.instruction.valid & self.instruction.ready
        cycles = self.settling_cycles_for(self._config)
        unowned_for = Signal(range(cycles + 1))
        with m.If(~unowned):
            m.d.sync += unowned_for.eq(0)
        with m.Elif(unowned_for != cycles):
            m.d.sync += unowned_for.eq(unowned_for + 1)
        with m.If((owner == number) | (wanted == number)):
            m.d.comb += free.eq(unowned & (unowned_for == cycles))
        m.d.comb += [
            sparse.instruction.payload.eq(self.instruction.payload),
            sparse.available.eq(self.available),
            sparse.halt.eq(self.halt),
            sparse.weight_data.eq(self.weight_data),
            sparse.input_data.as_value().eq(self.input_data),
            self.beat.eq(sparse.beat),
            self.sums.eq(sparse.sums),
            self.committed.eq(sparse.committed),
            self.overflow.eq(sparse.overflow),
            self.overflow_pc.eq(sparse.overflow_pc),
        ]
        with m.If(wanted == number):
            m.d.comb += [
                room.eq(sparse.instruction.ready & ((owner == number) | free)),
                sparse.instruction.valid.eq(given),
                weights.instruction.valid.eq(0),
            ]
        with m.If(owner == number):
            m.d.comb += [
                self.input_enable.eq(sparse.input_enable),
                self.input_addresses.eq(sparse.input_addresses),
                self.weight_enable.eq(sparse.weight_enable),
                self.weight_address.eq(sparse.weight_address),
            ]
        with m.If(owned == number):
            m.d.comb += self.stall.eq(sparse.stall)

    def _released(self, m: Module, weights_read: Value, vectors_read: Value) -> Value:
        """High in the cycle after both the weights and the vectors of an instruction were read.

        Either may be read first: weights are fetched ahead of direct vectors, Winograd patches ahead of weights.
        """
        ahead = range(self._config.queue_depth + 2)
        weights_ahead = Signal(ahead)
        vectors_ahead = Signal(ahead)
        released = Signal()
        weights_done = Signal()
        vectors_done = Signal()
        m.d.comb += released.eq((weights_done | (weights_ahead != 0)) & (vectors_done | (vectors_ahead != 0)))
        m.d.sync += [
            weights_done.eq(weights_read),
            vectors_done.eq(vectors_read),
            weights_ahead.eq(weights_ahead + weights_done - released),
            vectors_ahead.eq(vectors_ahead + vectors_done - released),
        ]
        return released
