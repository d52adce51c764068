"""Start, end, settling, deadlock, and which of several faults stands."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from amaranth.sim import SimulatorContext
from simulation import simulate

from wingrid.hw.control.supervisor import Supervisor
from wingrid.hw.isa import Fault

SETTLING_CYCLES = 5
QUIET_CYCLES = 30

# Causes in the order of their priority: the port that reports each, its value, and the port with the instruction.
CAUSES = (
    ("write_error", 1, Fault.WRITE_ERROR, "write_error_pc"),
    ("read_error", 1, Fault.READ_ERROR, "read_error_pc"),
    ("bank_conflict", 1, Fault.BANK_CONFLICT, "store_pc"),
    ("semaphore_overflow", 1, Fault.SEMAPHORE_OVERFLOW, "fetch_pc"),
    ("fetch_fault", Fault.ILLEGAL_INSTRUCTION, Fault.ILLEGAL_INSTRUCTION, "fetch_pc"),
)
PCS = {"write_error_pc": 11, "read_error_pc": 22, "store_pc": 33, "fetch_pc": 44}


def test_runs_from_the_cycle_after_start_until_idle() -> None:
    async def bench(ctx: SimulatorContext, supervisor: Supervisor) -> None:
        assert state(ctx, supervisor) == (0, 0, Fault.NONE)
        await start(ctx, supervisor)
        for _ in range(10):
            assert state(ctx, supervisor) == (1, 0, Fault.NONE)
            await ctx.tick()
        ctx.set(supervisor.idle, 1)
        for _ in range(1 + Supervisor.stop_latency):
            assert state(ctx, supervisor) == (1, 0, Fault.NONE)
            await ctx.tick()
        assert state(ctx, supervisor) == (0, 1, Fault.NONE)

    run(bench)


def test_done_lasts_until_the_next_start() -> None:
    async def bench(ctx: SimulatorContext, supervisor: Supervisor) -> None:
        await start(ctx, supervisor)
        ctx.set(supervisor.idle, 1)
        await ctx.tick().repeat(5)
        assert state(ctx, supervisor) == (0, 1, Fault.NONE)
        ctx.set(supervisor.idle, 0)
        await start(ctx, supervisor)
        assert state(ctx, supervisor) == (1, 0, Fault.NONE)

    run(bench)


def test_waits_until_the_last_vector_has_settled() -> None:
    async def bench(ctx: SimulatorContext, supervisor: Supervisor) -> None:
        await start(ctx, supervisor)
        ctx.set(supervisor.idle, 1)
        ctx.set(supervisor.vectors_idle, 0)
        await ctx.tick().repeat(3)
        ctx.set(supervisor.vectors_idle, 1)
        for _ in range(SETTLING_CYCLES + Supervisor.stop_latency):
            assert state(ctx, supervisor) == (1, 0, Fault.NONE)
            await ctx.tick()
        assert state(ctx, supervisor) == (1, 0, Fault.NONE)
        await ctx.tick()
        assert state(ctx, supervisor) == (0, 1, Fault.NONE)

    run(bench)


def test_hold_and_faults_halt() -> None:
    async def bench(ctx: SimulatorContext, supervisor: Supervisor) -> None:
        await start(ctx, supervisor)
        assert not ctx.get(supervisor.halt)
        ctx.set(supervisor.hold, 1)
        assert not ctx.get(supervisor.halt)
        await ctx.tick()
        assert ctx.get(supervisor.halt)
        ctx.set(supervisor.hold, 0)
        await ctx.tick()
        ctx.set(supervisor.read_error, 1)
        for _ in range(3):
            assert not ctx.get(supervisor.halt)
            await ctx.tick()
        assert ctx.get(supervisor.halt)

    run(bench)


@pytest.mark.parametrize("first", range(len(CAUSES)), ids=[cause[0] for cause in CAUSES])
def test_of_simultaneous_faults_the_first_cause_wins(first: int) -> None:
    async def bench(ctx: SimulatorContext, supervisor: Supervisor) -> None:
        await start(ctx, supervisor)
        for port, value, _, _ in CAUSES[first:]:
            ctx.set(getattr(supervisor, port), value)
        await ctx.tick()
        # The instruction is the one of that cycle, whatever comes next.
        for port in PCS:
            ctx.set(getattr(supervisor, port), 99)
        await ctx.tick()
        _, _, fault, pc = CAUSES[first]
        assert ctx.get(supervisor.fault) == fault
        assert ctx.get(supervisor.fault_pc) == PCS[pc]
        assert ctx.get(supervisor.running)
        await ctx.tick()
        assert state(ctx, supervisor) == (0, 0, fault)

    run(bench)


def test_the_first_fault_stands() -> None:
    async def bench(ctx: SimulatorContext, supervisor: Supervisor) -> None:
        await start(ctx, supervisor)
        ctx.set(supervisor.semaphore_overflow, 1)
        await ctx.tick()
        ctx.set(supervisor.semaphore_overflow, 0)
        ctx.set(supervisor.fetch_pc, 45)
        ctx.set(supervisor.write_error, 1)
        await ctx.tick().repeat(5)
        assert state(ctx, supervisor) == (0, 0, Fault.SEMAPHORE_OVERFLOW)
        assert ctx.get(supervisor.fault_pc) == PCS["fetch_pc"]

    run(bench)


def test_a_stopped_machine_takes_no_fault() -> None:
    async def bench(ctx: SimulatorContext, supervisor: Supervisor) -> None:
        ctx.set(supervisor.write_error, 1)
        await ctx.tick().repeat(QUIET_CYCLES + 5)
        assert state(ctx, supervisor) == (0, 0, Fault.NONE)

    run(bench)


def test_a_quiet_machine_is_deadlocked() -> None:
    async def bench(ctx: SimulatorContext, supervisor: Supervisor) -> None:
        await start(ctx, supervisor)
        await ctx.tick().repeat(QUIET_CYCLES - 1)
        ctx.set(supervisor.moving, 1)
        await ctx.tick()
        ctx.set(supervisor.moving, 0)
        await ctx.tick().repeat(QUIET_CYCLES + 2)
        assert state(ctx, supervisor) == (1, 0, Fault.NONE)
        await ctx.tick()
        assert ctx.get(supervisor.fault) == Fault.DEADLOCK
        assert ctx.get(supervisor.fault_pc) == PCS["fetch_pc"]

    run(bench)


def run(bench: Callable[[SimulatorContext, Supervisor], Awaitable[None]]) -> None:
    supervisor = Supervisor(SETTLING_CYCLES, QUIET_CYCLES)

    async def prepared(ctx: SimulatorContext) -> None:
        ctx.set(supervisor.vectors_idle, 1)
        for port, pc in PCS.items():
            ctx.set(getattr(supervisor, port), pc)
        await bench(ctx, supervisor)

    simulate(supervisor, prepared)


async def start(ctx: SimulatorContext, supervisor: Supervisor) -> None:
    ctx.set(supervisor.start, 1)
    await ctx.tick()
    ctx.set(supervisor.start, 0)


def state(ctx: SimulatorContext, supervisor: Supervisor) -> tuple[int, int, Fault]:
    return ctx.get(supervisor.running), ctx.get(supervisor.done), Fault(ctx.get(supervisor.fault))
