"""Division of multiples by the odd parts of the transforms' scales, against the integers it stands for."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from amaranth.sim import SimulatorContext
from signed_numbers import extremes, limits
from simulation import multipliers, offer, seen, simulate

from wingrid.hw.winograd.exact_division import ExactDivision
from wingrid.hw.winograd_matrices import POINTS, winograd

LANES = 3
TRANSFORMS = [winograd(tile) for tile in POINTS]


def divide(
    vectors: list[tuple[int, npt.NDArray[np.int64]]], bits: int, gaps: np.random.Generator | None = None
) -> list[list[int]]:
    """Quotients of (transform's number, vector) pairs; each must come ``latency`` cycles after its vector.

    ``select`` is that of the vectors on their way, so a change waits for the last one.
    """
    dut = ExactDivision(TRANSFORMS, lanes=LANES, bits=bits)
    results: list[list[int]] = []

    async def testbench(ctx: SimulatorContext) -> None:
        due: list[int] = []
        todo, cycle, selected = list(vectors), 0, vectors[0][0]
        while todo or cycle <= due[-1] + 5:
            if todo and todo[0][0] != selected and cycle > due[-1]:
                selected = todo[0][0]
            ctx.set(dut.select, selected)
            sending = bool(todo) and todo[0][0] == selected and (gaps is None or gaps.random() < 0.5)
            offer(ctx, dut.input, todo.pop(0)[1].tolist() if sending else None, bits - 2)
            if sending:
                due.append(cycle + dut.latency)
            lanes = seen(ctx, dut.output, bits)
            assert (lanes is not None) == (cycle in due)
            if lanes is not None:
                results.append(lanes)
            await ctx.tick()
            cycle += 1

    simulate(dut, testbench)
    return results


def check(answers: list[tuple[int, npt.NDArray[np.int64]]], bits: int, gaps: np.random.Generator | None = None) -> None:
    scaled = [(choice, answer * TRANSFORMS[choice].odd) for choice, answer in answers]
    assert divide(scaled, bits, gaps) == [answer.tolist() for _, answer in answers]


@pytest.mark.parametrize("bits", [30, 32, 34, 20])
@pytest.mark.parametrize("choice", [0, 1])
def test_gives_every_answer_that_fits_one_vector_per_cycle(choice: int, bits: int) -> None:
    width = TRANSFORMS[choice].answer_bits(bits)
    low, high = limits(width)
    # Around zero, both ends, and where the multiple wraps.
    powers = [sign << k for k in range(width - 1) for sign in (1, -1)]
    corners = [low, low + 1, high, high - 1, *range(-12, 13), *powers]
    corners += [low // 9, high // 9, (1 << bits) // 576, -(1 << bits) // 1152]
    corners += corners[: -len(corners) % LANES]
    random = extremes(np.random.default_rng(bits), width, (60, LANES))
    check([(choice, vector) for vector in np.concatenate([np.array(corners).reshape(-1, LANES), random])], bits)


def test_gaps_and_changes_of_the_transform() -> None:
    random = np.random.default_rng(1)
    choices = [0] * 4 + [1] * 5 + [0] + [1] + [0] * 3
    answers = [(choice, extremes(random, TRANSFORMS[choice].answer_bits(34), (LANES,))) for choice in choices]
    check(answers, 34)
    check(answers, 34, gaps=random)


def test_is_the_division_of_the_mathematics() -> None:
    random = np.random.default_rng(2)
    for choice, transform in enumerate(TRANSFORMS):
        # Numbers that are no multiples, too: what is left of them is the same in both.
        vectors = extremes(random, 34, (40, LANES))
        expected = [[transform.divide(int(lane), 34) for lane in vector] for vector in vectors]
        assert divide([(choice, vector >> transform.shift) for vector in vectors], 34) == expected


def test_has_neither_multiplier_nor_divider() -> None:
    dut = ExactDivision(TRANSFORMS, lanes=LANES, bits=34)
    assert multipliers(dut) == 0
