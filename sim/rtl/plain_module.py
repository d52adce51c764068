"""A module of the generated Verilog that is nothing but registers and the logic between them, taken apart."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from wingrid.hw.verilog import WAKE
from wingrid.sim.rtl.choices import NotAChoiceError, choice
from wingrid.sim.rtl.expressions import NAME, Part, is_operation, names, parts, selected, selection, substituted

_DECLARATION = re.compile(rf"  (input|output|wire|reg) (?:\[(\d+):0\] )?({NAME}) *;")
_LOGIC = re.compile(rf"  assign ({NAME}) *= (.*);")
_CLOCKED = re.compile(rf"  always @\(posedge ({NAME})\)\n    ({NAME}) *<= (.*);")
_CHOICE = re.compile(rf"  always @\* begin\n    if \({WAKE} \) begin end\n((?:.|\n)*)\n  end")
_IGNORED = re.compile(rf"  reg {WAKE} ;|  initial {WAKE} <= 1'b0;")
_STATEMENT = re.compile(r"  always @\*(?:.|\n)*?\n  end$|  always @\(posedge .*\n.*$|.+$", flags=re.MULTILINE)


class NotPlainError(Exception):
    """The module is more than registers and logic, or is written in a way that is not known here."""


@dataclass
class PlainModule:
    """Registers on one clock, and logic between inputs and registers. All outputs are registers.

    All names but those of ports are new ones, the same in modules that are the same but for their names.
    """

    clock: str
    """Its port."""
    ports: dict[str, int]
    """The width of each, in bits."""
    widths: dict[str, int] = field(default_factory=dict)
    """Of all signals, in bits. None is signed."""
    inputs: dict[str, Part] = field(default_factory=dict)
    """What of which port each is, without the clock; only what is read. No bit is of two."""
    outputs: dict[str, str] = field(default_factory=dict)
    """The port of each register that has one."""
    logic: dict[str, str] = field(default_factory=dict)
    """What each signal that is no register is, as an expression, after those that it reads; only what is needed."""
    registers: dict[str, str] = field(default_factory=dict)
    """What each register takes at the clock's edge, as an expression."""

    @property
    def form(self) -> tuple[object, ...]:
        """What modules have in common that are the same, whatever their ports are and whoever reads their registers."""
        return tuple(self.widths.items()), tuple(self.inputs), tuple(self.logic.items()), tuple(self.registers.items())


def parse(body: str) -> PlainModule:
    """A module's text between header and ``endmodule``, taken apart. Raises ``NotPlainError``."""
    return _Text(body).module()


class _Text:
    """What a module's text says, in its own names."""

    def __init__(self, body: str) -> None:
        self.kinds: dict[str, set[str]] = defaultdict(set)
        self.widths: dict[str, int] = {}
        self.logic: dict[str, str] = {}
        self.registers: dict[str, str] = {}
        clocks: set[str] = set()
        choices: list[str] = []
        for statement in _STATEMENT.findall(body):
            if found := _DECLARATION.fullmatch(statement):
                kind, high, name = found.groups()
                self.kinds[kind].add(name)
                self.widths[name] = int(high or 0) + 1
            elif found := _LOGIC.fullmatch(statement):
                _define(self.logic, found[1], found[2])
            elif found := _CLOCKED.fullmatch(statement):
                clocks.add(found[1])
                _define(self.registers, found[2], found[3])
            elif found := _CHOICE.fullmatch(statement):
                choices.append(found[1])
            elif not _IGNORED.fullmatch(statement):
                raise NotPlainError(f"unknown: {statement}")
        for name, value in self.logic.items():
            if (values := selection(value)) and name in self.widths:
                self.logic[name] = selected(*values, self.widths[name])
            elif not is_operation(value):
                raise NotPlainError(f"unknown: {value}")
        for text in choices:
            try:
                _define(self.logic, *choice(text, self.widths))
            except NotAChoiceError as error:
                raise NotPlainError(str(error)) from None
        expressions = " ".join([*self.logic.values(), *self.registers.values()])
        if unknown := {*self.logic, *self.registers, *names(expressions)} - self.widths.keys():
            raise NotPlainError(f"not declared: {', '.join(sorted(unknown))}")
        if len(clocks) != 1:
            raise NotPlainError(f"{len(clocks)} clocks")
        (self.clock,) = clocks
        if not self.kinds["output"] <= self.registers.keys() or self.logic.keys() & self.registers.keys():
            raise NotPlainError("an output is no register")

    def module(self) -> PlainModule:
        ordered: list[str] = []
        read: dict[str, set[Part]] = defaultdict(set)
        for value in self.registers.values():
            self._need(value, ordered, read, ())
        for name in ordered:
            # Of what is shifted, say, there are upper bits that nobody reads.
            self.widths[name] = max(part.high for part in read[name]) + 1
        inputs = {name: _united(read[name]) for name in read if name in self.kinds["input"]}

        ports = {name: self.widths[name] for name in self.kinds["input"] | self.kinds["output"]}
        module = PlainModule(self.clock, ports)
        new: dict[Part, str] = {}

        def renamed(part: Part) -> str:
            whole = Part(part.name, self.widths[part.name] - 1, 0)
            for united in inputs.get(part.name, ()):
                if united.low <= part.low <= united.high:
                    whole = united
            if whole not in new:
                new[whole] = f"n{len(new)}"
                module.widths[new[whole]] = whole.width
                if part.name in inputs:
                    module.inputs[new[whole]] = whole
            return _bits(new[whole], part.high - whole.low, part.low - whole.low, whole.width)

        def signal(name: str) -> str:
            return renamed(Part(name, self.widths[name] - 1, 0))

        for name in ordered:
            value = substituted(self.logic[name], self.widths, renamed)
            module.logic[signal(name)] = value
        for name, value in self.registers.items():
            module.registers[signal(name)] = substituted(value, self.widths, renamed)
        module.outputs = {signal(name): name for name in self.registers if name in self.kinds["output"]}
        return module

    def _need(self, value: str, ordered: list[str], read: dict[str, set[Part]], readers: tuple[str, ...]) -> None:
        """Put logic that an expression needs behind what is ordered, and all parts that are read to what is read."""
        for part in parts(value, self.widths):
            name = part.name
            read[name].add(part)
            if name in readers or name == self.clock:
                raise NotPlainError(f"{name} is read by itself, or the clock as data")
            if name in self.logic and name not in ordered:
                self._need(self.logic[name], ordered, read, (*readers, name))
                ordered.append(name)
            elif name not in self.logic and name not in self.registers and name not in self.kinds["input"]:
                raise NotPlainError(f"{name} has no driver")


def _define(values: dict[str, str], name: str, value: str) -> None:
    if name in values:
        raise NotPlainError(f"{name} has two drivers")
    values[name] = value


def _bits(name: str, high: int, low: int, width: int) -> str:
    if (high, low) == (width - 1, 0):
        return name
    return f"{name}[{high}:{low}]" if high > low else f"{name}[{high}]"


def _united(read: Iterable[Part]) -> list[Part]:
    """Parts of one signal, those that overlap as one."""
    united: list[Part] = []
    for part in sorted(read, key=lambda part: part.low):
        if united and part.low <= united[-1].high:
            part = Part(part.name, max(part.high, united[-1].high), united.pop().low)
        united.append(part)
    return united
