"""The watchdog never stops a machine that works, however long one unit works alone, and stops one that cannot go on."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import single_group
from layer_cases import SQUARE
from timing_cases import ALL_CONFIGS, MEMORY_BYTES, DataFault, TimingCase, free_case, measure_on, timing_case

from wingrid.hw import verilog
from wingrid.hw.core import Core
from wingrid.hw.encoding import encode_program
from wingrid.hw.isa import Execute, Fault, Load, Semaphore, Store, mask
from wingrid.hw.registers import Control, Counter, Register, Status, counter_address
from wingrid.sim.memory import MemoryTiming
from wingrid.sim.rtl.simulator import RtlSimulator
from wingrid.sim.timing.model import simulate

pytestmark = pytest.mark.rtl

BANKS = ALL_CONFIGS["2x2 of 4096 sums"]
TIMING = MemoryTiming(latency=40, bytes_per_cycle=4)


def start(device: RtlSimulator, length: int) -> None:
    device.write_register(Register.INTERRUPT_ENABLE, 1)
    device.write_register(Register.PROGRAM, single_group.PROGRAM)
    device.write_register(Register.PROGRAM_LENGTH, length)
    device.write_register(Register.CONTROL, Control.START)
    device.run_until_interrupt()


@pytest.mark.parametrize(
    ("tile", "height", "width", "count"),
    [
        (4, 16, 28, 28),
        (4, 4, 116, 29),
        (4, 20, 24, 30),
        (4, 24, 24, 36),
        (4, 28, 28, 49),
        (4, 40, 44, 110),
        (2, 16, 16, 64),
        (2, 16, 18, 72),
        (2, 20, 20, 100),
        (2, 30, 34, 255),
    ],
)
def test_a_first_block_may_take_any_time(tile: int, height: int, width: int, count: int) -> None:
    """Nothing but the patch feeder moves until (tile + 2)**2 * count pixels are read."""
    group = single_group.build(BANKS, tile=tile, channels=2, filters=2, height=height, width=width)
    assert any(isinstance(instruction, Execute) and instruction.count == count for instruction in group.instructions)
    with RtlSimulator(BANKS, timing=TIMING, memory_bytes=single_group.MEMORY_BYTES) as device:
        device.memory[:] = group.memory
        start(device, group.length)
        assert device.read_register(Register.STATUS) == Status.DONE
        results = device.memory[single_group.RESULTS : single_group.RESULTS + group.expected.size]
        np.testing.assert_array_equal(results, group.expected)
        model = simulate(BANKS, group.instructions, TIMING, program_address=single_group.PROGRAM)
        assert device.read_register(counter_address(Counter.CYCLES)) == model.cycles


@functools.cache
def impatient(name: str) -> str:
    """An accelerator of ``ALL_CONFIGS`` whose watchdog strikes as soon as it may, without any margin."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Core, "quiet_cycles_for", staticmethod(Core.silence_for))
        return verilog.generate(ALL_CONFIGS[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", [pytest.param("4x4", marks=pytest.mark.long), "2x2 of 4096 sums"])
def test_even_without_its_margin_the_watchdog_stops_no_program(name: str) -> None:
    ran = 0
    for seed in range(40):
        case: TimingCase = (free_case if seed % 2 else timing_case)(seed, name)
        with RtlSimulator(
            case.config, memory_bytes=MEMORY_BYTES, timing=case.timing, verilog=impatient(name)
        ) as device:
            try:
                measure_on(device, encode_program(case.instructions))
            except DataFault:
                continue
        ran += 1
    assert ran > 30


@pytest.mark.parametrize(
    ("program", "pc"),
    [
        ([Load(wait=mask([Semaphore.OPERANDS_RELEASED]))], 1),
        ([Execute(wait=mask([Semaphore.WEIGHTS_LOADED]))], 1),
        ([Execute(wait=mask([Semaphore.INPUTS_LOADED]))], 1),
        ([Execute(wait=mask([Semaphore.INPUTS_LOADED]), tile=4, kernel_height=6, kernel_width=6)], 1),
        ([Execute(wait=mask([Semaphore.BANK_RELEASED]), tile=4, kernel_height=6, kernel_width=6, blocks=9)], 1),
        ([Store(wait=mask([Semaphore.SUMS_READY]))], 1),
        ([Store(wait=mask([Semaphore.PARAMETERS_LOADED]))] * 20, SQUARE.queue_depth),
    ],
)
def test_a_program_that_cannot_go_on_is_stopped_soon(program: list[Load | Execute | Store], pc: int) -> None:
    code = encode_program(program)
    with RtlSimulator(SQUARE, timing=TIMING, memory_bytes=MEMORY_BYTES, patience=5000) as device:
        device.memory[: len(code)] = np.frombuffer(code, np.uint8)
        start(device, len(program))
        assert device.read_register(Register.STATUS) == Status.FAULT
        assert device.read_register(Register.FAULT) == Fault.DEADLOCK
        assert device.read_register(Register.FAULT_PC) == pc
        assert device.read_register(counter_address(Counter.CYCLES)) < 1500
