"""The DMA with cocotbext-axi as its bus partner: random work on both halves, stalls, errors, halts, resets."""

from __future__ import annotations

import json
import logging
import os
import random
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any

import cocotb
import numpy as np
from bus_partner import FaultyMemory, stall
from cocotb.clock import Clock
from cocotb.handle import HierarchyObject
from cocotb.task import Task
from cocotb.triggers import ClockCycles, FallingEdge, RisingEdge
from cocotbext.axi import AxiBus, AxiSlave
from dma_reading import Reading
from dma_work import (
    MEMORY_BYTES,
    SOURCE_BYTES,
    instruction_word,
    loaded_beats,
    random_fetch,
    random_load,
    random_segment,
    unpack_fields,
)
from dma_writing import Writing

from wingrid.hw.bus.bursts import Bursts
from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.isa import Load, Semaphore, mask
from wingrid.hw.store.output_buffer import SEGMENT

CONFIG = AcceleratorConfig(**json.loads(os.environ["WINGRID_CONFIG"]))
CYCLE_NS = 10
REQUEST_CYCLES = 1
"""From a request of the load engine to its burst on the bus."""
SURPLUS_CYCLES = 40
"""What should not come would come within these."""


class Bench:
    """Clock, memory, drivers, checkers. Drivers act after rising edges, the monitor looks at falling ones."""

    def __init__(self, dut: HierarchyObject, seed: int) -> None:
        self.dut = dut
        self.random = random.Random(seed)
        self.memory = FaultyMemory(MEMORY_BYTES, self.random.randrange(1 << CONFIG.address_bits - 20) << 12)
        self.memory.mem[:] = self.random.randbytes(MEMORY_BYTES)
        self.tasks: list[Task[None]] = []
        cocotb.start_soon(Clock(dut.clk, CYCLE_NS, unit="ns").start())
        self.slave = AxiSlave(AxiBus.from_prefix(dut, "m_axi"), dut.clk, dut.rst, target=self.memory)
        write, read = self.slave.write_if, self.slave.read_if
        # A line for each burst would bury all others.
        for half in (write, read):
            half.log.setLevel(logging.WARNING)
        # How many bursts are open is up to the device.
        for channel in (write.aw_channel, write.b_channel, read.ar_channel):
            channel.queue_occupancy_limit = -1

    async def reset(self) -> None:
        """Drop all work, wherever it is, and begin with new checkers."""
        for task in self.tasks:
            task.cancel()
        self.dut.rst.value = 1
        self.dut.base.value = self.memory.base
        for name in ("instruction__valid", "fetch__valid", "segment__valid", "results", "available", "halt"):
            getattr(self.dut, name).value = 0
        await ClockCycles(self.dut.clk, 3)
        self.dut.rst.value = 0
        self.reading = Reading(self.dut, CONFIG, self.memory)
        self.writing = Writing(self.dut, CONFIG, self.memory)
        self.drivers: list[Task[None]] = []
        self.result_pace = 1.0
        always = (self.monitor(), self.semaphores(), self.results())
        self.tasks = [cocotb.start_soon(task) for task in always]

    async def monitor(self) -> None:
        while True:
            await FallingEdge(self.dut.clk)
            self.reading.observe()
            self.writing.observe()

    async def semaphores(self) -> None:
        while True:
            await RisingEdge(self.dut.clk)
            self.dut.available.value = mask(semaphore for semaphore in Semaphore if self.reading.available[semaphore])

    async def offer(self, name: str, words: Sequence[int], pace: float) -> None:
        """Each word until it is taken, at a random moment when ``pace`` is below 1."""
        valid, ready, payload = (getattr(self.dut, f"{name}__{signal}") for signal in ("valid", "ready", "payload"))
        for word in words:
            while self.random.random() > pace:
                valid.value = 0
                payload.value = self.random.getrandbits(len(payload))
                await RisingEdge(self.dut.clk)
            valid.value = 1
            payload.value = word
            taken = False
            while not taken:
                await FallingEdge(self.dut.clk)
                taken = int(ready.value) == 1
                await RisingEdge(self.dut.clk)
        valid.value = 0

    async def release(self, loads: Iterable[Load], pace: float) -> None:
        """Signal what these wait for, in their order, at random moments."""
        for load in loads:
            for semaphore in Semaphore:
                if load.wait >> semaphore & 1:
                    while self.random.random() > pace:
                        await RisingEdge(self.dut.clk)
                    self.reading.available[semaphore] += 1

    async def results(self) -> None:
        """A result whenever one is wanted and the coin agrees, rubbish that is not valid otherwise."""
        while True:
            valid = self.writing.wanted > 0 and self.random.random() < self.result_pace
            self.writing.wanted -= valid
            self.dut.results.value = self.random.getrandbits(8 * CONFIG.cols) << 1 | valid
            await RisingEdge(self.dut.clk)

    def drive(self, *drivers: Coroutine[Any, Any, None]) -> None:
        """Start drivers that come to an end."""
        started = [cocotb.start_soon(driver) for driver in drivers]
        self.drivers += started
        self.tasks += started

    def read(self, loads: Sequence[Load], fetches: int = 0, pace: float = 1.0, first_pc: int = 0) -> None:
        words = [instruction_word(load, first_pc + index) for index, load in enumerate(loads)]
        requests = [random_fetch(CONFIG, self.random, self.memory.base) for _ in range(fetches)]
        self.drive(
            self.offer("instruction", words, pace), self.offer("fetch", requests, 0.05), self.release(loads, pace / 4)
        )

    def write(self, segments: Sequence[int], pace: float = 1.0) -> None:
        self.result_pace = pace
        self.drive(self.offer("segment", segments, pace))

    def random_work(self, loads: int = 0, segments: int = 0, pace: float = 1.0) -> None:
        """That much for each half, and a fetch for each LOAD."""
        if loads:
            work = [random_load(CONFIG, self.random) for _ in range(loads)]
            self.read(work, loads, pace, first_pc=self.random.getrandbits(23))
        if segments:
            self.write([random_segment(CONFIG, self.random) for _ in range(segments)], pace)

    async def until(self, condition: Callable[[], bool], cycles: int) -> None:
        for _ in range(cycles):
            if condition():
                return
            await RisingEdge(self.dut.clk)
        raise AssertionError(f"not reached in {cycles} cycles")

    @property
    def done(self) -> bool:
        return all(driver.done() for driver in self.drivers) and self.reading.done and self.writing.done

    async def finish(self, cycles: int = 30_000) -> None:
        """All work is done, nothing more comes, and every byte of memory is as it must be."""
        await self.until(lambda: self.done, cycles)
        await ClockCycles(self.dut.clk, SURPLUS_CYCLES)
        assert self.done
        for name in ("read_idle", "load_idle", "placed", "requested", "write_idle", "write_quiet"):
            assert int(getattr(self.dut, name).value) == 1, name
        np.testing.assert_array_equal(np.frombuffer(bytes(self.memory.mem), np.uint8), self.writing.image)


async def fresh(dut: HierarchyObject, seed: int) -> Bench:
    bench = Bench(dut, seed)
    await bench.reset()
    return bench


@cocotb.test()
@cocotb.parametrize((("probability", "pace"), [(0.0, 1.0), (0.0, 0.1), (0.3, 0.4), (0.8, 1.0)]))
async def loads_and_fetches_reach_their_places(dut: HierarchyObject, probability: float, pace: float) -> None:
    bench = await fresh(dut, seed=30)
    stall(bench.slave, 1, probability)
    bench.random_work(loads=20, pace=pace)
    await bench.finish()
    assert len(bench.reading.started) == 20


@cocotb.test()
@cocotb.parametrize((("probability", "pace"), [(0.0, 1.0), (0.0, 0.3), (0.3, 0.6), (0.8, 1.0)]))
async def results_reach_memory_and_nothing_else_changes(dut: HierarchyObject, probability: float, pace: float) -> None:
    bench = await fresh(dut, seed=31)
    stall(bench.slave, 2, probability)
    untouched = bytes(bench.memory.mem[:SOURCE_BYTES])
    bench.random_work(segments=30, pace=pace)
    await bench.finish()
    assert bytes(bench.memory.mem[:SOURCE_BYTES]) == untouched


@cocotb.test()
async def both_halves_work_at_once(dut: HierarchyObject) -> None:
    bench = await fresh(dut, seed=32)
    stall(bench.slave, 3, 0.5)
    bench.random_work(loads=16, segments=30, pace=0.7)
    await bench.finish()


@cocotb.test()
async def consecutive_loads_fill_the_read_channel(dut: HierarchyObject) -> None:
    """A LOAD's first burst is on the bus as soon as it is worked out, and then comes a beat every cycle."""
    bench = await fresh(dut, seed=33)
    reading, overheads = bench.reading, set()
    # A LOAD begins six cycles after the one before or later.
    for lengths in ((1,), (16,), (6, 7, 8, 9), (700,), (40, 12, 33, 6, 90, 21, 17, 64)):
        loads = [random_load(CONFIG, bench.random) for _ in lengths]
        for load, length in zip(loads, lengths, strict=True):
            load.run_beats, load.runs, load.wait = length, 1, 0
            load.source %= SOURCE_BYTES - 700 * CONFIG.bus_bytes
            # Whole bursts of four or more: shorter ones at the end of a page cost cycles of their own.
            load.source -= load.source % (4 * CONFIG.bus_bytes)
        first = len(reading.started), len(reading.offered), len(reading.written)
        bench.read(loads)
        await bench.finish()
        started, offered, written = reading.started[first[0]], reading.offered[first[1]], reading.written[first[2]]
        assert offered - started == Bursts.latency + REQUEST_CYCLES
        assert reading.written[-1] - written + 1 == sum(lengths)
        overheads.add(reading.written[-1] + 1 - started - sum(lengths))
    assert len(overheads) == 1
    assert reading.most_open == CONFIG.reads_in_flight


@cocotb.test()
async def a_load_asks_for_nothing_before_its_semaphores_are_there(dut: HierarchyObject) -> None:
    bench = await fresh(dut, seed=34)
    reading = bench.reading
    both = sorted(Load.waits)
    loads = [Load(wait=mask([both[0]]), run_beats=3), Load(wait=mask([both[1]])), Load(wait=mask(both), runs=2)]
    bench.drive(bench.offer("instruction", [instruction_word(load, 0) for load in loads], 1.0))
    steps = (([], 0), ([1], 0), ([0], 2), ([0], 2), ([1], 3))
    for released, started in steps:
        for index in released:
            reading.available[both[index]] += 1
        await ClockCycles(dut.clk, 50)
        assert len(reading.started) == started
        assert len(reading.written) == (0, 0, 4, 6)[started]
    await bench.finish()
    assert not any(reading.available)


@cocotb.test()
async def bursts_in_flight_are_as_many_as_configured(dut: HierarchyObject) -> None:
    bench = await fresh(dut, seed=35)
    slow = (bench.slave.read_if.r_channel, bench.slave.write_if.b_channel)
    for channel in slow:
        channel.pause = True
    bench.random_work(loads=10, segments=20)
    await ClockCycles(dut.clk, 1000)
    assert (bench.reading.open, bench.writing.open) == (CONFIG.reads_in_flight, CONFIG.writes_in_flight)
    for channel in slow:
        channel.pause = False
    await bench.finish()
    assert bench.reading.most_open == CONFIG.reads_in_flight
    assert bench.writing.most_open == CONFIG.writes_in_flight


@cocotb.test()
@cocotb.parametrize(probability=[0.0, 0.5])
async def error_responses_name_their_instruction(dut: HierarchyObject, probability: float) -> None:
    bench = await fresh(dut, seed=36)
    stall(bench.slave, 6, probability)
    for _ in range(3):
        loads = [random_load(CONFIG, bench.random) for _ in range(8)]
        bursts = [loaded_beats(CONFIG, instruction_word(load, 500 + index)) for index, load in enumerate(loads)]
        bad = bench.random.choice([beat for instruction in bursts for burst in instruction for beat in burst])
        bench.memory.bad = range(bad.address + 3, bad.address + 4)
        bench.read(loads, fetches=4, first_pc=500)
        await bench.finish()
        assert bad.pc in bench.reading.errors
        await bench.reset()

        words = [random_segment(CONFIG, bench.random) for _ in range(12)]
        segments = [unpack_fields(SEGMENT, word) for word in words]
        segment = bench.random.choice([segment for segment in segments if segment["lines"]])
        place = segment["address"] + (segment["columns"] - 1) * CONFIG.bus_bytes
        bench.memory.bad = range(place, place + 1)
        bench.write(words)
        await bench.finish()
        assert segment["pc"] in bench.writing.errors
        await bench.reset()


@cocotb.test()
async def error_responses_to_fetches_go_with_their_beats(dut: HierarchyObject) -> None:
    bench = await fresh(dut, seed=37)
    stall(bench.slave, 7, 0.3)
    bench.memory.bad = range(SOURCE_BYTES // 2)
    bench.read([], fetches=20)
    await bench.finish()
    assert bench.reading.fetch_errors > 20
    assert not bench.reading.errors


@cocotb.test()
@cocotb.parametrize(probability=[0.0, 0.6])
async def halt_lets_bursts_under_way_complete_and_no_other_start(dut: HierarchyObject, probability: float) -> None:
    bench = await fresh(dut, seed=40)
    stall(bench.slave, 4, probability)
    # Nothing begins in a halted device.
    dut.halt.value = 1
    bench.random_work(loads=24, segments=40)
    await ClockCycles(dut.clk, 150)
    assert not bench.reading.started
    assert bench.reading.open == bench.writing.open == 0
    dut.halt.value = 0
    interrupted = {"reading": 0, "writing": 0}
    for cycles in (15, 60, 33, 150, 71, 20):
        await ClockCycles(dut.clk, cycles)
        dut.halt.value = 1
        interrupted["reading"] += bench.reading.open > 0
        interrupted["writing"] += bench.writing.open > 0
        await bench.until(lambda: int(dut.read_idle.value) and int(dut.write_quiet.value), 1000)
        assert bench.reading.open == bench.writing.open == 0
        await ClockCycles(dut.clk, 30)
        assert not bench.done
        dut.halt.value = 0
    assert min(interrupted.values()) >= 3
    await bench.finish()
    # And as the core does it: halt, wait for the bus, reset.
    bench.random_work(loads=4, segments=10)
    await ClockCycles(dut.clk, 40)
    dut.halt.value = 1
    await bench.until(lambda: int(dut.read_idle.value) and int(dut.write_quiet.value), 1000)
    await bench.reset()
    bench.random_work(loads=4, segments=10)
    await bench.finish()


@cocotb.test()
@cocotb.parametrize(probability=[0.0, 0.5])
async def reset_in_the_middle_of_work_leaves_a_usable_device(dut: HierarchyObject, probability: float) -> None:
    bench = await fresh(dut, seed=41)
    stall(bench.slave, 5, probability)
    interrupted = {"reading": 0, "writing": 0, "sending": 0}
    for cycles in (5, 30, 75, 111, 180, 260, 333):
        bench.random_work(loads=16, segments=20)
        await ClockCycles(dut.clk, cycles)
        assert not bench.done
        interrupted["reading"] += bench.reading.open > 0
        interrupted["writing"] += bench.writing.open > 0
        interrupted["sending"] += int(dut.m_axi_wvalid.value)
        await bench.reset()
        bench.random_work(loads=3, segments=4)
        await bench.finish()
    assert min(interrupted.values()) >= 3, interrupted
