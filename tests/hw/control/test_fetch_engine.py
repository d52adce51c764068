"""The fetch engine with a memory and engines that take their time, cycle by cycle."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Sequence

import numpy as np
import pytest
from amaranth.hdl import Value
from amaranth.sim import SimulatorContext
from free_programs import free_program
from simulation import simulate

from wingrid.hw.config import INSTRUCTION_BYTES, AcceleratorConfig
from wingrid.hw.control.fetch_engine import FetchEngine
from wingrid.hw.encoding import encode_program
from wingrid.hw.isa import Execute, Fault, Instruction, Load, Store
from wingrid.hw.layouts import layout_of
from wingrid.hw.queue import Queue

CONFIG = AcceleratorConfig(rows=2, cols=2, winograd=2, fetch_ahead=4, bus_bytes=16, address_bits=40)
BASE, PROGRAM = 0xAB_FFFF_F000, 4096


@dataclasses.dataclass
class Seen:
    """What left the engine, and the cycles counted from the start."""

    dispatched: list[tuple[str, int, int, int]] = dataclasses.field(default_factory=list)
    """Port, cycle, index and word."""
    requests: list[int] = dataclasses.field(default_factory=list)
    arrivals: list[int] = dataclasses.field(default_factory=list)
    """Of last beats."""
    fault: tuple[Fault, int] | None = None


def fetch(
    program: Sequence[Instruction] | bytes,
    *,
    pace: float = 1.0,
    eager: float = 1.0,
    bad_beat: int = -1,
    storing: range = range(0),
    cycles: int,
) -> Seen:
    """Run it; ``pace`` and ``eager``: how often memory and engines are ready, ``storing``: when STOREs are at work."""
    code = program if isinstance(program, bytes) else encode_program(program)
    beats = INSTRUCTION_BYTES // CONFIG.bus_bytes
    random = np.random.default_rng(len(code))
    device = FetchEngine(CONFIG)
    seen = Seen()

    async def bench(ctx: SimulatorContext) -> None:
        ctx.set(device.base, BASE)
        ctx.set(device.program, PROGRAM)
        ctx.set(device.length, len(code) // INSTRUCTION_BYTES)
        ctx.set(device.start, 1)
        await ctx.tick()
        ctx.set(device.start, 0)
        coming: deque[int] = deque()
        for cycle in range(1, cycles):
            ctx.set(device.request.ready, int(random.random() < pace))
            for port in ("load", "execute", "store"):
                ctx.set(getattr(device, port).ready, int(random.random() < eager))
            ctx.set(device.stored, int(cycle not in storing))
            ctx.set(device.beat.valid, 0)
            if coming and random.random() < pace:
                beat = coming.popleft()
                place = beat * CONFIG.bus_bytes
                ctx.set(device.beat.data, int.from_bytes(code[place : place + CONFIG.bus_bytes], "little"))
                ctx.set(device.beat.valid, 1)
                ctx.set(device.beat.last, int(beat % beats == beats - 1))
                ctx.set(device.beat.error, int(beat == bad_beat))
                if beat % beats == beats - 1:
                    seen.arrivals.append(cycle)
            if ctx.get(device.request.valid) and ctx.get(device.request.ready):
                place = PROGRAM + INSTRUCTION_BYTES * len(seen.requests)
                assert ctx.get(device.request.payload.address) == BASE + place
                coming.extend(range(beats * len(seen.requests), beats * (len(seen.requests) + 1)))
                seen.requests.append(cycle)
                assert len(seen.requests) - len(seen.dispatched) <= CONFIG.fetch_ahead
            before = len(seen.dispatched)
            for name in ("load", "execute", "store"):
                port = getattr(device, name)
                if ctx.get(port.valid) and ctx.get(port.ready):
                    word = ctx.get(Value.cast(port.payload.instruction))
                    seen.dispatched.append((name, cycle, ctx.get(port.payload.pc), word))
            assert ctx.get(device.dispatched) == len(seen.dispatched) - before <= 1
            assert ctx.get(device.finished) == (before * INSTRUCTION_BYTES == len(code))
            if fault := ctx.get(device.fault):
                assert seen.fault in (None, (Fault(fault), ctx.get(device.pc)))
                seen.fault = Fault(fault), ctx.get(device.pc)
            await ctx.tick()

    simulate(device, bench)
    return seen


def legal(length: int, seed: int = 0) -> list[Instruction]:
    return free_program(np.random.default_rng(seed), CONFIG, length, room=1 << 20)


def check(program: Sequence[Instruction], seen: Seen, count: int) -> None:
    names = {Load: "load", Execute: "execute", Store: "store"}
    assert len(seen.dispatched) == count
    for index, (instruction, (name, _, pc, word)) in enumerate(zip(program, seen.dispatched, strict=False)):
        size = layout_of(type(instruction)).size
        code = int.from_bytes(encode_program([instruction]), "little") % (1 << size)
        assert (name, pc, word) == (names[type(instruction)], index, code)


@pytest.mark.parametrize(("pace", "eager"), [(1.0, 1.0), (0.6, 1.0), (1.0, 0.2), (0.7, 0.4)])
def test_dispatches_a_program_in_order(pace: float, eager: float) -> None:
    program = legal(40)
    seen = fetch(program, pace=pace, eager=eager, cycles=900)
    check(program, seen, len(program))
    assert seen.fault is None


def test_takes_as_long_as_it_says() -> None:
    program = legal(20)
    seen = fetch(program, cycles=300)
    head = 0
    for arrival, (_, cycle, _, _) in zip(seen.arrivals, seen.dispatched, strict=True):
        head = max(arrival + Queue.latency, head) + FetchEngine.decode_latency
        assert cycle == head
        head += 1
    asked = 0
    for index, request in enumerate(seen.requests):
        asked += FetchEngine.request_cycles
        if index >= CONFIG.fetch_ahead:
            asked = max(asked, seen.dispatched[index - CONFIG.fetch_ahead][1] + FetchEngine.refill_latency)
        assert request == asked


def test_stops_at_a_bad_instruction() -> None:
    program = legal(12)
    program[7] = Load(runs=0)
    seen = fetch(program, cycles=300)
    check(program, seen, 7)
    assert seen.fault == (Fault.ILLEGAL_INSTRUCTION, 7)


def test_stops_at_an_instruction_that_was_not_read() -> None:
    program = legal(12)
    seen = fetch(program, bad_beat=5 * INSTRUCTION_BYTES // CONFIG.bus_bytes + 1, cycles=300)
    check(program, seen, 5)
    assert seen.fault == (Fault.READ_ERROR, 5)


def test_a_fence_holds_up_its_load_and_all_behind_it() -> None:
    program: list[Instruction] = [Store(), Load(), Load(fence=1), Load(), Store()]
    done = 80
    seen = fetch(program, storing=range(done), cycles=300)
    check(program, seen, len(program))
    cycles = [cycle for _, cycle, _, _ in seen.dispatched]
    assert cycles[1] < done
    assert cycles[2] == done + FetchEngine.fence_latency
    assert cycles[3] == cycles[2] + 1 + FetchEngine.decode_latency


def test_a_fence_that_has_nothing_to_wait_for_takes_no_time() -> None:
    fenced = fetch([Load(), Load(fence=1), Load()], cycles=200)
    free = fetch([Load(), Load(), Load()], cycles=200)
    assert [cycle for _, cycle, _, _ in fenced.dispatched] == [cycle for _, cycle, _, _ in free.dispatched]
