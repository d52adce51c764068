"""The requantiser under random parameters and corners: the input monitor feeds the integer model."""

from __future__ import annotations

import os
import random
from collections import deque

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.handle import HierarchyObject
from cocotb.triggers import FallingEdge, RisingEdge
from signed_numbers import limits, wrapped

from wingrid.hw.layouts import PARAMETER_LAYOUT
from wingrid.sim.golden.requantise import encode_scale, requantise, requantise_integer

COLS = int(os.environ["WINGRID_COLS"])
SUM_BITS = int(os.environ["WINGRID_SUM_BITS"])
LATENCY = int(os.environ["WINGRID_LATENCY"])
CYCLE_NS = 10


class Bench:
    """Clock, settings, monitor. Inputs change after rising edges, the monitor looks at falling ones."""

    def __init__(self, dut: HierarchyObject) -> None:
        self.dut = dut
        self.bias = np.zeros(COLS, np.int64)
        self.scales = np.ones(COLS, np.float32)
        self.limits: dict[str, int] = {}
        self.expected: deque[tuple[int, list[int]]] = deque()
        self.checked = 0
        cocotb.start_soon(Clock(dut.clk, CYCLE_NS, unit="ns").start())

    async def reset(self) -> None:
        self.dut.rst.value = 1
        self.dut.sums.value = 0
        for _ in range(2):
            await RisingEdge(self.dut.clk)
        self.dut.rst.value = 0
        cocotb.start_soon(self.monitor())

    def configure(
        self, bias: np.ndarray, scales: np.ndarray, zero_point: int, minimum: int = -128, maximum: int = 127
    ) -> None:
        self.bias, self.scales = bias, scales
        self.limits = {"zero_point": zero_point, "minimum": minimum, "maximum": maximum}
        word = 0
        for lane in range(COLS):
            mantissa, exponent = encode_scale(scales[lane])
            values = {"bias": int(bias[lane]), "mantissa": mantissa, "exponent": exponent}
            for name, field in PARAMETER_LAYOUT:
                bits = values[name] & (1 << field.width) - 1
                word |= bits << field.offset + lane * PARAMETER_LAYOUT.size
        self.dut.parameters.value = word
        for name, value in self.limits.items():
            getattr(self.dut, name).value = value & 0xFF

    async def send(self, totals: np.ndarray, chance: random.Random) -> None:
        """Sums that give these totals with the bias, then a wait until nothing is in the pipeline."""
        for vector in wrapped(totals - self.bias, SUM_BITS):
            while chance.random() < 0.3:
                self.dut.sums.value = chance.getrandbits(len(self.dut.sums) - 1) << 1
                await RisingEdge(self.dut.clk)
            mask = (1 << SUM_BITS) - 1
            lanes = sum((int(lane) & mask) << i * SUM_BITS for i, lane in enumerate(vector))
            self.dut.sums.value = lanes << 1 | 1
            await RisingEdge(self.dut.clk)
        self.dut.sums.value = 0
        for _ in range(LATENCY):
            await RisingEdge(self.dut.clk)

    async def monitor(self) -> None:
        cycle = 0
        while True:
            await FallingEdge(self.dut.clk)
            results = int(self.dut.results.value)
            if results & 1:
                assert self.expected, f"surplus results in cycle {cycle}"
                lanes = [int(wrapped(results >> 1 + 8 * i & 0xFF, 8)) for i in range(COLS)]
                assert (cycle, lanes) == self.expected.popleft()
                self.checked += 1
            sums = int(self.dut.sums.value)
            if sums & 1:
                lanes = np.array([sums >> 1 + SUM_BITS * i & (1 << SUM_BITS) - 1 for i in range(COLS)])
                totals = wrapped(lanes + self.bias, 32)[:, None]
                expected = requantise_integer(totals, self.scales, **self.limits)
                np.testing.assert_array_equal(expected, requantise(totals, self.scales, **self.limits))
                self.expected.append((cycle + LATENCY, expected[:, 0].tolist()))
            cycle += 1


async def finish(bench: Bench, vectors: int) -> None:
    """Every result came, and none more."""
    for _ in range(2 * LATENCY):
        await RisingEdge(bench.dut.clk)
    assert bench.checked == vectors
    assert not bench.expected


@cocotb.test()
async def random_totals_of_every_size(dut: HierarchyObject) -> None:
    numbers, chance = np.random.default_rng(12), random.Random(12)
    bench = Bench(dut)
    await bench.reset()
    for _ in range(12):
        size = numbers.integers(1, 32, COLS)
        scales = (numbers.uniform(30, 400, COLS) / 2.0**size).astype(np.float32)
        bias = numbers.integers(-(1 << 31), 1 << 31, COLS) >> numbers.integers(0, 32, COLS)
        low, high = sorted(int(value) for value in numbers.integers(-128, 128, 2))
        bench.configure(bias, scales, int(numbers.integers(-128, 128)), *chance.choice([(-128, 127), (low, high)]))
        await bench.send(numbers.integers(-(1 << size), 1 << size, (40, COLS)), chance)
    await finish(bench, 12 * 40)


@cocotb.test()
async def ties_carries_and_extremes(dut: HierarchyObject) -> None:
    chance = random.Random(13)
    bench = Bench(dut)
    await bench.reset()
    low, high = limits(32)
    ties = [(1 << 24) + 1, (1 << 24) + 3, (1 << 25) - 1, (1 << 26) - 2, (1 << 31) - 64, (1 << 31) - 65, (1 << 24) - 1]
    totals = np.array([low, low + 1, high, high - 1, -1, 0, 1, 5, 127, 128, 129, *ties, *(-tie for tie in ties)])
    sent = 0
    for exponent in (*range(-34, 10), -126, 127):
        for zero_point in (-128, 0, 127):
            scales = np.array([np.float32(2.0**exponent * (1 + chance.choice([0, 0.5, 2**-23]))) for _ in range(COLS)])
            scales[-1] = np.nextafter(np.float32(2.0**exponent), np.float32(0))
            bench.configure(np.zeros(COLS, np.int64), scales, zero_point)
            vectors = np.array([chance.choices(totals.tolist(), k=COLS) for _ in range(8)])
            await bench.send(vectors, chance)
            sent += len(vectors)
    await finish(bench, sent)
