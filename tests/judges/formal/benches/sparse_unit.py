"""What is proved about sparse EXECUTEs: when they start, what they read, and when they signal."""

from __future__ import annotations

from typing import ClassVar

from amaranth.hdl import Cat, Module, Mux, Signal
from benches.row_collector import LANES
from rules import Bench, past

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.control.fetch_engine import dispatched
from wingrid.hw.control.semaphores import ARMING_LATENCY
from wingrid.hw.isa import Execute, Semaphore
from wingrid.hw.mesh.accumulators import Accumulators
from wingrid.hw.sparse.sparse_unit import WAITS, SparseUnit

MOST = 7
"""Entries of an EXECUTE here: rules are about their order, not about their number."""


class SparseUnitBench(Bench):
    """Any sparse EXECUTEs, any weights and inputs, semaphores that stay until the unit takes them.

    One instruction, whichever, is watched from when the unit takes it to its last signal.
    """

    rules: ClassVar = {
        "starts": "an instruction starts as soon as it has all that it waits for and no entry is left of those before",
        "takes": "a start takes what the instruction waits for, and nothing is taken otherwise",
        "available": "only semaphores that are available are taken",
        "entries": "an instruction's entries are read one a cycle from its base on, as many as it has, and no others",
        "ended": "an instruction ends with the last of its entries",
        "beat": "a beat follows each read",
        "inputs": "inputs are read for each entry, and at no other time",
        "released": "OPERANDS_RELEASED comes release_latency cycles after the end of an instruction that signals it",
        "committed": "what is committed is told a fixed time after the end of an instruction that signals it",
        "signals": "nothing is signalled but of instructions that ended",
    }
    witnesses: ClassVar = {
        "second": "an instruction started with the last entry of the one before",
        "late": "an instruction waited for its semaphore",
        "signalled": "the watched instruction signalled both",
    }

    def __init__(self, config: AcceleratorConfig = LANES) -> None:
        self.config = config
        super().__init__(
            {
                "instruction_valid": 1, "instruction": dispatched(Execute).size, "available": len(Semaphore), "halt": 1,
                "weights": 8 * config.weight_lanes, "inputs": 8 * config.rows, "watch": 1,
            }
        )  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        config = self.config
        m = Module()
        self.begin(m)
        m.submodules.device = device = SparseUnit(config)
        execute = device.instruction.payload.instruction
        m.d.comb += [
            device.instruction.valid.eq(self.instruction_valid),
            device.instruction.payload.as_value().eq(self.instruction),
            device.available.eq(self.available),
            device.halt.eq(self.halt),
            device.weight_data.eq(self.weights),
            device.input_data.as_value().eq(self.inputs),
        ]
        # The decoder refuses others; the instruction is one that a queue offers until it is taken.
        self.assume(~self.instruction_valid | ((execute.blocks > 0) & (execute.blocks <= MOST)))
        waits = sum(1 << semaphore for semaphore in WAITS)
        self.assume(~self.instruction_valid | ((execute.wait & ~waits) == 0))
        self.assume((past(m, device.available & ~device.take, "left") & ~self.available) == 0)

        # The watched one: how many are before it, and what it asks for.
        enters = self.instruction_valid & device.instruction.ready
        outstanding, before = Signal(range(8)), Signal(range(8))
        watching, waiting, under_way = Signal(), Signal(), Signal()
        wait, signal = Signal(len(Semaphore)), Signal(len(Semaphore))
        left, base = Signal(range(MOST + 1)), Signal(range(config.weight_buffer))
        starts = Signal()
        m.d.comb += starts.eq(waiting & (before == 0) & device.started)
        m.d.sync += outstanding.eq(outstanding + enters - device.started)
        with m.If(waiting & device.started):
            m.d.sync += before.eq(before - 1)
        with m.If(self.watch & enters & ~watching):
            m.d.sync += [
                watching.eq(1), waiting.eq(1), before.eq(outstanding - device.started),
                wait.eq(execute.wait), signal.eq(execute.signal), left.eq(execute.blocks), base.eq(execute.weight_base),
            ]  # fmt: skip
        with m.If(starts):
            m.d.sync += [waiting.eq(0), under_way.eq(1)]
        with m.If(under_way):
            m.d.sync += [left.eq(left - 1), base.eq(Mux(base == config.weight_buffer - 1, 0, base + 1))]
            with m.If(left == 1):
                m.d.sync += under_way.eq(0)

        # Entries in all, of whichever instruction: between a start and the end that belongs to it.
        reading = Signal()
        with m.If(device.started):
            m.d.sync += reading.eq(1)
        with m.Elif(device.ended):
            m.d.sync += reading.eq(0)
        has_all = waiting & (before == 0) & ((wait & ~self.available) == 0)
        idle_for = Signal(range(ARMING_LATENCY + 1))
        can_start = has_all & (~reading | device.ended) & ~self.halt
        with m.If(~has_all | starts):
            m.d.sync += idle_for.eq(0)
        with m.Elif(idle_for != ARMING_LATENCY):
            m.d.sync += idle_for.eq(idle_for + 1)

        ended = under_way & (left == 1)
        releases = self._later(m, ended, SparseUnit.release_latency, "released")
        commits = SparseUnit.read_latency + SparseUnit.latency_for(config) + Accumulators.latency
        committed = self._later(m, ended, commits, "committed")
        any_released = self._later(m, device.ended, SparseUnit.release_latency, "any_released")
        any_committed = self._later(m, device.ended, commits, "any_committed")
        read = self._later(m, device.weight_enable, SparseUnit.release_latency, "read")

        self.rule(m, "starts", ~(can_start & (idle_for == ARMING_LATENCY)) | device.started)
        self.rule(m, "takes", device.take == Mux(starts, wait, device.take & device.started.replicate(len(Semaphore))))
        self.rule(m, "available", (device.take & ~self.available) == 0)
        self.rule(
            m,
            "entries",
            (device.weight_enable == reading) & (~under_way | (device.weight_enable & (device.weight_address == base))),
        )
        self.rule(m, "ended", ~under_way | (device.ended == (left == 1)))
        self.rule(m, "beat", device.beat == past(m, device.weight_enable, "was_read"))
        self.rule(m, "inputs", device.input_enable == read)
        released = 1 << Semaphore.OPERANDS_RELEASED
        self.rule(m, "released", ~releases | (device.signal == (signal & released)))
        self.rule(m, "committed", ~committed | (device.committed == signal[Semaphore.SUMS_READY]))
        self.rule(m, "signals", (any_released | (device.signal == 0)) & (any_committed | ~device.committed))
        self.witness(m, "second", device.started & device.ended)
        self.witness(m, "late", waiting & (before == 0) & ~has_all & ~reading)
        self.witness(m, "signalled", committed & device.committed & signal[Semaphore.OPERANDS_RELEASED])
        self.conclude(m)
        return m

    def _later(self, m: Module, pulse: Signal, cycles: int, name: str) -> Signal:
        """The pulse, so many cycles later."""
        line = Signal(cycles, name=f"{name}_line")
        m.d.sync += line.eq(Cat(pulse, line))
        return line[-1]
