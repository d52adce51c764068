"""The Verilated accelerator, driven by nothing but its registers and a program in memory."""

from __future__ import annotations

import collections
from dataclasses import dataclass

import numpy as np
import pytest
import single_group

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.events import Event
from wingrid.hw.isa import Fault, Store
from wingrid.hw.registers import IDENTITY, Control, Counter, Register, Status, counter_address
from wingrid.sim.memory import MemoryTiming
from wingrid.sim.rtl.simulator import RtlSimulator

pytestmark = pytest.mark.rtl

CONFIG = AcceleratorConfig(
    winograd=0, rows=4, cols=4, input_buffer=256, weight_buffer=1024, accumulators=128, output_buffer=64, burst_beats=16
)


@dataclass(frozen=True)
class Outcome:
    """What a run leaves behind."""

    cycles: int
    status: int
    fault: int
    counters: tuple[int, ...]
    memory: bytes


def start(simulator: RtlSimulator, length: int) -> None:
    simulator.write_register(Register.INTERRUPT_PENDING, 1)
    simulator.write_register(Register.INTERRUPT_ENABLE, 1)
    simulator.write_register(Register.PROGRAM, single_group.PROGRAM)
    simulator.write_register(Register.PROGRAM_LENGTH, length)
    simulator.write_register(Register.CONTROL, Control.START)


def run(simulator: RtlSimulator, group: single_group.SingleGroup) -> Outcome:
    simulator.memory[:] = group.memory
    start(simulator, group.length)
    cycles = simulator.run_until_interrupt()
    return Outcome(
        cycles,
        simulator.read_register(Register.STATUS),
        simulator.read_register(Register.FAULT),
        tuple(simulator.read_register(counter_address(counter)) for counter in Counter),
        simulator.memory.tobytes(),
    )


def results(outcome: Outcome, group: single_group.SingleGroup) -> np.ndarray:
    memory = np.frombuffer(outcome.memory, np.uint8)
    return memory[single_group.RESULTS : single_group.RESULTS + group.expected.size]


def test_a_convolution_is_exact_and_repeats_itself_under_every_seed() -> None:
    group = single_group.build(CONFIG)
    outcomes = []
    for seed in (1, 1, 2, 77):
        with RtlSimulator(CONFIG, memory_bytes=single_group.MEMORY_BYTES, seed=seed) as simulator:
            assert simulator.read_register(Register.IDENTITY) == IDENTITY
            outcomes += [run(simulator, group), run(simulator, group)]
    np.testing.assert_array_equal(results(outcomes[0], group), group.expected.ravel())
    assert outcomes[0].status == Status.DONE
    assert outcomes[0].fault == 0
    assert outcomes[0].counters[Counter.CYCLES] == sum(outcomes[0].counters[Counter.BUSY : Counter.STALL_DRAIN + 1])
    assert set(outcomes) == {outcomes[0]}, "values from before the start have an effect"


@pytest.mark.parametrize("timing", [MemoryTiming(1, 4), MemoryTiming(200, 1)], ids=str)
def test_memory_timing_changes_cycles_but_no_bit(timing: MemoryTiming) -> None:
    group = single_group.build(CONFIG, seed=3)
    with RtlSimulator(CONFIG, memory_bytes=single_group.MEMORY_BYTES) as simulator:
        usual = run(simulator, group)
    with RtlSimulator(CONFIG, memory_bytes=single_group.MEMORY_BYTES, timing=timing) as simulator:
        outcome = run(simulator, group)
    np.testing.assert_array_equal(results(outcome, group), group.expected.ravel())
    assert outcome.memory == usual.memory
    assert outcome.cycles != usual.cycles
    assert outcome.counters[Counter.BUSY] == usual.counters[Counter.BUSY]
    assert outcome.counters[Counter.BYTES_INSTRUCTIONS :] == usual.counters[Counter.BYTES_INSTRUCTIONS :]


def test_a_base_is_for_the_next_program() -> None:
    group = single_group.build(CONFIG)
    with RtlSimulator(CONFIG, memory_bytes=single_group.MEMORY_BYTES, base=0x4000_1000) as simulator:
        simulator.write_register(Register.BASE, simulator.base)
        usual = run(simulator, group)
        np.testing.assert_array_equal(results(usual, group), group.expected.ravel())
        simulator.memory[:] = group.memory
        start(simulator, group.length)
        simulator.write_register(Register.BASE, 0)
        assert simulator.read_register(Register.STATUS) == Status.RUNNING
        simulator.run_until_interrupt()
        assert simulator.read_register(Register.STATUS) == Status.DONE
        assert simulator.memory.tobytes() == usual.memory
        start(simulator, group.length)
        simulator.run_until_interrupt()
        assert simulator.read_register(Register.FAULT) == Fault.READ_ERROR.value


def test_events_count_from_the_start_and_are_only_kept_while_they_are_wanted() -> None:
    group = single_group.build(CONFIG)
    with RtlSimulator(CONFIG, memory_bytes=single_group.MEMORY_BYTES) as simulator:
        run(simulator, group)
        assert len(simulator.events()) == 0
        simulator.record_events()
        simulator.memory[:] = group.memory
        start(simulator, group.length)
        cycles = simulator.run_until_interrupt()
        events = simulator.events()
        counts = collections.Counter(events["event"].tolist())
        assert counts[Event.DISPATCHED] == group.length
        assert counts[Event.STORE_ENDED] == sum(isinstance(instruction, Store) for instruction in group.instructions)
        assert counts[Event.PATCHES_STARTED] == 0
        assert events["cycle"].min() > 0
        assert (np.diff(events["cycle"]) >= 0).all()
        assert events["cycle"].max() < cycles
        simulator.record_events(False)
        assert len(simulator.events()) == 0


@pytest.mark.parametrize(
    ("where", "fault"),
    [
        (single_group.PROGRAM + 64, Fault.READ_ERROR),
        (single_group.WEIGHTS + 8, Fault.READ_ERROR),
        (single_group.RESULTS + 8, Fault.WRITE_ERROR),
    ],
)
def test_a_bus_error_stops_the_machine_which_then_works_again(where: int, fault: Fault) -> None:
    group = single_group.build(CONFIG)
    with RtlSimulator(CONFIG, memory_bytes=single_group.MEMORY_BYTES, patience=10_000) as simulator:
        simulator.inject_error(where, where)
        outcome = run(simulator, group)
        assert Status(outcome.status) & Status.FAULT
        assert outcome.fault == fault.value
        simulator.clear_errors()
        simulator.write_register(Register.CONTROL, Control.RESET)
        while simulator.read_register(Register.STATUS) & Status.RESETTING:
            pass
        outcome = run(simulator, group)
        assert (outcome.status, outcome.fault) == (Status.DONE, 0)
        np.testing.assert_array_equal(results(outcome, group), group.expected.ravel())
