"""C headers of what the hardware and the image's format define, so that no number of theirs stands in C sources."""

from __future__ import annotations

import enum
import textwrap
from collections.abc import Iterable

from wingrid.host.images.format import CHECKSUM_OFFSET, FORMAT, MAGIC, STRUCTURES, ElementType
from wingrid.hw.config import AXI_PAGE_BYTES
from wingrid.hw.isa import Fault
from wingrid.hw.registers import (
    COUNTER_BASE,
    FIELDS,
    IDENTITY,
    VERSION,
    Access,
    Agreement,
    Control,
    Counter,
    Register,
    Status,
)


def register_header() -> str:
    """``wingrid_registers.h``: addresses, fields, bits, counters and faults, as ``hw/`` defines them."""
    lines = [
        *_define("IDENTITY", f"0x{IDENTITY:08X}u", "What WINGRID_REG_IDENTITY reads as."),
        *_define(
            "VERSION", f"0x{VERSION:08X}u", "The version of instructions and registers that these headers are of."
        ),
        "",
        "/* Byte addresses of the registers, and their fields: mask in place, and place of the lowest bit. */",
    ]
    for register in sorted(Register):
        lines += _define(f"REG_{register.name}", f"0x{register.value:02X}u")
        for item in FIELDS[register]:
            name = f"{register.name}_{item.name.upper()}"
            mask = ((1 << item.width) - 1) << item.low
            access = "" if item.access is Access.READ else f" ({item.access.value})"
            lines += _define(f"{name}_MASK", f"0x{mask:08X}u", f"{item.meaning}{access}")
            lines += _define(f"{name}_LOW", str(item.low))
    lines += ["", "/* What acts when written to WINGRID_REG_CONTROL. */", *_members("CONTROL", Control)]
    lines += ["", "/* Bits of WINGRID_REG_STATUS. */", *_members("STATUS", Status)]
    lines += ["", "/* What WINGRID_REG_FAULT reads as. */", *_members("FAULT", Fault)]
    lines += ["", "/* Counters of 64 bits: counter i reads at WINGRID_COUNTER_BASE + 8 * i, low word first. */"]
    lines += [*_define("COUNTER_BASE", f"0x{COUNTER_BASE:02X}u"), *_define("COUNTERS", str(len(Counter)))]
    lines += _members("COUNTER", Counter)
    return _header("WINGRID_REGISTERS_H", "The accelerator's registers.", lines)


def image_header() -> str:
    """``wingrid_image.h``: the structures of an image's binary file, from ``host/images/format.py``."""
    lines = [
        "#include <stdint.h>",
        "",
        *_define("IMAGE_MAGIC", f"0x{MAGIC:08X}u"),
        *_define("IMAGE_FORMAT", f"0x{FORMAT[0] << 16 | FORMAT[1]:08X}u"),
        *_define("IMAGE_CHECKSUM_OFFSET", f"{CHECKSUM_OFFSET}u"),
        *_define("IMAGE_BASE_ALIGNMENT", f"{AXI_PAGE_BYTES}u"),
        "",
        "/* How a register must agree with a reading. */",
        *_members("RULE", Agreement),
        "",
        "/* Types of a tensor's elements. In memory all are int8; of uint8, 128 less. */",
        *_members("TYPE", ElementType),
        "",
        *(structure.to_c() for structure in STRUCTURES),
    ]
    return _header("WINGRID_IMAGE_H", "The format of images.", lines)


def _header(guard: str, about: str, lines: Iterable[str]) -> str:
    opening = [f"/* {about} Generated from the Python sources. */", f"#ifndef {guard}", f"#define {guard}", ""]
    return "\n".join([*opening, *lines, "", "#endif", ""])


def _members(prefix: str, kind: type[enum.IntEnum] | type[enum.IntFlag]) -> list[str]:
    members = [(str(member.name), int(member)) for member in kind]
    return [line for name, value in members for line in _define(f"{prefix}_{name}", f"{value}u")]


def _define(name: str, value: str, comment: str = "") -> list[str]:
    told = textwrap.wrap(f"/* {comment} */", 115, subsequent_indent=" * ") if comment else []
    return [*told, f"#define WINGRID_{name} {value}"]
