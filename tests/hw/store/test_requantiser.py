"""The requantiser against its integer twin, and so against float32."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from amaranth.sim import Simulator, SimulatorContext
from signed_numbers import wrapped

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.store.requantiser import Requantiser
from wingrid.sim.golden.requantise import encode_scale, requantise_integer


def run(
    config: AcceleratorConfig,
    sums: npt.NDArray[np.int64],
    parameters: list[dict[str, int]],
    zero_point: int = 0,
    minimum: int = -128,
    maximum: int = 127,
    gaps: np.random.Generator | None = None,
) -> npt.NDArray[np.int64]:
    """Results of the vectors ``sums`` [vectors, cols], with random gaps between them if asked for."""
    dut = Requantiser(config)
    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    results, arrivals, departures = [], [], []

    async def testbench(ctx: SimulatorContext) -> None:
        ctx.set(dut.zero_point, zero_point)
        ctx.set(dut.minimum, minimum)
        ctx.set(dut.maximum, maximum)
        ctx.set(dut.parameters, parameters)
        cycle = vector = 0
        while len(results) < len(sums) or cycle < departures[-1] + 2 * dut.latency:
            present = vector < len(sums) and (gaps is None or gaps.random() < 0.5)
            lanes = sums[vector] if present else [-1] * config.cols
            ctx.set(dut.sums, {"valid": int(present), "lanes": [int(lane) for lane in lanes]})
            if present:
                arrivals.append(cycle)
                vector += 1
            output = ctx.get(dut.results)
            if output.valid:
                departures.append(cycle)
                results.append(list(output.lanes))
            await ctx.tick()
            cycle += 1

    simulator.add_testbench(testbench)
    simulator.run()
    assert departures == [cycle + dut.latency for cycle in arrivals]
    return np.array(results)


def check(
    config: AcceleratorConfig,
    totals: npt.NDArray[np.int64],
    bias: npt.NDArray[np.int64],
    scales: npt.NDArray[np.float32],
    zero_point: int = 0,
    minimum: int = -128,
    maximum: int = 127,
    gaps: np.random.Generator | None = None,
) -> npt.NDArray[np.int8]:
    """Run totals [vectors, cols] as sums from which the bias is still missing, and compare."""
    sums = wrapped(totals - bias, config.accumulator_bits)
    encoded = [encode_scale(scale) for scale in scales]
    parameters = [{"bias": int(b), "mantissa": m, "exponent": e} for b, (m, e) in zip(bias, encoded, strict=True)]
    expected = requantise_integer(totals.T, scales, zero_point=zero_point, minimum=minimum, maximum=maximum).T
    results = run(config, sums, parameters, zero_point, minimum, maximum, gaps)
    np.testing.assert_array_equal(results, expected)
    return expected


def random_totals(rng: np.random.Generator, shape: tuple[int, ...]) -> npt.NDArray[np.int64]:
    """int32 of every magnitude."""
    return rng.integers(-(1 << 31), 1 << 31, shape) >> rng.integers(0, 32, shape)


@pytest.mark.parametrize("winograd", [0, 4])
def test_random_sums_and_scales_in_every_lane(winograd: int) -> None:
    config = AcceleratorConfig(rows=2, cols=8, winograd=winograd)
    rng = np.random.default_rng(5)
    for zero_point, minimum, maximum in [(0, -128, 127), (-128, -128, 127), (127, -128, 127), (-3, -3, 90)]:
        totals = random_totals(rng, (150, 8))
        bias = random_totals(rng, (8,))
        # Scales that bring totals of some magnitude into the range of int8, so that roundings matter.
        scales = (rng.uniform(20, 300, 8) / 2.0 ** rng.integers(0, 32, 8)).astype(np.float32)
        expected = check(config, totals, bias, scales, zero_point=zero_point, minimum=minimum, maximum=maximum)
        assert len(np.unique(expected)) > 20


def test_rounds_totals_to_24_bits_half_to_even() -> None:
    config = AcceleratorConfig(winograd=0, rows=2, cols=6)
    for width in (25, 26, 28, 31):
        # Totals about half of a 24-bit step away from a tie of the result: float32 takes them onto the tie or not.
        half = 1 << width - 25
        ties = (2 * np.arange(64, 128) + 1) << width - 8
        totals = ties[:, None] + np.array([-half - 1, -half, 1 - half, half - 1, half, half + 1])
        totals[::3] *= -1
        scales = np.full(6, 2.0 ** -(width - 7), np.float32)
        expected = check(config, totals, np.zeros(6, np.int64), scales)
        assert (expected != np.rint(totals * scales.astype(np.float64))).any()


def test_results_halfway_between_integers_go_to_the_even_one() -> None:
    config = AcceleratorConfig(winograd=0, rows=2, cols=2)
    totals = np.array([[n, -n] for n in range(0, 40)])
    expected = check(config, totals, np.zeros(2, np.int64), np.array([0.5, 0.5], np.float32))
    assert expected[:8, 0].tolist() == [0, 0, 1, 2, 2, 2, 3, 4]
    check(config, totals, np.zeros(2, np.int64), np.array([0.25, 1.5], np.float32), zero_point=-7)


@pytest.mark.slow
def test_products_near_ties_are_rounded_twice_as_float32_does() -> None:
    # sum * scale just off a tie by less than a float32 step: rounding once would differ from rounding twice.
    rng = np.random.default_rng(7)
    config = AcceleratorConfig(winograd=0, rows=2, cols=8)
    differing = 0
    for _ in range(12):
        scales = (rng.uniform(0.5, 1, 8) * 2.0 ** -rng.integers(16, 24, 8)).astype(np.float32)
        targets = rng.integers(-127, 127, (60, 8)) + 0.5
        totals = np.rint(targets / scales.astype(np.float64)).astype(np.int64)
        totals = np.clip(totals, -(1 << 31), (1 << 31) - 1)
        expected = check(config, totals, np.zeros(8, np.int64), scales)
        once = np.clip(np.rint(totals * scales.astype(np.float64)), -128, 127)
        differing += np.count_nonzero(once != expected)
    assert differing > 0


@pytest.mark.slow
@pytest.mark.parametrize(("mantissa", "zero_point"), [(1 << 23, -128), ((1 << 24) - 1, 127)])
def test_extreme_totals_saturate_for_every_exponent(mantissa: int, zero_point: int) -> None:
    exponents = np.array([-128, -127, -126, *range(-36, 12), 100, 126, 127])
    config = AcceleratorConfig(winograd=0, rows=2, cols=len(exponents))
    column = np.array([-(1 << 31), -(1 << 31) + 1, -(1 << 23) - 1, -1, 0, 1, 1 << 24, (1 << 31) - 1])
    totals = np.repeat(column[:, None], config.cols, axis=1)
    parameters = [{"bias": 0, "mantissa": mantissa, "exponent": int(exponent)} for exponent in exponents]
    results = run(config, totals, parameters, zero_point)

    # float32 has neither exponent -128 nor -127, but all below -126 take every int32 to zero.
    scales = (mantissa * 2.0 ** (np.maximum(exponents, -126) - 23)).astype(np.float32)
    np.testing.assert_array_equal(results, requantise_integer(totals.T, scales, zero_point=zero_point).T)


def test_a_mantissa_of_zero_gives_the_zero_point_whatever_the_exponent() -> None:
    config = AcceleratorConfig(winograd=0, rows=2, cols=4)
    parameters = [{"bias": 5, "mantissa": 0, "exponent": exponent} for exponent in (-128, -1, 0, 127)]
    results = run(config, np.outer([-(1 << 31), 0, (1 << 31) - 1], [1] * 4), parameters, zero_point=-9)
    assert (results == -9).all()


def test_sums_and_bias_add_modulo_two_to_the_32() -> None:
    config = AcceleratorConfig(rows=2, cols=2, winograd=4)
    mantissa, exponent = encode_scale(1.0)
    parameters = [{"bias": bias, "mantissa": mantissa, "exponent": exponent} for bias in (1 << 30, -(1 << 31))]
    sums = np.array([[3 - (1 << 30), (1 << 31) - 4], [(3 << 30) + 7, 5 - (3 << 31)]])
    assert run(config, sums, parameters).tolist() == [[3, -4], [7, 5]]


@pytest.mark.parametrize(("minimum", "maximum"), [(0, 127), (-128, 0), (-5, 6), (9, 9), (-128, -128)])
def test_clamps_to_the_given_interval(minimum: int, maximum: int) -> None:
    config = AcceleratorConfig(winograd=0, rows=2, cols=4)
    totals = np.arange(-200, 200).reshape(-1, 4)
    scales = np.ones(4, np.float32)
    expected = check(config, totals, np.zeros(4, np.int64), scales, zero_point=3, minimum=minimum, maximum=maximum)
    assert (expected.min(), expected.max()) == (minimum, maximum)


def test_gaps_between_vectors_change_nothing() -> None:
    config = AcceleratorConfig(winograd=0, rows=2, cols=4)
    rng = np.random.default_rng(8)
    totals = random_totals(rng, (120, 4))
    scales = np.array([0.7, 0.001, 3e-7, 0.03], np.float32)
    check(config, totals, random_totals(rng, (4,)), scales, gaps=rng)
