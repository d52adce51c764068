"""The three transforms with stalls on every stream: monitors feed the twins, checkers take what leaves in order."""

from __future__ import annotations

import json
import os
import random
from collections import deque
from collections.abc import Callable, Sequence

import cocotb
import numpy as np
import numpy.typing as npt
from cocotb.clock import Clock
from cocotb.handle import HierarchyObject
from cocotb.triggers import FallingEdge, RisingEdge, with_timeout
from signed_numbers import extremes, limits
from simulation import pack, unpack
from winograd_products import winograd_sums

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.mesh.matrix_unit import PAYLOAD_LATENCY
from wingrid.hw.winograd.exact_division import ExactDivision
from wingrid.hw.winograd.input_transform import InputTransform
from wingrid.hw.winograd.output_transform import OutputTransform
from wingrid.hw.winograd_matrices import winograd
from wingrid.sim.golden.winograd import transform_inputs, transform_outputs, transform_weights

CONFIG = AcceleratorConfig(**json.loads(os.environ["WINGRID_CONFIG"]))
V_BITS, U_BITS, M_BITS = CONFIG.activation_bits, CONFIG.weight_bits, CONFIG.accumulator_bits
CYCLE_NS = 10

Array = npt.NDArray[np.int64]
Fill = Callable[[np.random.Generator, int, tuple[int, ...]], Array]


class Bench:
    """Clock, drivers, and what watches them. Drivers act after rising edges, the monitor looks at falling ones."""

    def __init__(self, dut: HierarchyObject, seed: int) -> None:
        self.dut = dut
        self.random = random.Random(seed)
        self.numbers = np.random.default_rng(seed)
        self.tile = CONFIG.tiles[0]
        self.patch: list[list[int]] = []
        self.raw: list[list[int]] = []
        self.sums: list[list[int]] = []
        self.transformed: deque[tuple[int, list[int]]] = deque()
        self.weights: deque[list[int]] = deque()
        self.answers: deque[tuple[int, list[int]]] = deque()
        self.checked = {"transformed": 0, "weights": 0, "answers": 0}
        cocotb.start_soon(Clock(dut.clk, CYCLE_NS, unit="ns").start())

    async def reset(self) -> None:
        self.dut.rst.value = 1
        for name in ("patches", "sums", "raw__valid", "weights__ready", "ready_next", "select"):
            getattr(self.dut, name).value = 0
        for _ in range(2):
            await RisingEdge(self.dut.clk)
        self.dut.rst.value = 0
        cocotb.start_soon(self.monitor())

    async def choose(self, tile: int) -> None:
        """Go over to another tile once all three transforms are empty."""
        while self.dut.empty.value != 3 or self.sums or self.answers:
            await RisingEdge(self.dut.clk)
        self.tile = tile
        self.dut.select.value = CONFIG.tiles.index(tile)

    async def send(self, name: str, vectors: Sequence[Sequence[int]], bits: int, pace: float) -> None:
        """Vectors with a valid bit, with gaps of rubbish between them."""
        port = getattr(self.dut, name)
        for vector in vectors:
            while self.random.random() > pace:
                port.value = self.random.getrandbits(len(port) - 1) << 1
                await RisingEdge(self.dut.clk)
            port.value = pack(vector, bits) << 1 | 1
            await RisingEdge(self.dut.clk)
        port.value = 0

    async def offer(self, rows: Sequence[Sequence[int]], pace: float) -> None:
        """Raw weight rows, each until it is taken; lanes come ``PAYLOAD_LATENCY`` cycles later, and rubbish else."""
        valid, payload = self.dut.raw__valid, self.dut.raw__payload
        due = deque([None] * (PAYLOAD_LATENCY - 1))

        async def edge(row: Sequence[int] | None) -> None:
            """A rising edge, at which a row is transferred."""
            await RisingEdge(self.dut.clk)
            due.append(row)
            lanes = due.popleft()
            payload.value = self.random.getrandbits(len(payload)) if lanes is None else pack(lanes, 8)

        for row in rows:
            while self.random.random() > pace:
                valid.value = 0
                await edge(None)
            valid.value = 1
            taken = False
            while not taken:
                await FallingEdge(self.dut.clk)
                taken = self.dut.raw__ready.value == 1
                await edge(row if taken else None)
        valid.value = 0
        for _ in range(PAYLOAD_LATENCY):
            await edge(None)

    async def take(self, pace: float) -> None:
        while True:
            self.dut.weights__ready.value = self.dut.ready_next.value
            self.dut.ready_next.value = int(self.random.random() < pace)
            await RisingEdge(self.dut.clk)

    async def monitor(self) -> None:
        cycle, held_back = 0, False
        row_due, raw_due = deque([False] * PAYLOAD_LATENCY), deque([False] * PAYLOAD_LATENCY)
        while True:
            await FallingEdge(self.dut.clk)
            n = winograd(self.tile).patch
            self.check("transformed", self.transformed, cycle, V_BITS, CONFIG.rows)
            self.check("answers", self.answers, cycle, M_BITS, CONFIG.cols)

            word = int(self.dut.patches.value)
            if word & 1:
                self.patch.append(unpack(word >> 1, 8, CONFIG.rows))
            if len(self.patch) == n * n:
                v = transform_inputs(np.array(self.patch).T.reshape(-1, n, n), self.tile)
                start = cycle + InputTransform.latency_for(self.tile)
                self.transformed.extend((start + k, v[:, k % n, k // n].tolist()) for k in range(n * n))
                self.patch = []

            word = int(self.dut.sums.value)
            if word & 1:
                self.sums.append(unpack(word >> 1, M_BITS, CONFIG.cols))
            if len(self.sums) == n * n:
                # Positions arrive with the row running fastest.
                block = np.array(self.sums).T.reshape(-1, n, n).swapaxes(1, 2)
                y = transform_outputs(block, self.tile, M_BITS).reshape(CONFIG.cols, -1).T
                start = cycle + OutputTransform.latency_for(self.tile) + ExactDivision.latency
                when = [start + row * n + column for row in range(self.tile) for column in range(self.tile)]
                self.answers.extend(zip(when, y.tolist(), strict=True))
                self.sums = []

            # Lanes of both streams come ``PAYLOAD_LATENCY`` cycles after their transfer.
            if row_due.popleft():
                assert self.weights, f"surplus weights in cycle {cycle}"
                row = int(self.dut.weights__payload.value)
                assert unpack(row, U_BITS, CONFIG.cols) == self.weights.popleft(), cycle
                self.checked["weights"] += 1
            valid = self.dut.weights__valid.value == 1
            assert valid or not held_back, f"a row went away in cycle {cycle}"
            row_due.append(valid and self.dut.weights__ready.value == 1)
            held_back = valid and not row_due[-1]
            raw_due.append(self.dut.raw__valid.value == 1 and self.dut.raw__ready.value == 1)
            if raw_due.popleft():
                self.raw.append(unpack(int(self.dut.raw__payload.value), 8, CONFIG.cols))
            if len(self.raw) == 9 * CONFIG.rows:
                taps = np.array(self.raw).reshape(3, 3, CONFIG.rows, CONFIG.cols).transpose(2, 3, 0, 1)
                u = transform_weights(taps, self.tile)
                self.weights.extend(
                    u[r, :, k % n, k // n].tolist() for k in range(n * n) for r in range(CONFIG.rows)
                )  # fmt: skip
                self.raw = []
            cycle += 1

    def check(self, name: str, expected: deque[tuple[int, list[int]]], cycle: int, bits: int, lanes: int) -> None:
        """What leaves now must be the next that is due, and due now."""
        word = int(getattr(self.dut, name).value)
        if word & 1:
            assert expected, f"surplus {name} in cycle {cycle}"
            assert (cycle, unpack(word >> 1, bits, lanes)) == expected.popleft(), name
            self.checked[name] += 1
        else:
            assert not expected or expected[0][0] > cycle, f"missing {name} in cycle {cycle}"

    async def work(self, tiles: int, fill: Fill, paces: Sequence[float]) -> dict[str, int]:
        """Send that many tiles through each transform; returns how many vectors must leave."""
        n = winograd(self.tile).patch
        patches = fill(self.numbers, 8, (tiles * n * n, CONFIG.rows))
        sums = winograd_sums(self.numbers, self.tile, tiles * CONFIG.cols, M_BITS).swapaxes(1, 2)
        sums = sums.reshape(tiles, CONFIG.cols, n * n).swapaxes(1, 2).reshape(-1, CONFIG.cols)
        raw = fill(self.numbers, 8, (tiles * 9 * CONFIG.rows, CONFIG.cols))
        drivers = [
            cocotb.start_soon(self.send("patches", patches.tolist(), 8, paces[0])),
            cocotb.start_soon(self.send("sums", sums.tolist(), M_BITS, paces[1])),
            cocotb.start_soon(self.offer(raw.tolist(), paces[2])),
        ]
        for driver in drivers:
            await with_timeout(driver, 200 * CYCLE_NS * tiles * n * n, "ns")
        return {
            "transformed": tiles * n * n,
            "weights": tiles * n * n * CONFIG.rows,
            "answers": tiles * self.tile**2,
        }

    async def drain(self) -> None:
        for _ in range(20_000):
            await RisingEdge(self.dut.clk)
            if not (self.weights or self.transformed or self.answers):
                break
        # Whatever should not come would come now.
        for _ in range(60):
            await RisingEdge(self.dut.clk)
        surplus = (self.weights, self.transformed, self.answers, self.patch, self.raw, self.sums)
        assert not any(surplus)
        assert self.dut.empty.value == 3


def lowest(random: np.random.Generator, bits: int, shape: tuple[int, ...]) -> Array:
    return np.full(shape, limits(bits)[0])


def highest(random: np.random.Generator, bits: int, shape: tuple[int, ...]) -> Array:
    return np.full(shape, limits(bits)[1])


def alternating(random: np.random.Generator, bits: int, shape: tuple[int, ...]) -> Array:
    low, high = limits(bits)
    return np.where(np.indices(shape).sum(axis=0) % 2, low, high)


@cocotb.test()
@cocotb.parametrize(paces=[(1.0, 1.0, 1.0, 1.0), (0.5, 0.6, 0.5, 0.7), (0.9, 0.9, 1.0, 0.3), (0.2, 0.2, 0.1, 1.0)])
async def transforms_are_those_of_the_twins_whatever_stalls(dut: HierarchyObject, paces: Sequence[float]) -> None:
    bench = Bench(dut, seed=20)
    await bench.reset()
    taker = cocotb.start_soon(bench.take(paces[3]))
    due = {"transformed": 0, "weights": 0, "answers": 0}
    for tile in (2, 4, 4, 2, 4):
        await bench.choose(tile)
        for name, count in (await bench.work(4, extremes, paces)).items():
            due[name] += count
    await bench.drain()
    taker.cancel()
    assert bench.checked == due


@cocotb.test()
async def nothing_overflows_at_the_extremes(dut: HierarchyObject) -> None:
    bench = Bench(dut, seed=21)
    await bench.reset()
    taker = cocotb.start_soon(bench.take(0.9))
    due = {"transformed": 0, "weights": 0, "answers": 0}
    for tile in (4, 2):
        for fill in (lowest, highest, alternating):
            await bench.choose(tile)
            for name, count in (await bench.work(2, fill, (0.9, 0.9, 0.9))).items():
                due[name] += count
    await bench.drain()
    taker.cancel()
    assert bench.checked == due
