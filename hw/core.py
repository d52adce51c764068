"""Everything behind the registers: engines, buffers, mesh and the two halves of the bus master."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out, connect

from wingrid.hw.bus import axi
from wingrid.hw.bus.read_master import ReadMaster
from wingrid.hw.bus.write_master import WriteMaster
from wingrid.hw.config import ADDRESS_BITS, AcceleratorConfig
from wingrid.hw.control.counters import COUNTER_BITS, Counters
from wingrid.hw.control.fetch_engine import FetchEngine, dispatched
from wingrid.hw.control.semaphores import Semaphores
from wingrid.hw.events import Event
from wingrid.hw.execute.execute_engine import ExecuteEngine
from wingrid.hw.isa import PC_BITS, Buffer, Fault, Load, Semaphore, Store
from wingrid.hw.load.load_engine import LoadEngine
from wingrid.hw.mesh.accumulators import Accumulators, accumulator_tag
from wingrid.hw.mesh.matrix_unit import MatrixUnit
from wingrid.hw.mesh.mesh import Mesh
from wingrid.hw.queue import Queue
from wingrid.hw.registers import Counter
from wingrid.hw.store.output_buffer import OutputBuffer
from wingrid.hw.store.output_path import OutputPath
from wingrid.hw.store.store_engine import StoreEngine

QUIET_CYCLES = 1024
"""A running machine in which nothing has moved for this long is deadlocked: far above any internal latency."""


class Core(wiring.Component):
    """Runs a program from ``start`` until it is ``done`` or has a ``fault``.

    Both are levels that last until the next ``start`` (done) or reset (fault). After a fault no engine
    starts anything more; bursts under way on the bus are completed. ``bus_quiet`` says that none is.
    ``running`` begins in the cycle after ``start`` and ends with done or fault. ``events`` has a bit for each
    ``Event``.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        self._matrix_unit = MatrixUnit(config, accumulator_tag(config))
        self._accumulators = Accumulators(config)
        super().__init__(
            {
                "read_bus": Out(axi.read_channels(config)),
                "write_bus": Out(axi.write_channels(config)),
                "start": In(1),
                "hold": In(1),
                "program": In(ADDRESS_BITS),
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
    def commit_latency(config: AcceleratorConfig) -> int:
        """Cycles from a vector entering the mesh to the cycle in which its sum is written."""
        return Mesh.cycles(config) + Accumulators.latency

    @classmethod
    def settling_cycles(cls, config: AcceleratorConfig) -> int:
        """Cycles from a vector entering the mesh to the cycle after its sum is written."""
        return cls.commit_latency(config) + 1

    def elaborate(self, platform: object) -> Module:
        config = self._config
        m = Module()
        m.submodules.reader = reader = ReadMaster(config)
        m.submodules.writer = writer = WriteMaster(config)
        m.submodules.fetch = fetch = FetchEngine(config)
        m.submodules.load = load = LoadEngine(config)
        m.submodules.execute = execute = ExecuteEngine(config)
        m.submodules.matrix_unit = matrix_unit = self._matrix_unit
        m.submodules.accumulators = accumulators = self._accumulators
        m.submodules.output_path = output_path = OutputPath(config)
        m.submodules.output_buffer = output_buffer = OutputBuffer(config)
        m.submodules.store = store = StoreEngine(config)
        m.submodules.semaphores = semaphores = Semaphores()
        m.submodules.counters = counters = Counters(config)

        for master, bus in ((reader, self.read_bus), (writer, self.write_bus)):
            m.d.comb += [
                getattr(bus, name).eq(getattr(master.bus, name))
                if member.flow == Out
                else getattr(master.bus, name).eq(getattr(bus, name))
                for name, member in bus.signature.members.items()
            ]

        # Instructions and operands.
        connect(m, fetch.request, reader.fetch)
        connect(m, load.request, reader.load)
        # The execute engine has queues of its own, one for each of its parts.
        m.submodules.loads = loads = Queue(dispatched(Load), config.queue_depth)
        m.submodules.stores = stores = Queue(dispatched(Store), config.queue_depth)
        connect(m, fetch.load, loads.input)
        connect(m, loads.output, load.instruction)
        connect(m, fetch.execute, execute.instruction)
        connect(m, fetch.store, stores.input)
        connect(m, stores.output, store.instruction)
        m.d.comb += [
            fetch.start.eq(self.start),
            fetch.program.eq(self.program),
            fetch.length.eq(self.length),
            fetch.beat.eq(reader.fetch_beat),
            load.beat.eq(reader.load_beat),
        ]
        self._buffers(m, load, execute, store)
        own_events = {
            Event.DISPATCHED: fetch.dispatched,
            Event.LOAD_STARTED: loads.output.valid & loads.output.ready,
            Event.LOAD_ENDED: load.ended,
            Event.SUMS_READY: accumulators.committed,
            Event.STORE_STARTED: stores.output.valid & stores.output.ready,
            Event.STORE_DRAINED: store.drained,
            Event.STORE_ENDED: store.ended,
        }
        m.d.comb += [
            self.events[event].eq(own_events[event] if event in own_events else execute.events[event])
            for event in Event
        ]

        # Arithmetic.
        connect(m, execute.weights, matrix_unit.weights)
        connect(m, execute.vectors, matrix_unit.vectors)
        connect(m, store.segment, output_buffer.segment)
        connect(m, output_buffer.request, writer.request)
        m.d.comb += [
            accumulators.sums.eq(matrix_unit.sums),
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
            writer.beat.eq(output_buffer.beat),
            output_buffer.next_beat.eq(writer.next_beat),
            output_buffer.released.eq(writer.released),
            output_buffer.released_beats.eq(writer.released_beats),
        ]
        # A bank answers a cycle after it was asked.
        m.d.sync += output_path.sums.valid.eq(store.drain_enable)

        # Meeting points.
        m.d.comb += [
            semaphores.clear.eq(self.start),
            semaphores.take.eq(load.take | execute.take | store.take),
            semaphores.signal.eq(
                load.signal | execute.signal | store.signal | Mux(accumulators.committed, 1 << Semaphore.SUMS_READY, 0)
            ),
        ]
        engines = (load, execute, store)
        m.d.comb += [engine.available.eq(semaphores.available) for engine in engines]

        # Start and stop.
        halt = Signal()
        m.d.comb += halt.eq(self.hold | (self.fault != Fault.NONE))
        m.d.comb += [unit.halt.eq(halt) for unit in (reader, writer, fetch, *engines)]
        settled = self._settled(m, execute.vectors_idle)
        idle = Signal()
        m.d.comb += [
            idle.eq(
                fetch.finished
                & (loads.level == 0)
                & load.idle
                & execute.idle
                & settled
                & store.idle
                & output_buffer.idle
                & writer.idle
            ),
            self.bus_quiet.eq(reader.idle & writer.quiet),
        ]
        with m.If(self.start):
            m.d.sync += [self.running.eq(1), self.done.eq(0)]
        with m.Elif(self.running & (idle | (self.fault != Fault.NONE))):
            m.d.sync += [self.running.eq(0), self.done.eq(self.fault == Fault.NONE)]

        moving = Signal()
        m.d.comb += moving.eq(
            ~reader.idle
            | ~writer.quiet
            | (execute.vectors.valid & execute.vectors.ready)
            | (execute.weights.valid & execute.weights.ready)
            | semaphores.signal.any()
            | semaphores.take.any()
            | store.drain_enable
        )
        quiet_for = Signal(range(QUIET_CYCLES + 1))
        with m.If(~self.running | moving):
            m.d.sync += quiet_for.eq(0)
        with m.Else():
            m.d.sync += quiet_for.eq(quiet_for + 1)

        causes = (
            (writer.error, Fault.WRITE_ERROR, writer.error_pc),
            (load.error, Fault.READ_ERROR, load.error_pc),
            (accumulators.conflict, Fault.BANK_CONFLICT, store.pc),
            (semaphores.overflow, Fault.SEMAPHORE_OVERFLOW, fetch.pc),
            (fetch.fault != Fault.NONE, fetch.fault, fetch.pc),
            (quiet_for == QUIET_CYCLES, Fault.DEADLOCK, fetch.pc),
        )
        with m.If(self.running & (self.fault == Fault.NONE)):
            # The first fault stands; of simultaneous ones, the first of the list.
            for condition, code, pc in reversed(causes):
                with m.If(condition):
                    m.d.sync += [self.fault.eq(code), self.fault_pc.eq(pc)]

        m.d.comb += [
            counters.clear.eq(self.start),
            counters.running.eq(self.running),
            counters.vector_valid.eq(execute.vectors.valid),
            counters.vector_ready.eq(execute.vectors.ready),
            counters.stall.eq(execute.stall),
            counters.all_dispatched.eq(fetch.finished),
            counters.fetched.eq(reader.fetch_beat.valid),
            counters.loaded.eq(load.write_enable),
            counters.written.eq(writer.bus.wvalid & writer.bus.wready),
            self.counters.eq(counters.values),
        ]
        return m

    def _buffers(self, m: Module, load: LoadEngine, execute: ExecuteEngine, store: StoreEngine) -> None:
        """The three operand buffers: written by the load engine, each read by one engine a cycle later."""
        config = self._config
        shapes = {
            Buffer.INPUTS: (8 * config.rows, config.input_buffer),
            Buffer.WEIGHTS: (8 * config.cols, config.weight_buffer),
            Buffer.PARAMETERS: (8 * config.cols, config.parameter_entries),
        }
        reads = {}
        for buffer, (width, depth) in shapes.items():
            memory = Memory(shape=width, depth=depth, init=[])
            m.submodules[f"{buffer.name.lower()}_buffer"] = memory
            write = memory.write_port()
            m.d.comb += [
                write.addr.eq(load.write_address),
                write.data.eq(load.write_data),
                write.en.eq(load.write_enable[buffer.value]),
            ]
            reads[buffer] = memory.read_port()
        m.d.comb += [
            reads[Buffer.INPUTS].en.eq(execute.input_enable),
            reads[Buffer.INPUTS].addr.eq(execute.input_address),
            execute.input_data.eq(reads[Buffer.INPUTS].data),
            reads[Buffer.WEIGHTS].en.eq(execute.weight_enable),
            reads[Buffer.WEIGHTS].addr.eq(execute.weight_address),
            execute.weight_data.eq(reads[Buffer.WEIGHTS].data),
        ]
        m.d.comb += [
            reads[Buffer.PARAMETERS].addr.eq(store.parameter_address),
            store.parameter_data.eq(reads[Buffer.PARAMETERS].data),
        ]

    def _settled(self, m: Module, vectors_idle: Signal) -> Signal:
        """High when no vector is left to enter the mesh and the last one's sum is in its accumulator."""
        cycles = Signal(range(self.settling_cycles(self._config) + 1))
        settled = Signal()
        m.d.comb += settled.eq(vectors_idle & (cycles == 0))
        with m.If(~vectors_idle):
            m.d.sync += cycles.eq(self.settling_cycles(self._config))
        with m.Elif(cycles != 0):
            m.d.sync += cycles.eq(cycles - 1)
        return settled
