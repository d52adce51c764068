"""Everything behind the registers: engines, buffers, mesh and the two halves of the bus master."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value, ValueCastable
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from wingrid.hw.bus import axi
from wingrid.hw.bus.read_master import ReadMaster
from wingrid.hw.bus.write_master import WriteMaster
from wingrid.hw.config import OFFSET_BITS, AcceleratorConfig
from wingrid.hw.control.counters import COUNTER_BITS, Counters
from wingrid.hw.control.fetch_engine import FetchEngine, dispatched
from wingrid.hw.control.semaphores import ARMING_LATENCY, Semaphores
from wingrid.hw.control.supervisor import Supervisor
from wingrid.hw.events import Event
from wingrid.hw.execute.execute_engine import ExecuteEngine
from wingrid.hw.isa import PC_BITS, Buffer, Fault, Load, Semaphore, Store
from wingrid.hw.load.load_engine import LoadEngine
from wingrid.hw.load.operand_buffers import OperandBuffers
from wingrid.hw.mesh.accumulators import Accumulators, accumulator_tag
from wingrid.hw.mesh.matrix_unit import MatrixUnit
from wingrid.hw.queue import Queue
from wingrid.hw.registers import Counter
from wingrid.hw.sparse.sparse_unit import SparseUnit
from wingrid.hw.store.output_buffer import OutputBuffer
from wingrid.hw.store.output_path import OutputPath
from wingrid.hw.store.store_engine import StoreEngine
from wingrid.hw.winograd.input_transform import InputTransform
from wingrid.hw.winograd.weight_transform import WeightTransform
from wingrid.hw.winograd_matrices import winograd


class Core(wiring.Component):
    """Runs a program from ``start`` until it is ``done`` or has a ``fault``.

    After a fault no engine starts anything more; bursts under way on the bus are completed.

    Members
    -------
    read_bus : Out, ``axi.read_channels(config)``
    write_bus : Out, ``axi.write_channels(config)``
    start : In, 1
        Pulse, while the core is neither running nor faulty.
    hold : In, 1
        Keeps every unit from starting anything more.
    base : In, address_bits
        Byte address on the bus that all addresses of the program count from; read in the cycle of ``start``.
    program : In, OFFSET_BITS
        Byte offset of the first instruction from ``base``; read in the cycle of ``start``.
    length : In, PC_BITS
        Number of instructions; read in the cycle of ``start``.
    running : Out, 1
        From the cycle after ``start`` until ``done`` or a fault.
    done : Out, 1
        From the end of a program without fault until the next ``start``.
    fault : Out, Fault
        From a fault until reset.
    fault_pc : Out, PC_BITS
        Index of the instruction that the fault belongs to.
    bus_quiet : Out, 1
        No burst is under way.
    counters : Out, len(Counter) x COUNTER_BITS
    events : Out, len(Event)
        A bit for each ``Event``, high for one cycle, ``EVENT_LATENCY`` after it.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        super().__init__(
            {
                "read_bus": Out(axi.read_channels(config)),
                "write_bus": Out(axi.write_channels(config)),
                "start": In(1),
                "hold": In(1),
                "base": In(config.address_bits),
                "program": In(OFFSET_BITS),
                "length": In(PC_BITS),
                "running": Out(1),
                "done": Out(1),
                "fault": Out(Fault),
                "fault_pc": Out(PC_BITS),
                "bus_quiet": Out(1),
                "counters": Out(data.ArrayLayout(COUNTER_BITS, len(Counter))),
                "events": Out(len(Event)),
            }
        )

    @staticmethod
    def commit_latency_for(config: AcceleratorConfig) -> int:
        """Cycles from a vector entering the mesh to the cycle in which its sum is written."""
        return MatrixUnit.latency_for(config) + Accumulators.latency

    @staticmethod
    def sparse_commit_latency_for(config: AcceleratorConfig) -> int:
        """Cycles from an entry of sparse weights to the cycle in which the sums that it completes are written."""
        return SparseUnit.latency_for(config) + Accumulators.latency

    @staticmethod
    def settling_latency_for(config: AcceleratorConfig) -> int:
        """Cycles from a vector entering the mesh, or an entry the lanes, to the cycle after its sum is written."""
        sparse = Core.sparse_commit_latency_for(config) if config.sparse else 0
        return max(Core.commit_latency_for(config), sparse) + 1

    @staticmethod
    def silence_for(config: AcceleratorConfig) -> int:
        """Most cycles in a row in which a machine works and nothing that the supervisor watches moves.

        It watches all that may wait: the bus, every start and end of an instruction, semaphores, reads of buffers, and
        vectors that enter and leave the arithmetic. Between those lie pipelines in which nothing waits, each of them at
        most this long, and a few cycles for what they deliver to be taken.
        """
        latencies = [Core.settling_latency_for(config), OutputPath.latency_for(config, 0)]
        latencies += [StoreEngine.parameter_cycles + StoreEngine.measure_cycles]
        if config.tiles:
            latencies += [WeightTransform.latency]
        for tile in config.tiles:
            patch = winograd(tile).patch
            # A transform delivers a result a cycle once it has begun.
            latencies += [InputTransform.latency_for(tile) + patch**2]
            latencies += [OutputPath.latency_for(config, tile) + OutputPath.span_for(tile)]
        return max(latencies) + Semaphores.latency + ARMING_LATENCY + 1

    @staticmethod
    def quiet_cycles_for(config: AcceleratorConfig) -> int:
        """Cycles without movement that make a deadlock: twice the longest silence of a machine that works."""
        return 2 * Core.silence_for(config)

    def _sums(self, matrix_unit: MatrixUnit, execute: ExecuteEngine) -> ValueCastable | Value:
        """What comes to the accumulators: never from mesh and sparse lanes at once."""
        if not self._config.sparse:
            return matrix_unit.sums
        return Mux(execute.sums.valid, execute.sums.as_value(), matrix_unit.sums.as_value())

    def elaborate(self, platform: object) -> Module:
        config = self._config
        m = Module()
        m.submodules.reader = reader = ReadMaster(config)
        m.submodules.writer = writer = WriteMaster(config)
        m.submodules.fetch = fetch = FetchEngine(config)
        m.submodules.loads = loads = Queue(dispatched(Load), config.queue_depth)
        m.submodules.load = load = LoadEngine(config)
        m.submodules.buffers = buffers = OperandBuffers(config)
        m.submodules.execute = execute = ExecuteEngine(config)
        m.submodules.matrix_unit = matrix_unit = MatrixUnit(config, accumulator_tag(config))
        m.submodules.accumulators = accumulators = Accumulators(config)
        m.submodules.stores = stores = Queue(dispatched(Store), config.queue_depth)
        m.submodules.store = store = StoreEngine(config)
        m.submodules.output_path = output_path = OutputPath(config)
        m.submodules.output_buffer = output_buffer = OutputBuffer(config)
        m.submodules.semaphores = semaphores = Semaphores()
        m.submodules.supervisor = supervisor = Supervisor(
            self.settling_latency_for(config), self.quiet_cycles_for(config)
        )
        m.submodules.performance_counters = counters = Counters(config)
        engines = (load, execute, store)

        # The bus.
        connect(m, reader.bus, flipped(self.read_bus))
        connect(m, writer.bus, flipped(self.write_bus))
        connect(m, fetch.request, reader.fetch)
        connect(m, load.request, reader.load)
        connect(m, output_buffer.request, writer.request)
        m.d.comb += [
            fetch.beat.eq(reader.fetch_beat),
            load.beat.eq(reader.load_beat),
            writer.beat.eq(output_buffer.beat),
            output_buffer.read_next.eq(writer.read_next),
            output_buffer.released.eq(writer.released),
            output_buffer.released_beats.eq(writer.released_beats),
        ]

        # The host may write the next program's base while this one runs.
        base = Signal(config.address_bits)
        m.d.comb += [unit.base.eq(base) for unit in (fetch, load, output_buffer)]
        with m.If(self.start):
            m.d.sync += base.eq(self.base)

        # Instructions. The execute engine has queues of its own, one for each of its parts.
        m.d.comb += [fetch.start.eq(self.start), fetch.program.eq(self.program), fetch.length.eq(self.length)]
        connect(m, fetch.load, loads.input)
        connect(m, loads.output, load.instruction)
        connect(m, fetch.execute, execute.instruction)
        connect(m, fetch.store, stores.input)
        connect(m, stores.output, store.instruction)

        # Operands.
        m.d.comb += [
            buffers.write_enable.eq(load.write_enable),
            buffers.write_address.eq(load.write_address),
            buffers.write_data.eq(load.write_data),
            buffers.input_enable.eq(execute.input_enable),
            buffers.input_addresses.eq(execute.input_addresses),
            execute.input_data.eq(buffers.input_data),
            buffers.weight_enable.eq(execute.weight_enable),
            buffers.weight_address.eq(execute.weight_address),
            execute.weight_data.eq(buffers.weight_data),
            execute.code_write.eq(load.write_enable[Buffer.CODES.value]),
            execute.code_address.eq(load.write_address),
            execute.code_data.eq(load.write_data),
            buffers.parameter_address.eq(store.parameter_address),
            store.parameter_data.eq(buffers.parameter_data),
        ]

        # Arithmetic.
        connect(m, execute.weights, matrix_unit.weights)
        connect(m, execute.vectors, matrix_unit.vectors)
        m.d.comb += [
            execute.ready_next.eq(matrix_unit.ready_next),
            execute.loaded_next.eq(matrix_unit.loaded_next),
        ]
        connect(m, store.segment, output_buffer.segment)
        m.d.comb += [
            accumulators.sums.eq(self._sums(matrix_unit, execute)),
            accumulators.read_enable.eq(store.drain_enable),
            accumulators.read_bank.eq(store.drain_bank),
            accumulators.read_address.eq(store.drain_address),
            output_path.sums.lanes.eq(accumulators.read_lanes),
            output_path.tile.eq(store.tile),
            output_path.pool.eq(store.pool),
            output_path.parameters.eq(store.parameters),
            output_path.zero_point.eq(store.zero_point),
            output_path.minimum.eq(store.minimum),
            output_path.maximum.eq(store.maximum),
            output_buffer.results.eq(output_path.results),
            store.placed.eq(output_buffer.placed),
        ]
        if config.tables or config.addends:
            m.d.comb += [output_path.write_address.eq(load.write_address), output_path.write_data.eq(load.write_data)]
        if config.tables:
            m.d.comb += [
                output_path.table.eq(store.table),
                output_path.table_write.eq(load.write_enable[Buffer.TABLES.value]),
            ]
        if config.addends:
            m.d.comb += [
                output_path.addend_write.eq(load.write_enable[Buffer.ADDENDS.value]),
                output_path.combination.eq(store.combination),
                output_path.factor.eq(store.factor),
                output_path.addend_factor.eq(store.addend_factor),
                output_path.offset.eq(store.offset),
                output_path.result_zero.eq(store.result_zero),
                output_path.addend_zero.eq(store.addend_zero),
                output_path.addend_base.eq(store.addend_base),
                output_path.broadcast.eq(store.broadcast),
                output_path.rewind.eq(store.rewind),
            ]
        drained = Signal(Accumulators.read_latency)
        m.d.sync += drained.eq(Cat(store.drain_enable, drained))
        m.d.comb += output_path.sums.valid.eq(drained[-1])

        # Semaphores.
        committed = accumulators.committed | execute.committed
        m.d.comb += [
            semaphores.clear.eq(self.start),
            semaphores.take.eq(load.take | store.take),
            semaphores.signal.eq(load.signal | store.signal | Mux(committed, 1 << Semaphore.SUMS_READY, 0)),
            semaphores.late_signal.eq(execute.late_signal),
            semaphores.late_take.eq(execute.late_take),
            *(engine.available.eq(semaphores.available) for engine in engines),
        ]

        # Start and stop.
        # All that moves, at the end of long chains.
        movements = Cat(
            ~reader.idle,
            ~writer.quiet,
            self.events.any(),
            semaphores.moving,
            execute.input_enable,
            execute.weight_enable,
            execute.decodes,
            execute.weights.valid & execute.weights.ready,
            execute.vectors.valid & execute.vectors.ready,
            accumulators.sums.valid,
            store.drain_enable,
            output_buffer.results.valid,
            store.segment.valid & store.segment.ready,
        )
        moved = Signal(len(movements))
        m.d.sync += moved.eq(movements)
        stored = stores.holds[0] & store.idle & output_buffer.idle & writer.idle
        m.d.comb += [
            fetch.stored.eq(stored),
            supervisor.start.eq(self.start),
            supervisor.hold.eq(self.hold),
            supervisor.idle.eq(fetch.finished & loads.holds[0] & load.idle & execute.idle & stored),
            supervisor.vectors_idle.eq(execute.vectors_idle),
            supervisor.moving.eq(moved.any()),
            supervisor.write_error.eq(writer.error),
            supervisor.write_error_pc.eq(writer.error_pc),
            supervisor.read_error.eq(load.error),
            supervisor.read_error_pc.eq(load.error_pc),
            supervisor.lane_overflow.eq(execute.overflow),
            supervisor.lane_overflow_pc.eq(execute.overflow_pc),
            supervisor.bank_conflict.eq(accumulators.conflict),
            supervisor.store_pc.eq(store.pc),
            supervisor.semaphore_overflow.eq(semaphores.overflow),
            supervisor.fetch_fault.eq(fetch.fault),
            supervisor.fetch_pc.eq(fetch.pc),
            *(unit.halt.eq(supervisor.halt) for unit in (reader, writer, fetch, *engines)),
            self.running.eq(supervisor.running),
            self.done.eq(supervisor.done),
            self.fault.eq(supervisor.fault),
            self.fault_pc.eq(supervisor.fault_pc),
            self.bus_quiet.eq(reader.idle & writer.quiet),
        ]

        # What can be seen from outside.
        m.d.comb += [
            counters.clear.eq(self.start),
            counters.running.eq(self.running),
            counters.vector_valid.eq(execute.vectors.valid | execute.beat),
            counters.vector_ready.eq(execute.vectors.ready | execute.beat),
            counters.stall.eq(execute.stall),
            counters.all_dispatched.eq(fetch.finished),
            counters.fetched.eq(reader.fetch_beat.valid),
            counters.loaded.eq(load.write_enable),
            counters.written.eq(writer.bus.wvalid & writer.bus.wready),
            self.counters.eq(counters.values),
        ]
        own_events = {
            Event.DISPATCHED: fetch.dispatched,
            Event.LOAD_STARTED: loads.output.valid & loads.output.ready,
            Event.LOAD_ENDED: load.ended,
            Event.SUMS_READY: committed,
            Event.STORE_STARTED: stores.output.valid & stores.output.ready,
            Event.STORE_DRAINED: store.drained,
            Event.STORE_ENDED: store.ended,
        }
        m.d.sync += [
            self.events[event].eq(own_events[event] if event in own_events else execute.events[event])
            for event in Event
        ]
        return m
