"""The accelerator as Verilog: one file without paths or dates, and a manifest that describes it.

The text depends on the configuration, the version and the tools alone, so that equal inputs give equal
bytes. Initial values are left out, except for memories that hold constants: silicon has none, ``rst``
sets every register that matters, and a simulator is free to start all others at random. One signal of each module
takes a value at time zero, by a nonblocking assignment: an ``always @*`` only runs when something that it reads
changes, and where variables start before processes ``rst`` may be high without ever having risen.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import re
from typing import Any

from amaranth.back import verilog
from amaranth.lib import wiring

from wingrid.hw.accelerator import Accelerator
from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.registers import readings, register_map

TOP = "wingrid"
"""Name of the generated module and of its files."""

WAKE = "wake_at_time_zero"
"""Name of the signal that makes combinational processes run at time zero."""

PORT_ATTRIBUTES = {
    "clk": {
        "X_INTERFACE_INFO": "xilinx.com:signal:clock:1.0 clk CLK",
        "X_INTERFACE_PARAMETER": "ASSOCIATED_BUSIF m_axi:s_axil, ASSOCIATED_RESET rst",
    },
    "rst": {
        "X_INTERFACE_INFO": "xilinx.com:signal:reset:1.0 rst RST",
        "X_INTERFACE_PARAMETER": "POLARITY ACTIVE_HIGH",
    },
    "interrupt": {
        "X_INTERFACE_INFO": "xilinx.com:signal:interrupt:1.0 interrupt INTERRUPT",
        "X_INTERFACE_PARAMETER": "SENSITIVITY LEVEL_HIGH",
    },
}
"""What IP packagers want to know about ports whose names alone do not say it; the buses are known by their names."""

_INITIAL_ATTRIBUTE = re.compile(r"^  \(\* init = \S+ \*\)\n", flags=re.MULTILINE)
_INITIAL_VALUE = re.compile(r"^(  reg (?:\[\d+:0\] )?\S+) += \S+;$", flags=re.MULTILINE)
# All combinational processes of a module read this signal, which is no register, so that they run at time zero.
_WAKE = re.compile(r"^  reg (\\\$auto\$\S*dump_module\$\d+) +(?:= 0)?;$", flags=re.MULTILINE)
# Amaranth has signals of width zero; nothing refers to them, and Verilog would take them for two bits.
_EMPTY_SIGNAL = re.compile(r"^  (?:wire|reg) \[-1:0\] .*;\n", flags=re.MULTILINE)
_ZEROED_MEMORY = re.compile(r"^  initial begin\n(?:    \S+\[\d+\] = \d+'[dh]0+;\n)+  end\n", flags=re.MULTILINE)


def version() -> str:
    """The installed version of the project, or ``unreleased`` when it runs from a bare source tree."""
    try:
        return importlib.metadata.version("wingrid")
    except importlib.metadata.PackageNotFoundError:
        return "unreleased"


def generate(config: AcceleratorConfig) -> str:
    """The accelerator's Verilog: module ``wingrid``, ports as in the manifest, one clock ``clk``.

    ``rst`` is synchronous and active high; hold it for at least one cycle before use, two while memory listens.
    """
    lines = [f"Wingrid {version()}: a CNN accelerator. Generated, do not edit.", ""]
    lines += [f"{name} = {value}" for name, value in config.as_dict().items()]
    text = convert(Accelerator(config), header=lines)
    for port, attributes in PORT_ATTRIBUTES.items():
        described = "".join(f'  (* {name} = "{value}" *)\n' for name, value in attributes.items())
        text = re.sub(rf"^  (input|output) {port};$", rf"{described}\g<0>", text, count=1, flags=re.MULTILINE)
    return text


def manifest(config: AcceleratorConfig, text: str | None = None) -> dict[str, Any]:
    """What a user of the Verilog needs to know, ready for JSON: version, configuration, ports, registers, checksum.

    ``text`` is the Verilog if it has been generated already.
    """
    text = generate(config) if text is None else text
    return {
        "wingrid": version(),
        "top": TOP,
        "config": config.as_dict(),
        "clock": "clk",
        "reset": {"port": "rst", "active": "high", "synchronous_to": "clk"},
        "ports": ports(text),
        "registers": register_map(),
        "constants": {register.name: value for register, value in sorted(readings(config).items())},
        "files": {f"{TOP}.v": {"sha256": hashlib.sha256(text.encode()).hexdigest()}},
    }


def files(config: AcceleratorConfig) -> dict[str, bytes]:
    """The content of ``wingrid.v`` and of its manifest ``wingrid.json``, by name."""
    text = generate(config)
    described = json.dumps(manifest(config, text), indent=2) + "\n"
    return {f"{TOP}.v": text.encode(), f"{TOP}.json": described.encode()}


def convert(component: wiring.Component, *, header: list[str]) -> str:
    """Any component as a module named ``wingrid``, without source positions and initial values.

    ``header`` is a list of comment lines to begin with.
    """
    text = verilog.convert(component, name=TOP, emit_src=False)
    text = _EMPTY_SIGNAL.sub("", _without_initial_values(text))
    return "".join(f"// {line}".rstrip() + "\n" for line in header) + "\n" + text


def ports(text: str) -> list[dict[str, Any]]:
    """Name, direction and width in bits of each port of module ``wingrid``, in the order of its header."""
    header = re.search(rf"^module {TOP}\(([^)]*)\);$(.*?)^endmodule$", text, flags=re.M | re.S)
    if header is None:
        raise ValueError(f"the text holds no module {TOP}")
    declared = {
        name: {"name": name, "direction": direction, "width": int(high or 0) + 1}
        for direction, high, name in re.findall(r"^  (input|output) (?:\[(\d+):0\] )?(\w+);$", header[2], flags=re.M)
    }
    return [declared[name.strip()] for name in header[1].split(",")]


def _without_initial_values(text: str) -> str:
    for name in _WAKE.findall(text):
        text = text.replace(f"{name} ", f"{WAKE} ")
    text = _ZEROED_MEMORY.sub("", _INITIAL_VALUE.sub(r"\1 ;", _INITIAL_ATTRIBUTE.sub("", text)))
    return text.replace(f"  reg {WAKE} ;\n", f"  reg {WAKE} ;\n  initial {WAKE} <= 1'b0;\n")
