"""The tables in docs/ and the docstrings of components state what the code defines, all of it."""

from __future__ import annotations

import gc
import importlib
import inspect
import pkgutil
import re
import sys
import warnings
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from amaranth.hdl import Shape, UnusedElaboratable, signed
from amaranth.lib import data, stream, wiring

from wingrid import hw
from wingrid.hw.block_memory import BlockMemory
from wingrid.hw.bus.bursts import Bursts
from wingrid.hw.bus.register_slice import RegisterSlice
from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.control.semaphores import Semaphores
from wingrid.hw.control.supervisor import Supervisor
from wingrid.hw.events import Event
from wingrid.hw.isa import INSTRUCTIONS, Fault, Instruction, Semaphore
from wingrid.hw.layouts import layout_of
from wingrid.hw.load.deep_memory import DeepMemory
from wingrid.hw.mesh.accumulators import accumulator_tag
from wingrid.hw.mesh.matrix_unit import MatrixUnit
from wingrid.hw.queue import Queue
from wingrid.hw.registers import FIELDS, IDENTITY, Access, Counter, Register, counter_address
from wingrid.hw.sparse.adder_tree import AdderTree
from wingrid.hw.store.pooler_lane import PoolerLane
from wingrid.hw.winograd.code_lane import CodeLane
from wingrid.hw.winograd.exact_division import DivisionLane, ExactDivision
from wingrid.hw.winograd.input_axis import InputAxis
from wingrid.hw.winograd.input_lane import InputLane
from wingrid.hw.winograd.input_transform import InputTransform
from wingrid.hw.winograd.output_axis import OutputAxis
from wingrid.hw.winograd.output_lane import OutputLane
from wingrid.hw.winograd.output_transform import OutputTransform
from wingrid.hw.winograd.weight_lane import WeightLane
from wingrid.hw.winograd_matrices import winograd

CONFIG = AcceleratorConfig(rows=3, cols=5, winograd=4)
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
    for name, field in layout_of(kind):
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


def component_classes() -> list[type[wiring.Component]]:
    modules = [importlib.import_module(found.name) for found in pkgutil.walk_packages(hw.__path__, f"{hw.__name__}.")]
    return [
        kind
        for module in modules
        for kind in vars(module).values()
        if inspect.isclass(kind) and issubclass(kind, wiring.Component) and kind.__module__ == module.__name__
    ]


@pytest.mark.parametrize("kind", component_classes(), ids=lambda kind: kind.__name__)
def test_every_port_is_documented(kind: type[wiring.Component]) -> None:
    ports, names = signature(kind)
    entries = [
        (*entry, vars(sys.modules[base.__module__]) | names)
        for base in kind.__mro__
        if base.__module__.startswith(hw.__name__)
        for entry in members(base)
    ]
    for name, port in ports.items():
        found = [entry[1:] for entry in entries if fnmatchcase(name, entry[0])]
        assert len(found) == 1, f"{name} must be documented once"
        flow, shape, names = found[0]
        if flow != "In and Out":
            assert flow == port.flow.name, name
            documented = evaluated(shape, names)
            if port.is_signature:
                assert port.signature in (documented, documented.flip()), name
            else:
                assert Shape.cast(documented) == Shape.cast(port.shape), name
    assert [entry[0] for entry in entries if not any(fnmatchcase(port, entry[0]) for port in ports)] == []


def members(kind: type) -> Iterator[tuple[str, str, str]]:
    """Name, direction and shape of each entry in a docstring's list of members."""
    text = inspect.cleandoc(kind.__doc__ or "")
    section = re.search(r"^Members\n-+\n(.*?)(?=^\w+\n-+\n|\Z)", text, flags=re.M | re.S)
    for line in section[1].splitlines() if section else []:
        if line and not line.startswith(" "):
            entry = re.fullmatch(r"([\w, *]+) : (In|Out|In and Out), (.+)", line)
            assert entry, f"{kind.__name__}: {line!r} is no entry"
            for name in entry[1].split(", "):
                yield name, entry[2], entry[3]


def evaluated(shape: str, names: dict[str, Any]) -> Any:  # noqa: ANN401 (a shape or a signature)
    """A documented shape: an expression, ``stream of`` one, or so many times one (``cols x signed(8)``)."""
    shape = shape.replace("`", "")
    if shape.startswith("stream of "):
        return stream.Signature(evaluated(shape.removeprefix("stream of "), names))
    if " x " in shape:
        length, element = shape.split(" x ")
        return data.ArrayLayout(eval(element, names), eval(length, names))
    return eval(shape, names)


def signature(kind: type[wiring.Component]) -> tuple[wiring.SignatureMembers, dict[str, Any]]:
    """The ports of a component, and what the names in its docstring's shapes stand for."""
    numbers = {name: getattr(CONFIG, name) for name in dir(CONFIG) if not name.startswith("_")}
    names = {**numbers, "config": CONFIG, "signed": signed}
    special: dict[type, dict[str, Any]] = {
        AdderTree: {"terms": 5, "bits": 32},
        CodeLane: {"config": CONFIG, "first_bit": 0},
        BlockMemory: {"bits": 40, "depth": 20},
        DeepMemory: {"shape": 8, "depth": 20},
        Queue: {"shape": 8, "depth": 4},
        RegisterSlice: {"shape": 8},
        Semaphores: {},
        Supervisor: {"settling_cycles": 5, "quiet_cycles": 20},
        MatrixUnit: {"config": CONFIG, "tag_layout": accumulator_tag(CONFIG)},
        Bursts: {"config": CONFIG, "beats_bits": 16, "runs_bits": 3},
        PoolerLane: {"columns": 2},
        OutputAxis: {"lanes": 2, "bits": 34},
        OutputLane: {"bits": 34},
        OutputTransform: {"tiles": (2, 4), "lanes": 2, "bits": 34},
        ExactDivision: {"transforms": [winograd(4)], "lanes": 2, "bits": 34},
        DivisionLane: {"transforms": [winograd(4)], "bits": 34},
        InputAxis: {"lanes": 2, "input_bits": 8, "output_bits": 12},
        InputLane: {"input_bits": 8, "output_bits": 12},
        InputTransform: {"tiles": (2, 4), "lanes": 2},
        WeightLane: {"transforms": [winograd(4)], "weight_bits": 14},
    }
    arguments = special.get(kind, {"config": CONFIG})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnusedElaboratable)
        ports = kind(**arguments).signature.members
        gc.collect()
    return ports, names | arguments


def _isa() -> str:
    return (DOCS / "isa.md").read_text()
