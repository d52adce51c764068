"""Signed numbers of any width for tests: wrapping, and random operands with many extremes among them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def limits(bits: int) -> tuple[int, int]:
    """Smallest and largest signed number of that width."""
    return -(1 << bits - 1), (1 << bits - 1) - 1


def wrapped(value: npt.ArrayLike, bits: int) -> npt.NDArray[np.int64]:
    """The signed numbers that the low bits of int64 values stand for."""
    half = 1 << bits - 1
    return (np.asarray(value, np.int64) + half) % (2 * half) - half


def extremes(random: np.random.Generator, bits: int, shape: tuple[int, ...]) -> npt.NDArray[np.int64]:
    """Random signed numbers, about a third of them the smallest or largest."""
    low, high = limits(bits)
    choice = random.integers(0, 6, shape)
    return np.where(choice == 0, low, np.where(choice == 1, high, random.integers(low, high + 1, shape)))
