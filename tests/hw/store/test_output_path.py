"""Drained accumulators to int8 against the numpy twins, cycle by cycle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest
from amaranth.hdl import Value
from amaranth.sim import SimulatorContext
from signed_numbers import extremes, limits, wrapped
from simulation import Pins, offer, seen, simulate
from winograd_products import winograd_sums

from wingrid.hw.config import TABLE_ENTRIES, AcceleratorConfig
from wingrid.hw.isa import ADDITION_FRACTION_BITS
from wingrid.hw.store.output_path import OutputPath
from wingrid.hw.winograd_matrices import winograd
from wingrid.sim.golden.combination import combined
from wingrid.sim.golden.lookup import looked_up
from wingrid.sim.golden.requantise import encode_scale, requantise_integer
from wingrid.sim.golden.winograd import transform_outputs

CONFIG = AcceleratorConfig(rows=2, cols=3, winograd=4)
TABLED = AcceleratorConfig(rows=2, cols=3, winograd=4, tables=2)
TABLES = np.random.default_rng(3).integers(-128, 128, (TABLED.tables, TABLED.cols, TABLE_ENTRIES), np.int8)
ADDING = AcceleratorConfig(rows=2, cols=3, winograd=4, addends=128)
BOTH = AcceleratorConfig(rows=2, cols=3, winograd=4, tables=2, addends=128)
ADDENDS = np.random.default_rng(4).integers(-128, 128, (ADDING.addends, ADDING.cols), np.int8)
BITS = CONFIG.accumulator_bits
NUMBERS = ("factor", "addend_factor", "offset", "result_zero", "addend_zero")


@dataclass
class Work:
    """What one STORE asks of the path: ``accumulators`` [tiles, cols, n, n] with n = 1 for tile 0."""

    tile: int
    accumulators: npt.NDArray[np.int64]
    bias: npt.NDArray[np.int64]
    scales: npt.NDArray[np.float32]
    zero_point: int = 0
    minimum: int = -128
    maximum: int = 127
    table: int = 0
    """What results are looked up in: of ``TABLES`` the one before, none for 0."""
    combination: int = 0
    """What ``ADDENDS`` do to results."""
    broadcast: int = 0
    addend_base: int = 0
    factor: int = 0
    addend_factor: int = 0
    offset: int = 0
    result_zero: int = 0
    addend_zero: int = 0

    @property
    def vectors(self) -> list[list[list[int]]]:
        """Each tile's vectors in the order of positions, the row of M fastest."""
        return self.accumulators.transpose(0, 3, 2, 1).reshape(len(self.accumulators), -1, CONFIG.cols).tolist()

    @property
    def results(self) -> list[list[int]]:
        """Tile after tile, in raster order."""
        answers = transform_outputs(self.accumulators, self.tile, BITS) if self.tile else self.accumulators
        totals = wrapped(answers + self.bias[:, None, None], 32).transpose(1, 0, 2, 3).reshape(CONFIG.cols, -1)
        limits_ = {"zero_point": self.zero_point, "minimum": self.minimum, "maximum": self.maximum}
        results = requantise_integer(totals, self.scales, **limits_).astype(np.int8)
        if self.table:
            results = looked_up(results, TABLES[self.table - 1])
        if self.combination:
            steps = np.arange(results.shape[1]) * (not self.broadcast)
            addends = ADDENDS[(self.addend_base + steps) % len(ADDENDS)].T
            numbers = {name: getattr(self, name) for name in NUMBERS}
            results = combined(self.combination, results, addends, **numbers)
        return results.T.tolist()


def answers_to(tile: int, answers: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Some accumulators [..., n, n], modulo 2**BITS, whose transform is ``answers`` [..., tile, tile]."""
    transform = winograd(tile)
    # Products of a kernel that has only its first tap: B^T d B * G g G^T for the patch that begins with the answers.
    inputs, kernels = np.array(transform.input_matrix, object), np.array(transform.kernel_matrix, object)
    patches = np.zeros((*answers.shape[:-2], transform.patch, transform.patch), object)
    patches[..., :tile, :tile] = answers
    patches[..., tile:, :] = patches[..., :, tile:] = 12345
    products = (inputs @ patches @ inputs.T) * np.outer(kernels[:, 0], kernels[:, 0])
    return wrapped((products % (1 << BITS)).astype(np.int64), BITS)


def check(work: list[Work], gaps: np.random.Generator | None = None, config: AcceleratorConfig = CONFIG) -> None:
    dut = OutputPath(config)

    async def testbench(ctx: SimulatorContext) -> None:
        pins = Pins(ctx)
        cycle = 0
        if config.tables:
            ctx.set(dut.table_write, 1)
            await fill(ctx, dut, TABLES.transpose(0, 2, 1).reshape(-1, config.cols))
            ctx.set(dut.table_write, 0)
        if config.addends:
            ctx.set(dut.addend_write, 1)
            await fill(ctx, dut, ADDENDS)
            ctx.set(dut.addend_write, 0)
        for item in work:
            pins.set(dut.tile, item.tile)
            if config.tables:
                pins.set(dut.table, item.table)
            if config.addends:
                for name in ("combination", "broadcast", "addend_base", *NUMBERS):
                    pins.set(getattr(dut, name), getattr(item, name))
                pins.set(dut.rewind, 1)
            # As reading the parameters gives it time for.
            for _ in range(3 if config.addends else 2):
                await ctx.tick()
                cycle += 1
            if config.addends:
                pins.set(dut.rewind, 0)
            for name in ("zero_point", "minimum", "maximum"):
                pins.set(getattr(dut, name), getattr(item, name))
            encoded = [encode_scale(scale) for scale in item.scales]
            parameters = [
                {"bias": int(bias), "mantissa": mantissa, "exponent": exponent}
                for bias, (mantissa, exponent) in zip(item.bias, encoded, strict=True)
            ]
            ctx.set(dut.parameters, parameters)
            due: list[int] = []
            results: list[list[int]] = []
            todo = [(vector, n == len(tile) - 1) for tile in item.vectors for n, vector in enumerate(tile)]
            while todo or cycle <= due[-1]:
                sending = bool(todo) and (gaps is None or gaps.random() < 0.6)
                vector, ends = todo.pop(0) if sending else (None, False)
                if ends:
                    first = cycle + dut.latency_for(config, item.tile)
                    size, pitch = (item.tile, winograd(item.tile).patch) if item.tile else (1, 1)
                    due.extend(first + row * pitch + column for row in range(size) for column in range(size))
                    assert due[-1] == first + dut.span_for(item.tile)
                offer(ctx, dut.sums, vector, config.accumulator_bits)
                if ctx.get(Value.cast(dut.results)) & 1:
                    assert cycle == due[len(results)]
                    results.append(seen(ctx, dut.results, 8))
                await ctx.tick()
                cycle += 1
            assert results == item.results

    simulate(dut, testbench)


async def fill(ctx: SimulatorContext, dut: OutputPath, beats: npt.NDArray[np.int8]) -> None:
    """One entry a cycle, from the first one on, of what ``dut`` is told to write."""
    for place, beat in enumerate(beats):
        ctx.set(dut.write_address, place)
        ctx.set(dut.write_data, int.from_bytes(beat.tobytes(), "little"))
        await ctx.tick()


def random_work(random: np.random.Generator, tile: int, tiles: int) -> Work:
    magnitude = int(random.integers(8, 28))
    size = tile or 1
    answers = random.integers(-(1 << magnitude - 1), 1 << magnitude - 1, (tiles, CONFIG.cols, size, size))
    low, high = sorted(int(value) for value in random.integers(-128, 128, 2))
    return Work(
        tile,
        answers_to(tile, answers) if tile else answers,
        random.integers(-1000, 1000, CONFIG.cols),
        (random.uniform(100, 400, CONFIG.cols) / 2.0**magnitude).astype(np.float32),
        int(random.integers(-128, 128)),
        low,
        high,
    )


@pytest.mark.parametrize("tile", [0, 2, 4])
def test_takes_a_vector_in_every_cycle_and_keeps_its_latency(tile: int) -> None:
    random = np.random.default_rng(tile)
    check([random_work(random, tile, 5) for _ in range(4)])


def test_gaps_and_changes_of_tile() -> None:
    random = np.random.default_rng(5)
    check([random_work(random, tile, 3) for tile in (0, 2, 4, 2, 0, 4, 0)], gaps=random)


def test_results_are_looked_up_behind_the_clamp() -> None:
    random = np.random.default_rng(6)
    work = [random_work(random, tile, 3) for tile in (0, 2, 4, 0, 4, 2, 0, 0)]
    for number, item in enumerate(work):
        item.table = number % (TABLED.tables + 1)
    check(work, gaps=random, config=TABLED)


@pytest.mark.parametrize("config", [ADDING, BOTH], ids=["without tables", "behind tables"])
def test_another_tensor_is_combined_in_the_order_of_results(config: AcceleratorConfig) -> None:
    random = np.random.default_rng(9)
    work = [random_work(random, tile, 3) for tile in (0, 2, 4, 0, 4, 2, 0, 0)]
    for number, item in enumerate(work):
        item.minimum, item.maximum = -128, 127
        item.table = number % (config.tables + 1)
        item.combination, item.broadcast = number % 3, number // 3 % 2
        item.addend_base = int(random.integers(ADDING.addends))
        item.result_zero, item.addend_zero = (int(zero) for zero in random.integers(-128, 128, 2))
        item.factor, item.addend_factor = (int(f) for f in random.integers(-1, 1 << ADDITION_FRACTION_BITS, 2))
        item.offset = int(random.integers(-(1 << 26), 1 << 26))
    check(work, gaps=random, config=config)


@pytest.mark.parametrize("tile", [2, 4])
def test_every_answer_comes_back_from_accumulators_that_wrap(tile: int) -> None:
    low, high = limits(winograd(tile).answer_bits(BITS))
    low, high = max(low, -(1 << 31)), min(high, (1 << 31) - 1)
    corners = np.array([low, low + 1, high, high - 1, -1, 0, 1, 512 * 9 * 128 * 128])
    random = np.random.default_rng(6)
    answers = random.choice(corners, (6, CONFIG.cols, tile, tile))
    accumulators = answers_to(tile, answers)
    np.testing.assert_array_equal(transform_outputs(accumulators, tile, BITS), answers)
    # Scales that keep the largest in range, and one in which only the sign counts.
    for power in (21 + 7 * (tile == 2), 4):
        scales = np.full(CONFIG.cols, 2.0**-power, np.float32)
        check([Work(tile, accumulators, np.zeros(CONFIG.cols, np.int64), scales)])


@pytest.mark.parametrize("tile", [0, 2, 4])
def test_accumulators_that_wrap_give_what_the_twins_give(tile: int) -> None:
    random = np.random.default_rng(7)
    if tile:
        n = winograd(tile).patch
        accumulators = winograd_sums(random, tile, 6 * CONFIG.cols, BITS).reshape(6, CONFIG.cols, n, n)
    else:
        accumulators = extremes(random, 32, (6, CONFIG.cols, 1, 1))
    scales = (random.uniform(50, 200, CONFIG.cols) / 2.0**27).astype(np.float32)
    check([Work(tile, accumulators, extremes(random, 31, (CONFIG.cols,)), scales)])


def test_without_winograd_there_is_only_the_requantiser() -> None:
    random = np.random.default_rng(8)
    check([random_work(random, 0, 20) for _ in range(3)], config=AcceleratorConfig(winograd=0, rows=2, cols=3))
