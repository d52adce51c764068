"""A module of the generated Verilog that is nothing but registers and the logic between them, taken apart."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from wingrid.hw.verilog import WAKE

NAME = r"(?:\\\S+ |[A-Za-z_]\w*)"
"""A name as the text has it; an escaped one ends with its space."""

_DECLARATION = re.compile(rf"  (input|output|wire|reg) (?:\[(\d+):0\] )?({NAME}) *;")
_LOGIC = re.compile(rf"  assign ({NAME}) *= (.*);")
_CLOCKED = re.compile(rf"  always @\(posedge ({NAME})\)\n    ({NAME}) *<= (.*);")
_CHOICE = re.compile(
    rf"  always @\* begin\n    if \({WAKE} \) begin end\n    ({NAME}) *= ({NAME});\n"
    rf"    if \(({NAME})\) begin\n      \1 *= ({NAME});\n    end\n  end"
)
_IGNORED = re.compile(rf"  reg {WAKE} ;|  initial {WAKE} <= 1'b0;")
_STATEMENT = re.compile(r"  always @\*(?:.|\n)*?\n  end$|  always @\(posedge .*\n.*$|.+$", flags=re.MULTILINE)
# Numbers and system functions are matched too, so that no part of them is taken for a name.
_WORD = re.compile(rf"\d*'s?[bodh][0-9a-fxz]+|\$\w+|({NAME})")


class NotPlainError(Exception):
    """The module is more than registers and logic, or is written in a way that is not known here."""


def names(expression: str) -> list[str]:
    """The names in an expression, in order."""
    return [word[1] for word in _WORD.finditer(expression) if word[1]]


def renamed(expression: str, new: dict[str, str]) -> str:
    """The expression with others in place of the names that ``new`` knows."""
    return _WORD.sub(lambda word: new.get(word[0], word[0]), expression)


@dataclass
class PlainModule:
    """Registers on one clock, and logic between inputs and registers. All outputs are registers."""

    clock: str
    widths: dict[str, int] = field(default_factory=dict)
    """Of all signals, in bits. None is signed."""
    inputs: list[str] = field(default_factory=list)
    """Those that are read, without the clock."""
    outputs: list[str] = field(default_factory=list)
    logic: dict[str, str] = field(default_factory=dict)
    """What each signal that is no register is, as an expression, after those that it reads; only what is needed."""
    registers: dict[str, str] = field(default_factory=dict)
    """What each register takes at the clock's edge, as an expression."""


def parse(body: str) -> PlainModule:
    """A module's text between header and ``endmodule``, taken apart. Raises ``NotPlainError``."""
    kinds: dict[str, list[str]] = {"input": [], "output": [], "wire": [], "reg": []}
    module = PlainModule("")
    clocks: set[str] = set()
    logic: dict[str, str] = {}
    for statement in _STATEMENT.findall(body):
        if found := _DECLARATION.fullmatch(statement):
            kind, high, name = found.groups()
            kinds[kind].append(name)
            module.widths[name] = int(high or 0) + 1
        elif found := _LOGIC.fullmatch(statement):
            _define(logic, found[1], found[2])
        elif found := _CLOCKED.fullmatch(statement):
            clocks.add(found[1])
            _define(module.registers, found[2], found[3])
        elif found := _CHOICE.fullmatch(statement):
            _define(logic, found[1], f"{found[3]} ? {found[4]} : {found[2]}")
        elif not _IGNORED.fullmatch(statement):
            raise NotPlainError(f"unknown: {statement}")
    if len(clocks) != 1:
        raise NotPlainError(f"{len(clocks)} clocks")
    module.clock = clocks.pop()
    module.outputs = kinds["output"]
    for name in [name for value in module.registers.values() for name in names(value)]:
        _need(module, logic, kinds["input"], name, ())
    if not set(module.outputs) <= module.registers.keys() or logic.keys() & module.registers.keys():
        raise NotPlainError("an output is no register")
    return module


def _define(values: dict[str, str], name: str, value: str) -> None:
    if name in values:
        raise NotPlainError(f"{name} has two drivers")
    values[name] = value


def _need(module: PlainModule, logic: dict[str, str], inputs: list[str], name: str, readers: tuple[str, ...]) -> None:
    """Take into the module what ``name`` needs, and then itself."""
    if name in module.registers or name in module.logic or name in module.inputs:
        return
    if name in readers or name == module.clock:
        raise NotPlainError(f"{name} is read by itself, or the clock as data")
    if name in inputs:
        module.inputs.append(name)
    elif name in logic:
        for read in names(logic[name]):
            _need(module, logic, inputs, read, (*readers, name))
        module.logic[name] = logic[name]
    else:
        raise NotPlainError(f"{name} has no driver")
