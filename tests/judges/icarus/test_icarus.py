"""The exported Verilog in Icarus Verilog, four-state: no unknown value leaves it, and all results equal Verilator's.

Icarus comes with the distribution (Debian: ``iverilog``). In CI it fails where it is missing.
"""

from __future__ import annotations

import dataclasses
import functools
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
import single_group
from layer_cases import SQUARE, WIDE
from outside_judges import outside_judge

from wingrid.hw import verilog
from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.events import Event
from wingrid.hw.registers import Control, Counter, Register, Status, counter_address, readings
from wingrid.sim.memory import MemoryTiming
from wingrid.sim.rtl.simulator import RtlSimulator

pytestmark = pytest.mark.rtl

BENCH = Path(__file__).parent / "wingrid_bench.v"
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
TIMING = MemoryTiming(latency=20, bytes_per_cycle=3)


@functools.cache
def text(name: str) -> str:
    return verilog.generate(CONFIGS[name])


def run(command: list[str], folder: Path) -> str:
    said = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    assert said.returncode == 0, said.stdout + said.stderr
    return said.stdout + said.stderr


def icarus(
    source: str,
    config: AcceleratorConfig,
    group: single_group.SingleGroup,
    folder: Path,
    *,
    standard: str,
    at_once: int,
    base: int = 0,
) -> tuple[str, dict[int, int], np.ndarray]:
    """What the bench said, the value of every register, and the memory after the program."""
    outside_judge("iverilog", "iverilog")
    (folder / "wingrid.v").write_text(source)
    (folder / "before.hex").write_text("\n".join(f"{byte:02x}" for byte in group.memory))
    parameters = {
        "BUS_BYTES": config.bus_bytes,
        "ADDRESS_BITS": config.address_bits,
        "MEMORY_BYTES": len(group.memory),
        "LATENCY": TIMING.latency,
        "BYTES_PER_CYCLE": TIMING.bytes_per_cycle,
        "RESET_AT_ONCE": at_once,
        "EVENTS": len(Event),
        "MOST_CYCLES": 20_000,
    }
    options = [f"-Pwingrid_bench.{name}={value}" for name, value in parameters.items()]
    options += [f"-g{standard}", "-Wall", "-Wno-timescale", "-s", BENCH.stem, "-o", "bench"]
    assert run(["iverilog", *options, "wingrid.v", str(BENCH)], folder) == ""
    plusargs = [
        "+memory=before.hex",
        "+result=after.hex",
        f"+base={base:x}",
        f"+program={single_group.PROGRAM:x}",
        f"+length={group.length}",
    ]
    said = run(["vvp", "-n", "bench", *plusargs], folder)
    registers = {int(a, 16): int(b, 16) for a, b in re.findall(r"^REGISTER (\w+) (\w+)$", said, flags=re.M)}
    after = folder / "after.hex"
    content = re.sub(r"//.*", "", after.read_text()).split() if after.exists() else []
    return said, registers, np.array([int(byte, 16) for byte in content], np.uint8)


def counters(registers: dict[int, int]) -> dict[Counter, int]:
    return {
        counter: registers[counter_address(counter)] | registers[counter_address(counter) + 4] << 32
        for counter in Counter
    }


@functools.cache
def verilated(name: str, layer: str) -> tuple[single_group.SingleGroup, dict[Counter, int], bytes]:
    """The layer, and what Verilator's simulation of it leaves behind."""
    group = single_group.build(CONFIGS[name], **LAYERS[layer])
    with RtlSimulator(CONFIGS[name], timing=TIMING, memory_bytes=single_group.MEMORY_BYTES) as device:
        device.memory[:] = group.memory
        device.write_register(Register.INTERRUPT_ENABLE, 1)
        device.write_register(Register.PROGRAM, single_group.PROGRAM)
        device.write_register(Register.PROGRAM_LENGTH, group.length)
        device.write_register(Register.CONTROL, Control.START)
        device.run_until_interrupt()
        registers = {
            address + high: device.read_register(address + high)
            for address in map(counter_address, Counter)
            for high in (0, 4)
        }
        memory = device.memory.copy()
    results = memory[single_group.RESULTS : single_group.RESULTS + group.expected.size]
    np.testing.assert_array_equal(results, group.expected)
    return group, counters(registers), memory.tobytes()


@pytest.mark.parametrize("at_once", [1, 0], ids=["reset from time zero", "reset later"])
@pytest.mark.parametrize("standard", STANDARDS)
@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("name", CONFIGS)
def test_memory_and_counters_equal_verilators_and_nothing_is_unknown(
    name: str, layer: str, standard: str, at_once: int, tmp_path: Path
) -> None:
    group, expected, memory = verilated(name, layer)
    said, registers, after = icarus(
        text(name), CONFIGS[name], group, tmp_path, standard=standard, at_once=at_once, base=BASES[name]
    )
    assert said.splitlines()[-1] == "PASSED", said
    assert {register: registers[register] for register in readings(CONFIGS[name])} == readings(CONFIGS[name])
    assert registers[Register.STATUS] == Status.DONE
    assert counters(registers) == expected
    assert after.tobytes() == memory


@pytest.mark.parametrize(
    ("pattern", "instead"),
    [
        (r"(= remaining;\n(?:.*\n){1,12}?    if \()core_rst\)", r"\1 1'b0)"),
        (rf"  initial {verilog.WAKE} <= 1'b0;\n", ""),
    ],
    ids=["a register without reset", "processes that nothing wakes"],
)
def test_the_judge_notices(pattern: str, instead: str, tmp_path: Path) -> None:
    group, _, _ = verilated("2x3", "direct")
    broken, count = re.subn(pattern, instead, text("2x3"))
    assert count
    said, _, _ = icarus(broken, WIDE, group, tmp_path, standard="2012", at_once=1)
    assert re.search(r"^FAILED in cycle \d+: .*unknown", said, flags=re.M), said
