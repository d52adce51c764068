"""What a combinational process of the generated Verilog gives to its signal, as one expression."""

from __future__ import annotations

import re

from wingrid.sim.rtl.expressions import NAME, VALUE, part, selected

_ASSIGNMENT = re.compile(rf"({NAME}) *= (.*);")
_IF = re.compile(r"if \((.*)\) begin")
_ELSE_IF = re.compile(r"end else if \((.*)\) begin")
_CASE = re.compile(r"casez \((.*)\)")
_NUMBER = r"\d+'h[0-9a-f]+"
_ITEM = re.compile(rf"({_NUMBER}(?:, {_NUMBER})*):( begin)?")
_NOTHING = "/* empty */;"
_ANY_CASE = "(* full_case = 32'd1 *)"
_END = re.compile(r"end( else .*)?|endcase")


class NotAChoiceError(Exception):
    """The process is more than choices between values for one signal, or is written in a way that is not known here."""


def choice(text: str, widths: dict[str, int]) -> tuple[str, str]:
    """The signal that the process's statements give a value to, and that value. Raises ``NotAChoiceError``."""
    reader = _Reader(text, widths)
    value = reader.block(None)
    if reader.lines or reader.target is None or value is None:
        raise NotAChoiceError(f"not one value in all cases: {text}")
    return reader.target, value


class _Reader:
    """Reads statements one after the other.

    Each is given what the signal has before, and says what it has behind, None where that may be nothing.
    """

    def __init__(self, text: str, widths: dict[str, int]) -> None:
        self.lines = [line.strip() for line in reversed(text.split("\n"))]
        self.widths = widths
        self.target: str | None = None

    def block(self, value: str | None) -> str | None:
        """The statements up to an end or to that of the text."""
        while self.lines and not _END.fullmatch(self.lines[-1]):
            value = self._statement(value)
        return value

    def _statement(self, value: str | None) -> str | None:
        line = self.lines.pop()
        # That is for synthesis: whether there is a value in all cases is seen from those that there are.
        if line == _ANY_CASE and self.lines:
            line = self.lines.pop()
        if line == _NOTHING:
            return value
        if found := _ASSIGNMENT.fullmatch(line):
            if self.target not in (None, found[1]) or found[1] not in self.widths or not VALUE.fullmatch(found[2]):
                raise NotAChoiceError(line)
            self.target = found[1]
            return found[2]
        if found := _IF.fullmatch(line):
            return self._if(found[1], value)
        if found := _CASE.fullmatch(line):
            return self._case(found[1], value)
        raise NotAChoiceError(line)

    def _if(self, condition: str, value: str | None) -> str | None:
        bit = part(condition, self.widths)
        if bit is None or bit.width != 1:
            raise NotAChoiceError(condition)
        then = self.block(value)
        line = self._next()
        if found := _ELSE_IF.fullmatch(line):
            return self._selected(condition, then, self._if(found[1], value))
        otherwise = value
        if line == "end else begin":
            otherwise = self.block(value)
            line = self._next()
        if line != "end":
            raise NotAChoiceError(line)
        return self._selected(condition, then, otherwise)

    def _case(self, selector: str, value: str | None) -> str | None:
        bits = part(selector, self.widths)
        if bits is None:
            raise NotAChoiceError(selector)
        items: list[tuple[list[str], str | None]] = []
        while (line := self._next()) != "endcase":
            item = _ITEM.fullmatch(line)
            if item is None:
                raise NotAChoiceError(line)
            items.append((item[1].split(", "), self.block(value) if item[2] else self._statement(value)))
            if item[2] and self._next() != "end":
                raise NotAChoiceError(line)
        if len({number for numbers, _ in items for number in numbers}) == 1 << bits.width:
            value = items.pop()[1]
        for numbers, then in reversed(items):
            condition = " | ".join(f"({selector} == {number})" for number in numbers)
            value = self._selected(f"({condition})", then, value)
        return value

    def _next(self) -> str:
        if not self.lines:
            raise NotAChoiceError("the text ends within a statement")
        return self.lines.pop()

    def _selected(self, condition: str, then: str | None, otherwise: str | None) -> str | None:
        """None if there may be no value: the signal of such a process keeps the one that it had."""
        if then is None or otherwise is None or self.target is None:
            return None
        return then if then == otherwise else selected(condition, then, otherwise, self.widths[self.target])
