"""The matrix unit with stalls on both streams: monitors feed the model, an in-order checker takes the sums."""

from __future__ import annotations

import json
import os
import random
from collections import deque
from collections.abc import Sequence

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.handle import HierarchyObject
from cocotb.triggers import FallingEdge, RisingEdge, with_timeout
from signed_numbers import extremes, wrapped

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.mesh.matrix_unit import PAYLOAD_LATENCY

CONFIG = AcceleratorConfig(**json.loads(os.environ["WINGRID_CONFIG"]))
LATENCY = int(os.environ["WINGRID_LATENCY"])
TAG_BITS = int(os.environ["WINGRID_TAG_BITS"])
CYCLE_NS = 10


def pack(values: Sequence[int], bits: int) -> int:
    """Lanes side by side, the first one lowest."""
    return sum((int(value) & (1 << bits) - 1) << i * bits for i, value in enumerate(values))


def unpack(word: int, bits: int, count: int) -> list[int]:
    """The signed lanes of a packed word."""
    return [int(wrapped(word >> i * bits & (1 << bits) - 1, bits)) for i in range(count)]


class Bench:
    """Clock, drivers, and what watches them. Drivers act after rising edges, the monitor looks at falling ones."""

    def __init__(self, dut: HierarchyObject, seed: int) -> None:
        self.dut = dut
        self.random = random.Random(seed)
        self.rows: list[list[int]] = []
        self.waiting: deque[np.ndarray] = deque()
        self.tile: np.ndarray | None = None
        self.expected: deque[tuple[int, list[int], int]] = deque()
        self.vectors = 0
        self.checked = 0
        cocotb.start_soon(Clock(dut.clk, CYCLE_NS, unit="ns").start())

    async def reset(self) -> None:
        self.dut.rst.value = 1
        self.dut.weights__valid.value = 0
        self.dut.vectors__valid.value = 0
        for _ in range(2):
            await RisingEdge(self.dut.clk)
        self.dut.rst.value = 0
        cocotb.start_soon(self.monitor())

    async def drive(self, name: str, words: Sequence[int], pace: float, lanes_bits: int) -> None:
        """Offer each word until it is taken, at a random moment when ``pace`` is below 1.

        Its lanes, which are its low bits, come ``PAYLOAD_LATENCY`` cycles after it is taken, and rubbish in all other
        cycles.
        """
        valid, ready, payload = (getattr(self.dut, f"{name}__{signal}") for signal in ("valid", "ready", "payload"))
        # Of words taken 1, 2, ... cycles ago.
        due = deque([0] * PAYLOAD_LATENCY)

        def show(word: int) -> None:
            payload.value = word >> lanes_bits << lanes_bits | due[0]

        async def edge(word: int) -> None:
            """A rising edge, with what is taken at it."""
            await RisingEdge(self.dut.clk)
            due.popleft()
            due.append(word & (1 << lanes_bits) - 1)

        for word in words:
            while self.random.random() > pace:
                valid.value = 0
                show(self.random.getrandbits(len(payload)))
                await edge(self.random.getrandbits(lanes_bits))
            valid.value = 1
            taken = False
            while not taken:
                show(word)
                await FallingEdge(self.dut.clk)
                taken = ready.value == 1
                await edge(word if taken else self.random.getrandbits(lanes_bits))
        valid.value = 0
        for _ in range(PAYLOAD_LATENCY):
            show(0)
            await edge(0)

    async def monitor(self) -> None:
        cycle, row_due, vector_due = 0, deque([False] * PAYLOAD_LATENCY), deque([None] * PAYLOAD_LATENCY)
        lanes = (1 << CONFIG.rows * CONFIG.activation_bits) - 1
        while True:
            await FallingEdge(self.dut.clk)
            self.check_sums(cycle)
            # Of earlier transfers. The vector first: a tile whose last row came with it is not complete yet.
            if (vector := vector_due.popleft()) is not None:
                self.take_vector(vector | int(self.dut.vectors__payload.value) & lanes, cycle - PAYLOAD_LATENCY)
            moves = self.dut.vectors__valid.value == 1 and self.dut.vectors__ready.value == 1
            vector_due.append(int(self.dut.vectors__payload.value) & ~lanes if moves else None)
            row_due.append(self.dut.weights__valid.value == 1 and self.dut.weights__ready.value == 1)
            if row_due.popleft():
                self.rows.append(unpack(int(self.dut.weights__payload.value), CONFIG.weight_bits, CONFIG.cols))
                if len(self.rows) == CONFIG.rows:
                    self.waiting.append(np.array(self.rows[::-1]))
                    self.rows = []
            cycle += 1

    def take_vector(self, word: int, cycle: int) -> None:
        lanes_bits = CONFIG.rows * CONFIG.activation_bits
        if word >> lanes_bits & 1:
            assert self.waiting, "a vector took a tile that had not arrived"
            self.tile = self.waiting.popleft()
        sums = np.array(unpack(word, CONFIG.activation_bits, CONFIG.rows)) @ self.tile
        self.expected.append((cycle + LATENCY, wrapped(sums, CONFIG.accumulator_bits).tolist(), word >> lanes_bits + 1))
        self.vectors += 1

    def check_sums(self, cycle: int) -> None:
        word = int(self.dut.sums.value)
        if not word & 1:
            return
        assert self.expected, f"surplus sums in cycle {cycle}"
        lanes = unpack(word >> 1, CONFIG.accumulator_bits, CONFIG.cols)
        tag = word >> 1 + CONFIG.cols * CONFIG.accumulator_bits
        assert (cycle, lanes, tag) == self.expected.popleft()
        self.checked += 1


@cocotb.test()
@cocotb.parametrize(paces=[(1.0, 1.0), (0.4, 1.0), (1.0, 0.4), (0.6, 0.6)])
async def sums_are_matrix_products_whatever_stalls(dut: HierarchyObject, paces: tuple[float, float]) -> None:
    bench = Bench(dut, seed=10)
    numbers = np.random.default_rng(11)
    counts = [bench.random.choice([1, CONFIG.rows, CONFIG.rows + 1, 3 * CONFIG.rows]) for _ in range(150)]
    weights = extremes(numbers, CONFIG.weight_bits, (len(counts) * CONFIG.rows, CONFIG.cols))
    vectors = [
        pack(lanes, CONFIG.activation_bits)
        | (int(i == 0) | bench.random.getrandbits(TAG_BITS) << 1) << CONFIG.rows * CONFIG.activation_bits
        for count in counts
        for i, lanes in enumerate(extremes(numbers, CONFIG.activation_bits, (count, CONFIG.rows)))
    ]
    rows = [pack(row, CONFIG.weight_bits) for row in weights]
    await bench.reset()
    drivers = [
        cocotb.start_soon(bench.drive("weights", rows, paces[0], CONFIG.cols * CONFIG.weight_bits)),
        cocotb.start_soon(bench.drive("vectors", vectors, paces[1], CONFIG.rows * CONFIG.activation_bits)),
    ]
    for driver in drivers:
        await with_timeout(driver, 50 * CYCLE_NS * len(vectors), "ns")
    for _ in range(2 * LATENCY):
        await RisingEdge(dut.clk)
    assert (bench.vectors, bench.checked) == (len(vectors), len(vectors))
    assert not bench.expected
    assert not bench.waiting
