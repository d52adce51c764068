"""The tables in docs/ state what the code defines, all of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from amaranth.hdl import Shape

from wingrid.hw.events import Event
from wingrid.hw.isa import INSTRUCTIONS, Fault, Instruction, Semaphore
from wingrid.hw.registers import FIELDS, IDENTITY, Access, Counter, Register, counter_address

DOCS = Path(__file__).resolve().parents[2] / "docs"


def rows(text: str) -> list[tuple[str, ...]]:
    """Cells of every table row, without quotes."""
    lines = [line for line in text.splitlines() if line.startswith("|") and "---" not in line]
    return [tuple(cell.strip().strip("`") for cell in line.strip("|").split("|")) for line in lines]


@pytest.mark.parametrize("kind", INSTRUCTIONS, ids=lambda kind: kind.opcode.name)
def test_instruction_fields(kind: type[Instruction]) -> None:
    section = re.search(rf"^## {kind.opcode.name} \(opcode {kind.opcode.value}\)(.*?)^## ", _isa(), flags=re.M | re.S)
    assert section
    expected = [("Bits", "Field", "Type")]
    for name, field in kind.layout():
        prefix = "int" if Shape.cast(field.shape).signed else "uint"
        expected.append((f"{field.offset + field.width - 1}:{field.offset}", name, f"{prefix}{field.width}"))
    assert rows(section[1]) == expected


def test_semaphores_and_faults() -> None:
    found = {row[:2] for row in rows(_isa())}
    assert {(str(semaphore.value), semaphore.name) for semaphore in Semaphore} <= found
    assert {(str(fault.value), fault.name) for fault in Fault if fault != Fault.NONE} <= found


def test_registers_and_counters() -> None:
    found = {row[:2] for row in rows((DOCS / "counters.md").read_text())}
    names = {(register.name, f"0x{register.value:02X}") for register in Register}
    names |= {(counter.name, f"0x{counter_address(counter):02X}") for counter in Counter}
    headers = {("Counter", "Offset"), ("Register", "Address")}
    assert found == names | headers
    access = {row[0]: row[2] for row in rows((DOCS / "counters.md").read_text()) if row[0] in Register.__members__}
    for register in Register:
        (kind,) = {field.access for field in FIELDS[register]}
        expected = {Access.READ: "read", Access.WRITE: "write"}.get(kind, "both")
        assert access[register.name] == expected
    assert f"0x{IDENTITY:08X}" in (DOCS / "counters.md").read_text()


def test_events() -> None:
    found = {row[:2] for row in rows((DOCS / "timing.md").read_text())}
    assert found == {("Bit", "Event")} | {(str(event.value), event.name) for event in Event}


def _isa() -> str:
    return (DOCS / "isa.md").read_text()
