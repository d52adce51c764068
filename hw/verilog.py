"""The accelerator as Verilog: one file without paths or dates, and a manifest that describes it.

The text depends on the configuration, the version and the tools alone, so that equal inputs give equal
bytes. Initial values are left out, except for memories that hold constants: silicon has none, ``rst``
sets every register that matters, and a simulator is free to start all others at random. One signal of each module
takes a value at time zero, by a nonblocking assignment: an ``always @*`` only runs when something that it reads
changes, and where variables start before processes ``rst`` may be high without ever having risen.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from amaranth.back import verilog
from amaranth.lib import wiring

from wingrid.hw.accelerator import Accelerator
from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.ip_wrapper import NAME, wrapper
from wingrid.hw.registers import readings, register_map
from wingrid.hw.sliced_accelerator import SlicedAccelerator
from wingrid.hw.version import version

TOP = "wingrid"
"""Name of the generated module and of its files."""

WAKE = "wake_at_time_zero"
"""Name of the signal that makes combinational processes run at time zero."""

_INITIAL_ATTRIBUTE = re.compile(r"^  \(\* init = \S+ \*\)\n", flags=re.MULTILINE)
_INITIAL_VALUE = re.compile(r"^(  reg (?:\[\d+:0\] )?\S+) += \S+;$", flags=re.MULTILINE)
# All combinational processes of a module read this signal, which is no register, so that they run at time zero.
_WAKE = re.compile(r"^  reg (\\\$auto\$\S*dump_module\$\d+) +(?:= 0)?;$", flags=re.MULTILINE)
# Amaranth has signals of width zero; nothing refers to them, and Verilog would take them for two bits.
_EMPTY_SIGNAL = re.compile(r"^  (?:wire|reg) \[-1:0\] .*;\n", flags=re.MULTILINE)
_MODULE = re.compile(rf"^module \\({TOP}\.\S+) ", flags=re.MULTILINE)
_MODULE_USED = re.compile(rf"\\({TOP}\.\S+) ")
_ZEROED_MEMORY = re.compile(r"^  initial begin\n(?:    \S+\[\d+\] = \d+'[dh]0+;\n)+  end\n", flags=re.MULTILINE)


def generate(config: AcceleratorConfig, *, register_slices: bool = False) -> str:
    """The accelerator's Verilog: module ``wingrid``, ports as in the manifest, one clock ``clk``.

    ``rst`` is synchronous and active high; hold it for at least one cycle before use, two while memory listens. With
    ``register_slices`` it is a ``SlicedAccelerator``: the same ports, two cycles of ``rst``.
    """
    lines = [f"Wingrid {version()}: a CNN accelerator. Generated, do not edit.", ""]
    lines += [f"{name} = {value}" for name, value in config.as_dict().items()]
    if register_slices:
        lines += ["", "Register slices on all AXI channels."]
    return convert((SlicedAccelerator if register_slices else Accelerator)(config), header=lines)


def manifest(config: AcceleratorConfig, *, register_slices: bool = False) -> dict[str, Any]:
    """What a user of the Verilog needs to know, ready for JSON: version, configuration, ports, registers, checksum."""
    return _manifest(config, register_slices, {f"{TOP}.v": generate(config, register_slices=register_slices)})


def files(config: AcceleratorConfig, *, ip_wrapper: bool = False, register_slices: bool = False) -> dict[str, bytes]:
    """The content of ``wingrid.v`` and of its manifest ``wingrid.json``, by name.

    With ``ip_wrapper`` also that of ``wingrid_ip.v``: the module around it for IP packagers.
    """
    text = generate(config, register_slices=register_slices)
    texts = {f"{TOP}.v": text}
    if ip_wrapper:
        texts[f"{NAME}.v"] = wrapper(config, TOP, ports(text))
    described = json.dumps(_manifest(config, register_slices, texts), indent=2) + "\n"
    return {**{name: text.encode() for name, text in texts.items()}, f"{TOP}.json": described.encode()}


def _manifest(config: AcceleratorConfig, register_slices: bool, texts: dict[str, str]) -> dict[str, Any]:
    return {
        "wingrid": version(),
        "top": TOP,
        "config": config.as_dict(),
        "register_slices": register_slices,
        "clock": "clk",
        "reset": {"port": "rst", "active": "high", "synchronous_to": "clk"},
        "ports": ports(texts[f"{TOP}.v"]),
        "registers": register_map(),
        "constants": {register.name: value for register, value in sorted(readings(config).items())},
        "files": {name: {"sha256": hashlib.sha256(text.encode()).hexdigest()} for name, text in texts.items()},
    }


def convert(component: wiring.Component, *, header: list[str]) -> str:
    """Any component as a module named ``wingrid``, without source positions and initial values.

    ``header`` is a list of comment lines to begin with.
    """
    text = verilog.convert(component, name=TOP, emit_src=False)
    text = _with_plain_module_names(_EMPTY_SIGNAL.sub("", _without_initial_values(text)))
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


def _with_plain_module_names(text: str) -> str:
    """Names of modules without dots, which Verilog would have to escape: the path of the instance, by underscores."""
    plain = {name: name.replace(".", "_") for name in _MODULE.findall(text)}
    assert len(set(plain.values())) == len(plain), "two modules would have one name"
    return _MODULE_USED.sub(lambda use: plain.get(use[1], use[0]), text)


def _without_initial_values(text: str) -> str:
    for name in _WAKE.findall(text):
        text = text.replace(f"{name} ", f"{WAKE} ")
    text = _ZEROED_MEMORY.sub("", _INITIAL_VALUE.sub(r"\1 ;", _INITIAL_ATTRIBUTE.sub("", text)))
    return text.replace(f"  reg {WAKE} ;\n", f"  reg {WAKE} ;\n  initial {WAKE} <= 1'b0;\n")
