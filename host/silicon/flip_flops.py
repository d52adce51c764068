"""Flip-flops of a netlist for ECP5, as words beside a block that could hold them itself."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

FLIP_FLOP = "TRELLIS_FF"
ALWAYS = "1"
"""The enable of a register that has none."""

Bit = int | str
"""A net, or a constant: "0", "1", "x"."""
Cells = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Control:
    """What makes a flip-flop take its input: a rising edge of the clock, while it is enabled."""

    clock: Bit
    enable: Bit


class Nets:
    """Who drives each net, and who listens to it."""

    def __init__(self, module: Mapping[str, Any]) -> None:
        self.registers: dict[Bit, str] = {}
        """By their outputs."""
        self.listeners: dict[Bit, set[tuple[str, str]]] = defaultdict(set)
        """Cells with their pins; the module's ports have no cell."""
        for name, cell in module["cells"].items():
            for pin, bits in cell["connections"].items():
                if cell["port_directions"][pin] != "output":
                    for bit in bits:
                        self.listeners[bit].add((name, pin))
            if cell["type"] == FLIP_FLOP:
                self.registers[cell["connections"]["Q"][0]] = name
        for name, port in module["ports"].items():
            for bit in port["bits"]:
                self.listeners[bit].add(("", name))

    def remove(self, cells: Cells, register: str) -> None:
        """Take a flip-flop out of the module's ``cells``."""
        for pin, bits in cells.pop(register)["connections"].items():
            self.listeners[bits[0]].discard((register, pin))
            if pin == "Q":
                del self.registers[bits[0]]


@dataclass(frozen=True)
class Word:
    """Flip-flops that change at the same edges, by the block's pins that they stand at."""

    control: Control
    registers: Mapping[str, str]


def word(cells: Cells, found: Mapping[str, str | None]) -> Word | None:
    """The flip-flops as a word, if there is one at each pin, and all obey the same and may be taken."""
    registers = {pin: register for pin, register in found.items() if register is not None}
    controls = {_control(cells[register]) for register in registers.values()}
    control = controls.pop() if len(controls) == 1 else None
    return Word(control, registers) if control and len(registers) == len(found) else None


def word_behind(cells: Cells, nets: Nets, block: Mapping[str, list[Bit]], outputs: Iterable[str]) -> Word | None:
    """The flip-flops behind those of a block's ``outputs`` that are used, if nothing else listens to any of these."""
    found: dict[str, str | None] = {}
    for pin in outputs:
        listeners = nets.listeners[block[pin][0]] if block.get(pin) else set()
        for cell, where in listeners:
            only = len(listeners) == 1 and where == "DI" and cells[cell]["type"] == FLIP_FLOP
            found[pin] = cell if only else None
    return word(cells, found)


def take_behind(cells: Cells, nets: Nets, block: Mapping[str, list[Bit]], taken: Word) -> None:
    """Let the block's outputs be what the flip-flops behind them were."""
    for pin, register in taken.registers.items():
        behind = cells[register]["connections"]["Q"]
        nets.remove(cells, register)
        block[pin][:] = behind


def _control(register: Mapping[str, Any]) -> Control | None:
    """What a flip-flop obeys, if it is one that a block may take."""
    told = {key: value.strip() for key, value in register["parameters"].items()}
    pins = {pin: bits[0] for pin, bits in register["connections"].items()}
    if told.get("CLKMUX", "CLK") != "CLK" or told.get("REGSET", "RESET") != "RESET" or pins.get("LSR", "0") != "0":
        return None
    chosen = told.get("CEMUX", "CE")
    enable = pins.get("CE", ALWAYS) if chosen == "CE" else chosen
    return Control(pins["CLK"], enable) if chosen in ("CE", ALWAYS) and enable != "0" else None
