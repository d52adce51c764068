"""The register map as SystemRDL 2.0 (Accellera), for one configuration, whose constants are the resets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.registers import Access, readings, register_map

TYPE = "wingrid"
"""Name of the address map."""

_PROPERTIES = {
    Access.READ.value: ("sw = r;", "hw = w;"),
    Access.WRITE.value: ("sw = w;", "hw = r;", "singlepulse;"),
    Access.BOTH.value: ("sw = rw;", "hw = r;"),
    Access.CLEAR.value: ("sw = rw;", "hw = rw;", "woclr;"),
}
"""What SystemRDL says of a field, by its access. What acts when written lasts one cycle."""

_WORD_BITS = 32
"""Width of an access: of wider registers the low word comes first."""


def system_rdl(config: AcceleratorConfig) -> str:
    """``wingrid.rdl``: an address map of all registers, counters, and what those of constants read as.

    Resets are told of what ``rst`` sets, and of the constants; every other field is zero too, since nothing has run.
    """
    constants = {register.name: value for register, value in readings(config).items()}
    lines = ["// The accelerator's registers. Generated, do not edit."]
    lines += [f"// {name} = {value}" for name, value in config.as_dict().items()]
    lines += ["", f"addrmap {TYPE} {{", '    name = "Wingrid";', '    desc = "A CNN accelerator.";']
    lines += ["    littleendian;", "    addressing = compact;", f"    default accesswidth = {_WORD_BITS};"]
    for register in register_map():
        lines += ["", *_register(register, constants.get(register["name"], 0))]
    return "\n".join([*lines, "};", ""])


def _register(register: Mapping[str, Any], value: int) -> list[str]:
    """``value`` is what it reads as after a reset."""
    lines = ["    reg {", f"        regwidth = {register['bits']};"]
    for field in register["fields"]:
        low, width = field["low"], field["width"]
        reset = value >> low & (1 << width) - 1
        properties = " ".join(_PROPERTIES[field["access"]])
        lines += [
            "        field {",
            f"            {properties}",
            f'            desc = "{field["meaning"]}";',
            f"        }} {field['name']}[{low + width - 1}:{low}] = {width}'h{reset:x};",
        ]
    return [*lines, f"    }} {register['name']} @ 0x{register['address']:02X};"]
