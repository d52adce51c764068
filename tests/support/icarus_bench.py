"""Runs a module ``wingrid`` in Icarus Verilog, with a memory and a host in plain Verilog; and in Verilator, to compare.

Icarus comes with the distribution (Debian: ``iverilog``). In CI it fails where it is missing.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import single_group
from outside_judges import outside_judge

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.events import Event
from wingrid.hw.registers import Control, Counter, Register, counter_address
from wingrid.sim.memory import MemoryTiming
from wingrid.sim.rtl.simulator import RtlSimulator

BENCH = Path(__file__).parents[1] / "judges" / "icarus" / "wingrid_bench.v"
TIMING = MemoryTiming(latency=20, bytes_per_cycle=3)


def run(command: list[str], folder: Path) -> str:
    said = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=900)
    assert said.returncode == 0, said.stdout + said.stderr
    return said.stdout + said.stderr


def icarus(
    source: str,
    config: AcceleratorConfig,
    group: single_group.SingleGroup,
    folder: Path,
    *,
    standard: str = "2012",
    at_once: int = 1,
    base: int = 0,
    warnings: tuple[str, ...] = ("-Wall", "-Wno-timescale"),
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
    options += [f"-g{standard}", *warnings, "-s", BENCH.stem, "-o", "bench"]
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


def verilated(config: AcceleratorConfig, group: single_group.SingleGroup) -> tuple[dict[Counter, int], bytes]:
    """Counters and memory that Verilator's simulation of the accelerator leaves behind; its results are right."""
    with RtlSimulator(config, timing=TIMING, memory_bytes=single_group.MEMORY_BYTES) as device:
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
    return counters(registers), memory.tobytes()
