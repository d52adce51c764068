"""Linear combinations with small integer coefficients, made of adders and shifts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import add

from amaranth.hdl import Const, Value

from hw.winograd import shift_add


def combination(coefficients: Sequence[int], values: Sequence[Value]) -> Value:
    """The sum of coefficient times value, exactly (Amaranth widens as needed), without a multiplier."""
    positive: list[Value] = []
    negative: list[Value] = []
    for coefficient, value in zip(coefficients, values, strict=True):
        for sign, shift in shift_add(coefficient):
            (positive if sign > 0 else negative).append(value << shift)
    total = reduce(add, positive, Const(0)) if positive else Const(0)
    return total - reduce(add, negative) if negative else total
