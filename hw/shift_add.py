"""Linear combinations with small integer coefficients, made of adders and shifts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import add

from amaranth.hdl import Const, Value


def combination(coefficients: Sequence[int], values: Sequence[Value]) -> Value:
    """The sum of coefficient times value, exactly (Amaranth widens as needed), without a multiplier."""
    positive: list[Value] = []
    negative: list[Value] = []
    for coefficient, value in zip(coefficients, values, strict=True):
        for sign, shift in shift_add(coefficient):
            (positive if sign > 0 else negative).append(value << shift)
    total = reduce(add, positive, Const(0)) if positive else Const(0)
    return total - reduce(add, negative) if negative else total


def shift_add(constant: int) -> tuple[tuple[int, int], ...]:
    """The fewest signed powers of two that add up to ``constant``, as ``(sign, places)``, lowest first.

    The canonical signed-digit form (Reitwiesner 1960): one adder fewer than terms multiplies by it.
    """
    terms = []
    places = 0
    while constant:
        if constant & 1:
            # Digit -1 where the next bit is set, too: it ends the run of ones by a carry.
            sign = 2 - (constant & 3)
            terms.append((sign, places))
            constant -= sign
        constant >>= 1
        places += 1
    return tuple(terms)
