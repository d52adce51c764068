"""The exported Verilog in Icarus Verilog, four-state: no unknown value leaves it, and all results equal Verilator's.

Icarus comes with the distribution (Debian: ``iverilog``). In CI it fails where it is missing.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from pathlib import Path

import pytest
import single_group
from icarus_bench import counters, icarus, verilated
from layer_cases import SQUARE, WIDE

from wingrid.hw import verilog
from wingrid.hw.registers import Counter, Register, Status, readings

pytestmark = pytest.mark.rtl

CONFIGS = {"2x3": WIDE, "4x4": dataclasses.replace(SQUARE, address_bits=40)}
BASES = {"2x3": 0x8765_4000, "4x4": 0xFE_DCBA_9000}
"""Where memory lies for Icarus; for Verilator it lies at 0."""
LAYERS: dict[str, dict[str, int]] = {
    "direct": {"channels": 2, "filters": 5, "height": 4, "width": 6},
    "F(2x2)": {"channels": 2, "filters": 4, "height": 4, "width": 6, "tile": 2},
    "F(4x4)": {"channels": 2, "filters": 4, "height": 4, "width": 7, "tile": 4},
    "pooled": {"channels": 2, "filters": 3, "height": 4, "width": 6, "pool": 2},
}
STANDARDS = ("2005", "2012")
"""Editions of the language, which start variables and processes in different orders."""


@functools.cache
def text(name: str) -> str:
    return verilog.generate(CONFIGS[name])


@functools.cache
def expected(name: str, layer: str) -> tuple[single_group.SingleGroup, dict[Counter, int], bytes]:
    """The layer, and what Verilator's simulation of it leaves behind."""
    group = single_group.build(CONFIGS[name], **LAYERS[layer])
    return group, *verilated(CONFIGS[name], group)


@pytest.mark.parametrize("at_once", [1, 0], ids=["reset from time zero", "reset later"])
@pytest.mark.parametrize("standard", STANDARDS)
@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("name", CONFIGS)
def test_memory_and_counters_equal_verilators_and_nothing_is_unknown(
    name: str, layer: str, standard: str, at_once: int, tmp_path: Path
) -> None:
    group, counted, memory = expected(name, layer)
    said, registers, after = icarus(
        text(name), CONFIGS[name], group, tmp_path, standard=standard, at_once=at_once, base=BASES[name]
    )
    assert said.splitlines()[-1] == "PASSED", said
    assert {register: registers[register] for register in readings(CONFIGS[name])} == readings(CONFIGS[name])
    assert registers[Register.STATUS] == Status.DONE
    assert counters(registers) == counted
    assert after.tobytes() == memory


@pytest.mark.parametrize(
    ("pattern", "instead"),
    [
        (r"(= bus__wvalid;\n(?:.*\n){1,12}?    if \()core_rst\)", r"\1 1'b0)"),
        (rf"  initial {verilog.WAKE} <= 1'b0;\n", ""),
    ],
    ids=["a register without reset", "processes that nothing wakes"],
)
def test_the_judge_notices(pattern: str, instead: str, tmp_path: Path) -> None:
    group, _, _ = expected("2x3", "direct")
    broken, count = re.subn(pattern, instead, text("2x3"))
    assert count
    said, _, _ = icarus(broken, WIDE, group, tmp_path)
    assert re.search(r"^FAILED in cycle \d+: .*unknown", said, flags=re.M), said
