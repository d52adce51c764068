"""A module around the accelerator that hides its ports behind registers, so that clocks are those of its own paths.

Inputs come out of one shift register, outputs go into registers and from there through a tree of registered parities
to one pin: a chip has fewer pins than the accelerator has ports.
"""

from __future__ import annotations

from typing import Any

from wingrid.hw import verilog

TOP = "harness"
CLOCK = "clk"
INSTANCE = "wingrid"
"""Name of the accelerator within: all of its cells have it in front of theirs."""

_FAN_IN = 4
"""Of the parities: one look-up table."""


def harness(text: str) -> str:
    """Verilog of the module for the accelerator whose text this is."""
    ports = [port for port in verilog.ports(text) if port["name"] != CLOCK]
    inputs = [port for port in ports if port["direction"] == "input"]
    outputs = [port for port in ports if port["direction"] == "output"]
    taken, left = (sum(port["width"] for port in group) for group in (inputs, outputs))
    bound = ", ".join([f".{CLOCK}({CLOCK})", *_bound(inputs, "taken"), *_bound(outputs, "left")])
    lines = [
        f"module {TOP}(input {CLOCK}, input serial_in, output reg serial_out);",
        f"  (* keep *) reg [{taken - 1}:0] taken;",
        f"  always @(posedge {CLOCK}) taken <= {{taken[{taken - 2}:0], serial_in}};",
        f"  wire [{left - 1}:0] left;",
        f"  (* keep *) reg [{left - 1}:0] level_0;",
        f"  always @(posedge {CLOCK}) level_0 <= left;",
        *_parities(left),
        f"  {verilog.TOP} {INSTANCE}({bound});",
        "endmodule",
    ]
    return "\n".join(lines) + "\n"


def _parities(bits: int) -> list[str]:
    lines, level = [], 0
    while bits > 1:
        groups = [range(first, min(first + _FAN_IN, bits)) for first in range(0, bits, _FAN_IN)]
        lines.append(f"  reg [{len(groups) - 1}:0] level_{level + 1};")
        lines += [
            f"  always @(posedge {CLOCK}) level_{level + 1}[{index}] <= "
            + " ^ ".join(f"level_{level}[{bit}]" for bit in group)
            + ";"
            for index, group in enumerate(groups)
        ]
        bits, level = len(groups), level + 1
    return [*lines, f"  always @(posedge {CLOCK}) serial_out <= level_{level}[0];"]


def _bound(ports: list[dict[str, Any]], wires: str) -> list[str]:
    bindings, base = [], 0
    for port in ports:
        bindings.append(f".{port['name']}({wires}[{base + port['width'] - 1}:{base}])")
        base += port["width"]
    return bindings
