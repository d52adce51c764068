"""Registers beside ECP5's multipliers become those within them.

A multiplier lies in one of a few rows across the chip, so that wires to it and from it are long, and takes 3.9 ns by
itself. Registers within it cut that path at both of its ends, and take no logic.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wingrid.host.silicon.flip_flops import ALWAYS, Bit, Cells, Control, Nets, Word, take_behind, word, word_behind

MULTIPLIER = "MULT18X18D"
FACTOR_BITS, PRODUCT_BITS = 18, 36


def take_registers(cells: Cells, nets: Nets) -> None:
    """Let each multiplier that yosys mapped take the registers beside it, in place.

    Taken are

    - the registers of both factors, if all bits of a factor that are not 0 come from flip-flops of one clock and one
      enable. A flip-flop that others listen to stays for them. Both or none: nextpnr 0.11 tells the times of a
      multiplier with one such register as if it had none;
    - the product's, if each of its bits that is used goes to one flip-flop and to nothing else, and these are always
      enabled: nextpnr 0.11 does not write into a bitstream which enable the product's register obeys.

    All of a multiplier's registers obey one clock, from which nextpnr tells its times. A flip-flop that is reset,
    begins as 1, or obeys a falling edge or an inverted enable stays where it is.
    """
    for name, cell in list(cells.items()):
        pins = cell["connections"]
        # One that somebody wrote by hand may have registers, or change its signs.
        if cell["type"] == MULTIPLIER and not cell["parameters"] and {*pins["SIGNEDA"], *pins["SIGNEDB"]} <= {"0", "1"}:
            _take_factors(cells, nets, name)
            _take_product(cells, nets, name)


def _take_factors(cells: Cells, nets: Nets, name: str) -> None:
    multiplier = cells[name]
    pins = multiplier["connections"]
    factors = {side: _factor(cells, nets, pins, side) for side in "AB"}
    words = [factor for factor in factors.values() if factor]
    if len(words) != len(factors) or len({factor.control.clock for factor in words}) != 1:
        return
    enables = list(dict.fromkeys([ALWAYS, *(factor.control.enable for factor in words)]))
    for side, factor in zip(factors, words, strict=True):
        _let_register(multiplier, f"INPUT{side}", factor.control, enables.index(factor.control.enable))
        for pin, register in factor.registers.items():
            before, behind = (cells[register]["connections"][end][0] for end in ("DI", "Q"))
            nets.listeners[behind].discard((name, pin))
            nets.listeners[before].add((name, pin))
            pins[pin] = [before]
    for register in {register for factor in words for register in factor.registers.values()}:
        if not nets.listeners[cells[register]["connections"]["Q"][0]]:
            nets.remove(cells, register)


def _take_product(cells: Cells, nets: Nets, name: str) -> None:
    multiplier = cells[name]
    pins = multiplier["connections"]
    product = word_behind(cells, nets, pins, (f"P{bit}" for bit in range(PRODUCT_BITS)))
    if (
        product
        and product.control.enable == ALWAYS
        and pins.get("CLK0", [product.control.clock]) == [product.control.clock]
    ):
        _let_register(multiplier, "OUTPUT", product.control, 0)
        take_behind(cells, nets, pins, product)


def _factor(cells: Cells, nets: Nets, pins: Mapping[str, list[Bit]], side: str) -> Word | None:
    """The flip-flops of a factor, if they may be taken."""
    bits = {pin: pins[pin][0] for pin in (f"{side}{bit}" for bit in range(FACTOR_BITS)) if pins[pin][0] != "0"}
    return word(cells, {pin: nets.registers.get(bit) for pin, bit in bits.items()})


def _let_register(multiplier: dict[str, Any], place: str, control: Control, enable: int) -> None:
    """Switch on the multiplier's registers of a place, which obey its first clock and the enable of that number.

    The first enable and the first reset are constants, connected so that no other multiplier beside it lays a signal of
    its own there: the product's register obeys them whatever it is told.
    """
    signals = {"CLK0": control.clock, "CE0": ALWAYS, f"CE{enable}": control.enable, "RST0": "0"}
    for pin, bit in signals.items():
        multiplier["connections"][pin] = [bit]
        multiplier["port_directions"][pin] = "input"
    named = {"CLK": "CLK0", "CE": f"CE{enable}", "RST": "RST0"}
    multiplier["parameters"] |= {f"REG_{place}_{kind}": pin for kind, pin in named.items()} | {"GSR": "DISABLED"}
