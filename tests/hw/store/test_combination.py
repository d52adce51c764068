"""Combination with another tensor in hardware against its integer twin, value by value and cycle by cycle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest
from amaranth.sim import SimulatorContext
from simulation import Pins, offer, pack, seen, simulate

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.isa import ADDITION_FRACTION_BITS, FACTOR_BITS, PRODUCT_FRACTION_BITS, Combining
from wingrid.hw.store.combination import Combination
from wingrid.sim.golden.combination import combined

CONFIG = AcceleratorConfig(rows=2, cols=3, winograd=0, accumulators=16, addends=64)
ONE = 1 << ADDITION_FRACTION_BITS
NUMBERS = ("factor", "addend_factor", "offset", "result_zero", "addend_zero")
LARGEST = (1 << FACTOR_BITS - 1) - 1


@dataclass
class Work:
    """What one STORE asks for: results [n, cols] and where their addends begin."""

    results: npt.NDArray[np.int8]
    base: int
    combination: int
    factor: int = 0
    addend_factor: int = 0
    offset: int = 0
    result_zero: int = 0
    addend_zero: int = 0
    broadcast: int = 0

    def expected(self, addends: npt.NDArray[np.int8]) -> list[list[int]]:
        """What leaves for it, from the buffer's contents [entries, cols]."""
        if not self.combination:
            return self.results.tolist()
        entries = (self.base + np.arange(len(self.results)) * (not self.broadcast)) % len(addends)
        numbers = {name: getattr(self, name) for name in NUMBERS}
        return combined(self.combination, self.results, addends[entries], **numbers).tolist()


def check(work: list[Work], addends: npt.NDArray[np.int8], gaps: np.random.Generator | None = None) -> None:
    dut = Combination(CONFIG)

    async def testbench(ctx: SimulatorContext) -> None:
        pins = Pins(ctx)
        for entry, beat in enumerate(addends):
            pins.set(dut.write_enable, 1)
            # Bits above the buffer's own address are others' business, and so are lanes that no column has.
            pins.set(dut.write_address, entry | 5 << 16)
            pins.set(dut.write_data, pack(beat, 8) | 0xA5 << 8 * CONFIG.cols)
            await ctx.tick()
        pins.set(dut.write_enable, 0)
        for item in work:
            for name in ("combination", "broadcast", "base", *NUMBERS):
                pins.set(getattr(dut, name), getattr(item, name))
            pins.set(dut.rewind, 1)
            for _ in range(3):
                await ctx.tick()
            pins.set(dut.rewind, 0)
            got: list[list[int] | None] = []
            sent: list[list[int] | None] = []
            todo = item.results.tolist()
            coming = [0] * dut.lead
            while len(sent) < dut.latency or any(sent[-dut.latency :]) or todo or any(coming):
                starts = bool(todo) and (gaps is None or gaps.random() < 0.6)
                coming.append(starts)
                pins.set(dut.coming, starts)
                arrives = coming.pop(0)
                vector = item.results[sum(s is not None for s in sent)].tolist() if arrives else None
                if starts:
                    todo.pop(0)
                offer(ctx, dut.input, vector, 8)
                got.append(seen(ctx, dut.output, 8))
                sent.append(vector)
                await ctx.tick()
            assert [vector for vector in got if vector is not None] == item.expected(addends)
            came = [cycle for cycle, vector in enumerate(got) if vector is not None]
            assert came == [cycle + dut.latency for cycle, vector in enumerate(sent) if vector is not None]

    simulate(dut, testbench)


def random_bytes(random: np.random.Generator, count: int) -> npt.NDArray[np.int8]:
    return random.choice(
        [np.int8(-128), np.int8(127), np.int8(0), np.int8(-1), *random.integers(-128, 128, 12).astype(np.int8)],
        (count, CONFIG.cols),
    )


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_equals_the_twin_through_changes_of_instruction(seed: int) -> None:
    random = np.random.default_rng(seed)
    addends = random_bytes(random, CONFIG.addends)
    work = []
    for _ in range(12):
        work.append(
            Work(
                random_bytes(random, int(random.integers(1, 40))),
                int(random.integers(0, CONFIG.addends)),
                int(random.integers(0, len(Combining))),
                *(int(value) for value in random.integers(-ONE, ONE, 2)),
                int(random.integers(-(1 << 29), 1 << 29)),
                *(int(value) for value in random.integers(-128, 128, 2)),
                int(random.integers(0, 2)),
            )
        )
    check(work, addends, gaps=random if seed > 1 else None)


@pytest.mark.parametrize("combination", list(Combining))
def test_corners_of_every_number(combination: Combining) -> None:
    random = np.random.default_rng(4)
    addends = random_bytes(random, CONFIG.addends)
    corners = (-LARGEST - 1, LARGEST, 0)
    work = [
        Work(random_bytes(random, 8), 60, combination, factor, other, offset, *zeros)
        for factor in corners
        for other in corners
        for offset in (-(1 << 31), (1 << 31) - 1, 0)
        for zeros in ((0, 0), (-128, 127))
    ]
    check(work, addends)


def test_ties_go_to_even_integers() -> None:
    """Halves of sums of two bytes, of which every other one is a tie, and what lies next to them."""
    random = np.random.default_rng(5)
    addends = random.integers(-128, 128, (CONFIG.addends, CONFIG.cols), np.int8)
    results = random.integers(-128, 128, (40, CONFIG.cols), np.int8)
    check([Work(results, 7, 1, ONE // 2, ONE // 2, offset) for offset in (-1, 0, 1)], addends)


def test_ties_of_products_go_to_even_integers_too() -> None:
    random = np.random.default_rng(6)
    addends = random.integers(-128, 128, (CONFIG.addends, CONFIG.cols), np.int8)
    results = random.integers(-128, 128, (40, CONFIG.cols), np.int8)
    factor = (1 << PRODUCT_FRACTION_BITS) // 64
    work = [Work(results, 7, Combining.PRODUCT, factor, 0, offset, 5, 3) for offset in (-1, 0, 1)]
    halves = (results.astype(int) - 5) * (addends[(7 + np.arange(40)) % len(addends)].astype(int) - 3) % 64 == 32
    assert halves.any()
    check(work, addends)
