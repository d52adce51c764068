"""Registers beside ECP5's multipliers become those within them, which yosys leaves unused.

A multiplier lies in one of a few rows across the chip, so that wires to it and from it are long, and takes 3.9 ns by
itself. Registers within it cut that path at both of its ends, and take no logic.

    python -m wingrid.host.silicon.multiplier_registers NETLIST.json

changes a netlist of ``synth_ecp5`` and ``write_json`` in place, for a flow of one's own.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wingrid.host.errors import UserError
from wingrid.host.files import write_whole

METHOD = Path(__file__).read_text()
"""Decides what becomes of a netlist: part of the key of what is kept."""

MULTIPLIER, FLIP_FLOP = "MULT18X18D", "TRELLIS_FF"
FACTOR_BITS, PRODUCT_BITS = 18, 36
ALWAYS = "1"
"""The enable of a register that has none."""

Bit = int | str
"""A net, or a constant: "0", "1", "x"."""
Cells = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class _Control:
    """What makes a flip-flop take its input: a rising edge of the clock, while it is enabled."""

    clock: Bit
    enable: Bit


class _Nets:
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


@dataclass(frozen=True)
class _Word:
    """Flip-flops that change at the same edges, by the multiplier's pins that they stand at."""

    control: _Control
    registers: Mapping[str, str]


def rewrite(path: Path) -> None:
    """``take_registers`` for all modules of a netlist that yosys' ``write_json`` wrote, in place.

    Raises ``UserError`` if the file is no such netlist.
    """
    try:
        netlist = json.loads(path.read_bytes())
        for module in netlist["modules"].values():
            take_registers(module)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, LookupError, TypeError, AttributeError):
        raise UserError(f"{path} is no netlist as yosys' write_json writes it") from None
    write_whole(path, json.dumps(netlist).encode())


def take_registers(module: dict[str, Any]) -> None:
    """Let each multiplier that yosys mapped take the registers beside it, in place.

    ``module`` is one of a netlist as yosys' ``write_json`` describes it. What it does stays the same in every cycle,
    from the first values on. Taken are

    - the registers of both factors, if all bits of a factor that are not 0 come from flip-flops of one clock and one
      enable. A flip-flop that others listen to stays for them. Both or none: nextpnr 0.11 tells the times of a
      multiplier with one such register as if it had none;
    - the product's, if each of its bits that is used goes to one flip-flop and to nothing else, and these are always
      enabled: nextpnr 0.11 does not write into a bitstream which enable the product's register obeys.

    All of a multiplier's registers obey one clock, from which nextpnr tells its times. A flip-flop that is reset,
    begins as 1, or obeys a falling edge or an inverted enable stays where it is.
    """
    nets = _Nets(module)
    for name, cell in list(module["cells"].items()):
        pins = cell["connections"]
        # One that somebody wrote by hand may have registers, or change its signs.
        if cell["type"] == MULTIPLIER and not cell["parameters"] and {*pins["SIGNEDA"], *pins["SIGNEDB"]} <= {"0", "1"}:
            _take_factors(module["cells"], nets, name)
            _take_product(module["cells"], nets, name)


def _take_factors(cells: Cells, nets: _Nets, name: str) -> None:
    multiplier = cells[name]
    pins = multiplier["connections"]
    factors = {side: _factor(cells, nets, pins, side) for side in "AB"}
    words = [word for word in factors.values() if word]
    if len(words) != len(factors) or len({word.control.clock for word in words}) != 1:
        return
    enables = list(dict.fromkeys([ALWAYS, *(word.control.enable for word in words)]))
    for side, word in zip(factors, words, strict=True):
        _let_register(multiplier, f"INPUT{side}", word.control, enables.index(word.control.enable))
        for pin, register in word.registers.items():
            before, behind = (cells[register]["connections"][end][0] for end in ("DI", "Q"))
            nets.listeners[behind].discard((name, pin))
            nets.listeners[before].add((name, pin))
            pins[pin] = [before]
    for register in {register for word in words for register in word.registers.values()}:
        if not nets.listeners[cells[register]["connections"]["Q"][0]]:
            _remove(cells, nets, register)


def _take_product(cells: Cells, nets: _Nets, name: str) -> None:
    multiplier = cells[name]
    pins = multiplier["connections"]
    word = _product(cells, nets, pins)
    if not word or word.control.enable != ALWAYS or pins.get("CLK0", [word.control.clock]) != [word.control.clock]:
        return
    _let_register(multiplier, "OUTPUT", word.control, 0)
    for pin, register in word.registers.items():
        behind = cells[register]["connections"]["Q"]
        _remove(cells, nets, register)
        pins[pin] = behind


def _factor(cells: Cells, nets: _Nets, pins: Mapping[str, list[Bit]], side: str) -> _Word | None:
    """The flip-flops of a factor, if they may be taken."""
    bits = {pin: pins[pin][0] for pin in (f"{side}{bit}" for bit in range(FACTOR_BITS)) if pins[pin][0] != "0"}
    return _word(cells, {pin: nets.registers.get(bit) for pin, bit in bits.items()})


def _product(cells: Cells, nets: _Nets, pins: Mapping[str, list[Bit]]) -> _Word | None:
    """The flip-flops of the product, if they may be taken."""
    found: dict[str, str | None] = {}
    for pin in (f"P{bit}" for bit in range(PRODUCT_BITS)):
        listeners = nets.listeners[pins[pin][0]] if pins.get(pin) else set()
        for cell, where in listeners:
            only = len(listeners) == 1 and where == "DI" and cells[cell]["type"] == FLIP_FLOP
            found[pin] = cell if only else None
    return _word(cells, found)


def _word(cells: Cells, found: Mapping[str, str | None]) -> _Word | None:
    """The flip-flops as a word, if there is one at each pin, and all obey the same."""
    registers = {pin: register for pin, register in found.items() if register is not None}
    controls = {_control(cells[register]) for register in registers.values()}
    control = controls.pop() if len(controls) == 1 else None
    return _Word(control, registers) if control and len(registers) == len(found) else None


def _control(register: Mapping[str, Any]) -> _Control | None:
    """What a flip-flop obeys, if it is one that a multiplier may take."""
    told = {key: value.strip() for key, value in register["parameters"].items()}
    pins = {pin: bits[0] for pin, bits in register["connections"].items()}
    if told.get("CLKMUX", "CLK") != "CLK" or told.get("REGSET", "RESET") != "RESET" or pins.get("LSR", "0") != "0":
        return None
    chosen = told.get("CEMUX", "CE")
    enable = pins.get("CE", ALWAYS) if chosen == "CE" else chosen
    return _Control(pins["CLK"], enable) if chosen in ("CE", ALWAYS) and enable != "0" else None


def _let_register(multiplier: dict[str, Any], word: str, control: _Control, enable: int) -> None:
    """Switch on the multiplier's registers of a word, which obey its first clock and the enable of that number.

    The first enable and the first reset are constants, connected so that no other multiplier beside it lays a signal of
    its own there: the product's register obeys them whatever it is told.
    """
    signals = {"CLK0": control.clock, "CE0": ALWAYS, f"CE{enable}": control.enable, "RST0": "0"}
    for pin, bit in signals.items():
        multiplier["connections"][pin] = [bit]
        multiplier["port_directions"][pin] = "input"
    named = {"CLK": "CLK0", "CE": f"CE{enable}", "RST": "RST0"}
    multiplier["parameters"] |= {f"REG_{word}_{kind}": pin for kind, pin in named.items()} | {"GSR": "DISABLED"}


def _remove(cells: Cells, nets: _Nets, register: str) -> None:
    for pin, bits in cells.pop(register)["connections"].items():
        nets.listeners[bits[0]].discard((register, pin))
        if pin == "Q":
            del nets.registers[bits[0]]


def main() -> None:
    """The command above."""
    if len(sys.argv) != 2:
        sys.exit("usage: python -m wingrid.host.silicon.multiplier_registers NETLIST.json")
    try:
        rewrite(Path(sys.argv[1]))
    except UserError as error:
        print(f"wingrid: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
