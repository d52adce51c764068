"""Amaranth expressions as integer terms of the SMT solver z3.

Amaranth's sums, differences and constant shifts widen as needed and so are those of the integers; slices, parts
side by side and changes of sign are remainders and quotients of powers of two. So what a circuit computes can be
compared with what it should compute for all inputs at their full width, where bit-level solvers give up on products.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from itertools import accumulate
from operator import add

import z3
from amaranth.hdl import Const, Signal, Value
from amaranth.hdl._ast import Concat, Operator, Slice  # Amaranth has no public way to look into an expression.


def integer(value: Value, inputs: Mapping[str, z3.ArithRef]) -> z3.ArithRef:
    """The number that ``value`` stands for, its signals being the inputs of the same names.

    Raises ``TypeError`` at an operation that it does not know.
    """
    match value:
        case Const():
            return z3.IntVal(value.value)
        case Signal():
            return inputs[value.name]
        case Slice():
            return (integer(value.value, inputs) / (1 << value.start)) % (1 << value.stop - value.start)
        case Concat(parts=parts):
            places = [0, *accumulate(len(part) for part in parts)]
            lanes = [integer(part, inputs) % (1 << len(part)) for part in parts]
            return sum(lane * (1 << place) for lane, place in zip(lanes, places, strict=False))
        case Operator(operator="+" | "-" | "<<" | "s" as operator, operands=operands):
            terms = [integer(operand, inputs) for operand in operands]
            if operator == "+":
                return reduce(add, terms)
            if operator == "-":
                return -terms[0] if len(terms) == 1 else terms[0] - terms[1]
            if operator == "<<" and z3.is_int_value(terms[1]):
                return terms[0] * (1 << terms[1].as_long())
            if operator == "s":
                half = 1 << len(value) - 1
                return (terms[0] + half) % (2 * half) - half
    raise TypeError(f"{value!r} has no integer counterpart here")


def signed(name: str, bits: int) -> tuple[z3.ArithRef, z3.BoolRef]:
    """A variable and the condition that it is a signed number of that width."""
    variable = z3.Int(name)
    return variable, fits(variable, bits)


def fits(term: z3.ArithRef, bits: int) -> z3.BoolRef:
    return z3.And(term >= -(1 << bits - 1), term < 1 << bits - 1)


def holds(claim: z3.BoolRef, *assumptions: z3.BoolRef, seconds: int = 60) -> bool:
    """Whether the claim is true for all values that the assumptions allow; ``TimeoutError`` if that stays open."""
    solver = z3.Solver()
    solver.set("timeout", 1000 * seconds)
    solver.add(*assumptions, z3.Not(claim))
    verdict = solver.check()
    if verdict == z3.unknown:
        raise TimeoutError(f"undecided after {seconds} seconds: {solver.reason_unknown()}")
    return verdict == z3.unsat
