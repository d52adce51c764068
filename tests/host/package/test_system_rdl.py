"""systemrdl-compiler and PeakRDL read the register map, and see in it what ``hw/registers.py`` defines."""

from __future__ import annotations

import dataclasses
import re
import subprocess
from pathlib import Path

import pytest
from packaged import CONFIG, package
from peakrdl_cheader.exporter import CHeaderExporter
from peakrdl_html import HTMLExporter
from peakrdl_ipxact import IPXACTExporter, IPXACTImporter
from systemrdl import RDLCompiler
from systemrdl.messages import MessagePrinter, RDLCompileError
from systemrdl.node import AddrmapNode, FieldNode, RegNode
from systemrdl.rdltypes import AccessType, OnWriteType

from wingrid.host.package.system_rdl import system_rdl
from wingrid.hw.registers import Access, readings, register_map

pytestmark = pytest.mark.slow

ACCESS = {
    Access.READ.value: (AccessType.r, None, False),
    Access.WRITE.value: (AccessType.w, None, True),
    Access.BOTH.value: (AccessType.rw, None, False),
    Access.CLEAR.value: (AccessType.rw, OnWriteType.woclr, False),
}
"""What software can do, what writing does, and whether it lasts one cycle."""

Described = dict[str, tuple[int, int, dict[str, tuple[object, ...]]]]


class Quiet(MessagePrinter):
    """Keeps what would be printed."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def emit_message(self, lines: list[str]) -> None:
        self.lines += lines


def compiled(text: str, folder: Path) -> AddrmapNode:
    """The elaborated map; any warning is an error."""
    path = folder / "map.rdl"
    path.write_text(text)
    printer = Quiet()
    compiler = RDLCompiler(message_printer=printer, warning_flags=0xFFFF, error_flags=0)
    compiler.compile_file(str(path))
    top = compiler.elaborate().top
    assert not printer.lines
    return top


def seen(top: AddrmapNode) -> Described:
    """Address, bits and fields of each register, as the compiler understood them."""
    registers = [child for child in top.children() if isinstance(child, RegNode)]
    assert len(registers) == len(list(top.children()))
    return {
        register.inst_name: (
            register.absolute_address,
            register.get_property("regwidth"),
            {field.inst_name: seen_field(field) for field in register.fields()},
        )
        for register in registers
    }


def seen_field(field: FieldNode) -> tuple[object, ...]:
    access = field.get_property("sw"), field.get_property("onwrite"), bool(field.get_property("singlepulse"))
    return field.low, field.width, access, field.get_property("reset"), field.get_property("desc")


def defined() -> Described:
    constants = {register.name: value for register, value in readings(CONFIG).items()}
    return {
        register["name"]: (
            register["address"],
            register["bits"],
            {
                field["name"]: (
                    field["low"],
                    field["width"],
                    ACCESS[field["access"]],
                    constants.get(register["name"], 0) >> field["low"] & (1 << field["width"]) - 1,
                    field["meaning"],
                )
                for field in register["fields"]
            },
        )
        for register in register_map()
    }


def test_every_register_and_field_is_the_one_defined(tmp_path: Path) -> None:
    assert seen(compiled(package()["wingrid.rdl"].decode(), tmp_path)) == defined()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("CONTROL @ 0x08", "CONTROL @ 0x3C"),
        ("sw = rw; hw = rw; woclr;", "sw = rw; hw = rw;"),
        ("cols[15:0] = 16'h3", "cols[14:0] = 15'h3"),
        ("minor[15:0] = 16'h", "minor[15:0] = 16'hA"),
        (" singlepulse;", ""),
    ],
)
def test_a_map_that_differs_is_seen(old: str, new: str, tmp_path: Path) -> None:
    text = system_rdl(CONFIG)
    assert old in text
    assert seen(compiled(text.replace(old, new, 1), tmp_path)) != defined()


def test_registers_on_top_of_each_other_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RDLCompileError):
        compiled(system_rdl(CONFIG).replace("PROGRAM @ 0x20", "PROGRAM @ 0x18"), tmp_path)


def test_another_configuration_has_other_constants() -> None:
    other = dataclasses.replace(CONFIG, queue_depth=4)
    one, two = system_rdl(CONFIG).splitlines(), system_rdl(other).splitlines()
    differing = [line.strip() for line, changed in zip(two, one, strict=True) if line != changed]
    assert differing == ["// queue_depth = 4", "} queue_depth[31:0] = 32'h4;"]


def test_peakrdl_writes_a_page_for_every_register(tmp_path: Path) -> None:
    HTMLExporter().export(compiled(system_rdl(CONFIG), tmp_path), str(tmp_path / "html"))
    pages = [path.read_text() for path in (tmp_path / "html" / "content").glob("*.html")]
    titles = {title for page in pages for title in re.findall(r'<h1 id="_Content.name">(\w+)</h1>', page)}
    assert titles - {"Wingrid"} == set(defined())


def without_pulses(described: Described) -> Described:
    """IP-XACT has no word for what lasts one cycle."""
    return {
        name: (address, bits, {field: (*told[:2], told[2][:2], *told[3:]) for field, told in fields.items()})
        for name, (address, bits, fields) in described.items()
    }


def test_ip_xact_by_peakrdl_comes_back_as_the_same_map(tmp_path: Path) -> None:
    IPXACTExporter().export(compiled(system_rdl(CONFIG), tmp_path), str(tmp_path / "map.xml"))
    compiler = RDLCompiler()
    IPXACTImporter(compiler).import_file(str(tmp_path / "map.xml"))
    (back,) = compiler.elaborate().top.children()
    assert without_pulses(seen(back)) == without_pulses(defined())


def checks() -> list[str]:
    """Assertions in C that the header of PeakRDL and the one of the package say the same."""
    lines = []
    for name, (_, bits, fields) in defined().items():
        ours = f"WINGRID_REG_{name}" if bits == 32 else f"WINGRID_COUNTER_BASE + 8 * WINGRID_COUNTER_{name}"
        lines.append(f'_Static_assert(offsetof(wingrid_t, {name}) == {ours}, "{name}");')
        if bits == 32:
            for field in fields:
                theirs, ours = f"WINGRID__{name}__{field.upper()}", f"WINGRID_{name}_{field.upper()}"
                lines.append(f'_Static_assert({theirs}_bm == {ours}_MASK, "{ours}");')
                lines.append(f'_Static_assert({theirs}_bp == {ours}_LOW, "{ours}");')
    return lines


def compiled_in_c(header: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """What gcc says of the assertions with ``header`` in place of the package's."""
    CHeaderExporter().export(compiled(system_rdl(CONFIG), folder), str(folder / "peak.h"))
    (folder / "wingrid_registers.h").write_text(header)
    opening = ["#include <stddef.h>", '#include "peak.h"', '#include "wingrid_registers.h"']
    (folder / "both.c").write_text("\n".join([*opening, *checks(), ""]))
    command = ["gcc", "-std=c11", "-Wall", "-Werror", "-fsyntax-only", "both.c"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_the_c_header_by_peakrdl_has_the_addresses_and_masks_of_our_own(tmp_path: Path) -> None:
    """Two generators of C headers from the one map; a compiler says what their macros are."""
    assert len(checks()) > 100
    done = compiled_in_c(package()["wingrid_registers.h"].decode(), tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("REG_BASE_HIGH 0x30u", "REG_BASE_HIGH 0x34u", "BASE_HIGH"),
        ("BASE_PAGE_MASK 0xFFFFF000u", "BASE_PAGE_MASK 0xFFFFE000u", "WINGRID_BASE_PAGE"),
        ("COUNTER_BUSY 1u", "COUNTER_BUSY 2u", "BUSY"),
    ],
)
def test_a_header_that_differs_is_seen(old: str, new: str, told: str, tmp_path: Path) -> None:
    header = package()["wingrid_registers.h"].decode()
    assert old in header
    done = compiled_in_c(header.replace(old, new, 1), tmp_path)
    assert done.returncode != 0
    assert f'"{told}"' in done.stderr
