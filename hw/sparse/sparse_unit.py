"""Sparse EXECUTEs: streams from the weight buffer, activations from the input buffer, vectors for the accumulators."""

from __future__ import annotations

from itertools import pairwise

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.control.counters import Stall
from wingrid.hw.control.fetch_engine import dispatched
from wingrid.hw.control.semaphores import armed, satisfied
from wingrid.hw.isa import LARGEST_CODEBOOK, PC_BITS, SPARSE_FORMATS, Execute, Semaphore, SparseFormat
from wingrid.hw.load.operand_buffers import OperandBuffers, next_entry
from wingrid.hw.mesh.accumulators import Accumulators, accumulator_tag
from wingrid.hw.mesh.matrix_unit import sums_layout
from wingrid.hw.queue import Queue
from wingrid.hw.sparse.adder_tree import AdderTree
from wingrid.hw.sparse.row_collector import RowCollector, destination_layout
from wingrid.hw.sparse.sparse_lane import ROWS_TAKEN_BITS, SUM_BITS, SparseLane

WAITS = Execute.waits
"""No half of the engine runs ahead here: all semaphores of an EXECUTE are waited for at its start."""


class SparseUnit(wiring.Component):
    """Carries out queued sparse EXECUTEs in order, an entry of the weight buffer per cycle, across instructions too.

    Each entry holds a byte for each ``SparseLane``. When all lanes have summed up a row, their sums go through the
    adder tree; ``cols`` rows are a vector. All of it free-runs behind the entries: time is their number, whatever is in
    them, and streams that no encoder makes lead to wrong sums at most, or to ``overflow``.

    Members
    -------
    instruction : In, stream of ``dispatched(Execute)``
        Taken in order, sparse ones alone.
    available : In, len(Semaphore)
    take : Out, len(Semaphore)
    signal : Out, len(Semaphore)
        OPERANDS_RELEASED alone, with the last activation's address.
    weight_enable : Out, 1
    weight_address : Out, range(weight_buffer)
    weight_data : In, 8 * weight_lanes
        The weight buffer's entry, ``OperandBuffers.read_latency`` cycles after its address.
    input_enable : Out, 1
    input_addresses : Out, rows x range(input_buffer)
    input_data : In, 8 * rows
        A byte of each lane's entry of the input buffer, ``OperandBuffers.read_latency`` cycles after its address.
    sums : Out, ``sums_layout(config, accumulator_tag(config))``
    committed : Out, 1
        All vectors are in their accumulators, of an instruction that signals SUMS_READY and those before.
    overflow : Out, 1
        A lane is further ahead of another one than its window is long.
    overflow_pc : Out, PC_BITS
        Index of the instruction whose entry it was.
    halt : In, 1
        No further instruction starts.
    stall : Out, Stall
        What kept the next entry from being counted in the cycle before, when ``beat`` was low.
    idle : Out, 1
        Nothing is queued or being read. What was read is in the accumulators ``latency_for(config)`` +
        ``Accumulators.latency`` cycles later.
    beat : Out, 1
        An entry was read in the cycle before.
    started : Out, 1
        An instruction starts.
    ended : Out, 1
        The last entry of an instruction is read.
    """

    start_latency = 1
    """Cycles from the start of an instruction to its first read."""
    read_latency = 1
    """Cycles from a read to its ``beat``."""
    release_latency = OperandBuffers.read_latency + 2
    """Cycles from the read of an entry to the addresses of its activations."""

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        super().__init__(
            {
                "instruction": In(stream.Signature(dispatched(Execute))),
                "available": In(len(Semaphore)),
                "take": Out(len(Semaphore)),
                "signal": Out(len(Semaphore)),
                "weight_enable": Out(1),
                "weight_address": Out(range(config.weight_buffer)),
                "weight_data": In(8 * config.weight_lanes),
                "input_enable": Out(1),
                "input_addresses": Out(data.ArrayLayout(range(config.input_buffer), config.rows)),
                "input_data": In(data.ArrayLayout(signed(8), config.rows)),
                "sums": Out(sums_layout(config, accumulator_tag(config))),
                "committed": Out(1),
                "overflow": Out(1),
                "overflow_pc": Out(PC_BITS),
                "halt": In(1),
                "stall": Out(Stall),
                "idle": Out(1),
                "beat": Out(1),
                "started": Out(1),
                "ended": Out(1),
            }
        )

    @staticmethod
    def _tree_latency(config: AcceleratorConfig) -> int:
        """Cycles from the read of an entry to the sum of the row that it ends, as the collector takes it."""
        lane = OperandBuffers.read_latency + 1 + SparseLane.row_latency
        return lane + 1 + AdderTree.latency_for(config.rows)

    @staticmethod
    def latency_for(config: AcceleratorConfig) -> int:
        """Cycles from a ``beat`` to the vector that its entry completes."""
        return SparseUnit._tree_latency(config) + RowCollector.latency - SparseUnit.read_latency

    def elaborate(self, platform: object) -> Module:
        config = self._config
        m = Module()
        current, begins = self._read(m)
        latency = self._tree_latency(config)
        # What belongs to an entry goes along with it.
        tags = [Signal(self._tag_layout(), name=f"tag_{cycle}", reset_less=True) for cycle in range(latency + 1)]
        valid = Signal(latency)
        begin = Signal(latency)
        m.d.comb += [
            tags[0].format.eq(current.sparse),
            tags[0].before.eq(current.input_base - 1),
            tags[0].destination.bank.eq(current.bank),
            tags[0].destination.address.eq(current.accumulator_base),
            tags[0].destination.count.eq(current.count),
            tags[0].pc.eq(current.pc),
        ]
        m.d.sync += [later.eq(earlier) for earlier, later in pairwise(tags)]
        m.d.sync += [
            valid.eq(Cat(self.weight_enable, valid)),
            begin.eq(Cat(self.weight_enable & begins, begin)),
        ]
        arrives = OperandBuffers.read_latency - 1
        lanes = self._lanes(m, valid[arrives], begin[arrives], tags[arrives + 1])
        m.d.comb += [self.beat.eq(valid[0]), self.input_enable.eq(valid[arrives + 2])]
        self._add_up(m, lanes, begin, tags)
        self._finish(m, current.signal)
        return m

    def _tag_layout(self) -> data.StructLayout:
        return data.StructLayout(
            {
                "format": SparseFormat,
                "before": range(self._config.input_buffer),
                "destination": destination_layout(self._config),
                "pc": PC_BITS,
            }
        )

    def _read(self, m: Module) -> tuple[data.View, Value]:
        """Start instructions and read their entries; returns what is under way, and whether it begins a run."""
        config = self._config
        wanted = {
            "wait": len(Semaphore),
            "signal": len(Semaphore),
            "accumulate": 1,
            "bank": 1,
            "sparse": SparseFormat,
            "count": range(config.accumulators + 1),
            "accumulator_base": range(config.accumulators),
            "blocks": 16,
            "input_base": range(config.input_buffer),
            "weight_base": range(config.weight_buffer),
        }
        fields = data.StructLayout({**wanted, "pc": PC_BITS})
        m.submodules.queue = queue = Queue(fields, config.queue_depth)
        offered = self.instruction.payload
        m.d.comb += [
            queue.input.valid.eq(self.instruction.valid),
            self.instruction.ready.eq(queue.input.ready),
            queue.input.payload.pc.eq(offered.pc),
            *(Value.cast(queue.input.payload[name]).eq(offered.instruction[name]) for name in wanted),
        ]
        head = queue.output.payload
        current = Signal(fields)
        active = Signal()
        begins = Signal()
        last = Signal()
        start = Signal()
        has_all = queue.output.valid & satisfied(head.wait, self.available, WAITS)
        m.d.comb += [
            start.eq(armed(m, has_all, start) & (~active | last) & ~self.halt),
            queue.output.ready.eq(start),
            self.take.eq(Mux(start, head.wait, 0)),
            self.weight_enable.eq(active),
            self.weight_address.eq(current.weight_base),
            self.started.eq(start),
            self.ended.eq(active & last),
            self.idle.eq(~active & ~queue.output.valid & ~self.beat),
        ]
        with m.If(active):
            m.d.sync += [
                current.weight_base.eq(next_entry(current.weight_base, config.weight_buffer)),
                current.blocks.eq(current.blocks - 1),
                last.eq(current.blocks == 2),
                begins.eq(0),
            ]
            with m.If(last):
                m.d.sync += active.eq(0)
        with m.If(start):
            m.d.sync += [
                active.eq(1),
                current.eq(head),
                last.eq(head.blocks == 1),
                begins.eq(~head.accumulate),
            ]
        m.d.sync += self.stall.eq(Stall.NO_INSTRUCTION)
        with m.If(active | has_all):
            m.d.sync += self.stall.eq(Stall.PIPELINE)
        with m.Elif(queue.output.valid):
            m.d.sync += self.stall.eq(Stall.WEIGHTS)
            for semaphore, stall in (
                (Semaphore.INPUTS_LOADED, Stall.INPUTS),
                (Semaphore.BANK_RELEASED, Stall.ACCUMULATORS),
            ):
                with m.If(head.wait[semaphore] & ~self.available[semaphore]):
                    m.d.sync += self.stall.eq(stall)
        return current, begins

    def _lanes(self, m: Module, valid: Value, begin: Value, tag: data.View) -> list[SparseLane]:
        """The lanes, each with its byte in a register; ``valid`` and ``begin`` are of the cycle of ``weight_data``."""
        place = Signal(range(LARGEST_CODEBOOK + 1))
        has_gap = Signal()
        here = Signal.like(place)
        loads = Signal()
        literal = tag.format == SparseFormat.LITERAL
        brings_gap = literal & (begin | ~has_gap)
        m.d.comb += here.eq(Mux(begin, 0, place))
        with m.Switch(tag.format):
            for form in SPARSE_FORMATS:
                if form is not SparseFormat.LITERAL:
                    with m.Case(form):
                        m.d.comb += loads.eq(here < form.codebook_entries)
        with m.If(valid):
            m.d.sync += [place.eq(here + loads), has_gap.eq(brings_gap)]

        shared = {
            "begin": valid & begin,
            "loads_value": valid & loads,
            "codebook_place": here[: (LARGEST_CODEBOOK - 1).bit_length()],
            "loads_gap": valid & brings_gap,
            "steps": valid & ~loads & ~brings_gap,
            "format": tag.format,
            "before": tag.before,
        }
        lanes = []
        for number in range(self._config.rows):
            m.submodules[f"lane_{number}"] = lane = SparseLane(self._config)
            lanes.append(lane)
            entry = Signal(8, name=f"entry_{number}", reset_less=True)
            m.d.sync += entry.eq(self.weight_data.word_select(number, 8))
            m.d.comb += [
                lane.entry.eq(entry),
                self.input_addresses[number].eq(lane.address),
                lane.activation.eq(self.input_data[number]),
            ]
        for name, value in shared.items():
            held = Signal.like(getattr(lanes[0], name), name=name)
            m.d.sync += Value.cast(held).eq(value)
            m.d.comb += [getattr(lane, name).eq(held) for lane in lanes]
        return lanes

    def _add_up(self, m: Module, lanes: list[SparseLane], begin: Value, tags: list[data.View]) -> None:
        config = self._config
        m.submodules.tree = tree = AdderTree(config.rows, SUM_BITS)
        m.submodules.collector = collector = RowCollector(config)
        taken = Signal(ROWS_TAKEN_BITS)
        takes = Signal()
        m.d.comb += takes.eq(Cat(lane.waits for lane in lanes).all())
        with m.If(lanes[0].clears):
            m.d.sync += taken.eq(0)
        with m.Elif(takes):
            m.d.sync += taken.eq(taken + 1)
        arrives = Signal(1 + AdderTree.latency_for(config.rows))
        m.d.sync += arrives.eq(Cat(takes, arrives))
        for number, lane in enumerate(lanes):
            m.d.comb += [lane.taken.eq(taken), lane.takes.eq(takes), tree.input[number].eq(lane.sum)]
        m.d.comb += [
            collector.begin.eq(begin[-1]),
            collector.destination.eq(tags[-1].destination),
            collector.valid.eq(arrives[-1]),
            collector.sum.eq(tree.output),
            self.sums.eq(collector.sums),
        ]
        pushed = OperandBuffers.read_latency + SparseLane.row_latency
        m.d.sync += [
            self.overflow.eq(Cat(lane.overflow for lane in lanes).any()),
            self.overflow_pc.eq(tags[pushed].pc),
        ]

    def _finish(self, m: Module, signals: Value) -> None:
        """Signal what the last entry of an instruction stands for, when it has come to its end."""
        released = Signal(self.release_latency)
        committed = Signal(self._tree_latency(self._config) + RowCollector.latency + Accumulators.latency)
        m.d.sync += [
            released.eq(Cat(self.ended & signals[Semaphore.OPERANDS_RELEASED], released)),
            committed.eq(Cat(self.ended & signals[Semaphore.SUMS_READY], committed)),
        ]
        m.d.comb += [
            self.signal.eq(Mux(released[-1], 1 << Semaphore.OPERANDS_RELEASED, 0)),
            self.committed.eq(committed[-1]),
        ]
