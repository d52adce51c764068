"""Expressions as the generated Verilog has them, of which this knows those that have one operator."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

NAME = r"(?:\\\S+ |[A-Za-z_]\w*)"
"""A name as the text has it; an escaped one ends with its space."""

_ITEM = rf"(?:\d+'h[0-9a-f]+|{NAME}(?:\[\d+(?::\d+)?\])?) *"
_VALUE = rf"(?:{_ITEM}|\{{ {_ITEM}(?:, {_ITEM})* \}} *)"
VALUE = re.compile(_VALUE)
"""A number, a signal, a part of one, or a concatenation of such: its width and its bits hang on nothing around it."""

_OPERAND = rf"(?:{_VALUE}|\$signed\({_VALUE}\))"
_OPERATION = re.compile(rf"(?:[-~|&^!] )?{_OPERAND}|{_OPERAND} (?:[-+*&|^<>]|<<|>>|==|!=|<=|>=) {_OPERAND}")
_SELECTION = re.compile(rf"({_ITEM}) *\? ({_VALUE}) *: ({_VALUE})")
_SIGNED_COMPARISON = re.compile(rf"(\$signed\({_VALUE}\)) (<|>|<=|>=) (\$signed\({_VALUE}\))")
_CONCATENATION = re.compile(r"\{ ([^{}]*) \}")
# Numbers and system functions are matched too, so that no part of them is taken for a name.
_WORD = re.compile(rf"\d*'s?[bodh][0-9a-fxz]+|\$\w+|({NAME})(?:\[(\d+)(?::(\d+))?\])?")


@dataclass(frozen=True)
class Part:
    """Bits of a signal, from ``high`` down to ``low``."""

    name: str
    high: int
    low: int

    @property
    def width(self) -> int:
        return self.high - self.low + 1


def names(text: str) -> list[str]:
    """The names in an expression or in any other text, in order."""
    return [word[1] for word in _WORD.finditer(text) if word[1]]


def part(text: str, widths: dict[str, int]) -> Part | None:
    """What of which signal a value is, None if it is something else than a part of one."""
    found = _WORD.fullmatch(text) or _WORD.fullmatch(text.rstrip())
    return _part(found, widths) if found is not None and found[1] in widths else None


def parts(expression: str, widths: dict[str, int]) -> list[Part]:
    """The parts of signals that an expression reads, in order."""
    return [_part(word, widths) for word in _WORD.finditer(expression) if word[1]]


def substituted(expression: str, widths: dict[str, int], new: Callable[[Part], str]) -> str:
    """The expression with what ``new`` says in place of each part of a signal."""
    return _WORD.sub(lambda word: new(_part(word, widths)) if word[1] else word[0], expression)


def is_operation(expression: str) -> bool:
    """Whether the expression is a value, or one operator on values, signed or not, other than a selection.

    The lowest bits of such a one are the same in a context of any width, as long as that has them.
    """
    return _OPERATION.fullmatch(expression) is not None


def selection(expression: str) -> tuple[str, str, str] | None:
    """Condition and both values of an expression that selects one of two values, and does nothing else."""
    found = _SELECTION.fullmatch(expression)
    return (found[1], found[2], found[3]) if found else None


def signed_comparison(expression: str) -> tuple[str, str, str] | None:
    """Both signed operands of a comparison, with the operator between them."""
    found = _SIGNED_COMPARISON.fullmatch(expression)
    return (found[1], found[2], found[3]) if found else None


def selected(condition: str, then: str, otherwise: str, width: int) -> str:
    """One of two values of that width, by a condition of one bit, without a branch.

    Verilator makes branches of selections by the same condition, and compilers make those vector instructions only at
    times.
    """
    mask = f"{{{width}{{{condition}}}}}"
    return f"(({mask} & {then}) | (~{mask} & {otherwise}))"


def shortened(expression: str, widths: dict[str, int], extended: Callable[[Part, int], str]) -> str:
    """The expression with ``extended(part, width)`` in place of copies of a part's upper bit in front of it.

    Other copies of a bit become replications. Verilator takes either for what it is, but not the copies.
    """

    def concatenation(found: re.Match[str]) -> str:
        items = re.split(", ", found[1])
        shorter: list[str] = []
        while items:
            item = items.pop(0)
            copies = 1
            while items and items[0] == item:
                items.pop(0)
                copies += 1
            bit, rest = part(item, widths), part(items[0], widths) if items else None
            if bit and rest and bit.name == rest.name and bit.low == bit.high and 0 <= bit.high - rest.high <= 1:
                items.pop(0)
                shorter.append(extended(Part(bit.name, bit.high, rest.low), copies + rest.width))
            else:
                shorter.append(f"{{{copies}{{{item}}}}}" if copies > 1 else item)
        return f"{{ {', '.join(shorter)} }}"

    return _CONCATENATION.sub(concatenation, expression)


def _part(word: re.Match[str], widths: dict[str, int]) -> Part:
    if word[2] is None:
        return Part(word[1], widths[word[1]] - 1, 0)
    return Part(word[1], int(word[2]), int(word[3] or word[2]))
