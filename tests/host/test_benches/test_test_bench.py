"""The test bench of an image passes in Icarus and in Verilator, and fails for whatever is not as promised."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from image_cases import ImageCase, digits_case, random_graph_case
from layer_cases import SQUARE, WIDE
from outside_judges import outside_judge

from wingrid.host.images.building import build_image
from wingrid.host.images.image import Image
from wingrid.host.images.machines import SpecifiedMachine
from wingrid.host.images.running import run_image
from wingrid.host.test_benches.generate import bench_files
from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.registers import IDENTITY
from wingrid.sim.memory import Dram, MemoryTiming
from wingrid.sim.rtl import verilator
from wingrid.sim.verilog_text import verilog_text

pytestmark = [pytest.mark.rtl, pytest.mark.slow]

SEED = 3
"""Of a small network in two entries, with work of the host between."""
DRAM = MemoryTiming(20, 3, Dram(banks=2, row_bytes=4096, row_miss=9, refresh_interval=300, refresh_cycles=40))


def write(folder: Path, case: ImageCase, image: Image) -> None:
    assert case.wrong(run_image(image, SpecifiedMachine(image), case.inputs)) is None
    files = bench_files(image, case.inputs) | {"wingrid.v": verilog_text(image.config).encode()}
    for name, content in (files | {"image.bin": image.binary}).items():
        (folder / name).write_bytes(content)


def make(folder: Path, simulator: str) -> tuple[int, list[str]]:
    """The exit status of make, and what the simulation said."""
    environment, options = dict(os.environ), []
    if simulator == "icarus":
        outside_judge("iverilog", "iverilog")
    else:
        environment = verilator.environment()
        del environment["MAKEFLAGS"]  # the bench's own makefile has to know
        # Compiled in a fifth of the time, and fast enough for what is run here.
        options = [f"VERILATOR={verilator.program()}", "OPT_FAST=-O0"]
    command = ["make", "-s", simulator, *options]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=1500)
    lines = re.findall(r"^(?:PASS|FAILED|.* as promised).*$", done.stdout, flags=re.M)
    assert lines, done.stdout + done.stderr
    return done.returncode, lines


def require_pass(folder: Path, simulator: str, image: Image) -> None:
    status, lines = make(folder, simulator)
    assert lines == [
        *(f"{entry.name}: {entry.cycles} cycles and all outputs as promised" for entry in image.contents.entries),
        "PASS",
    ]
    assert status == 0


@pytest.mark.parametrize(
    ("seed", "config", "timing"),
    [(SEED, SQUARE, None), (1, WIDE, MemoryTiming(7, 1)), (6, SQUARE, DRAM)],
    ids=["ideal", "2x3 narrow", "dram"],
)
def test_passes_in_icarus(seed: int, config: AcceleratorConfig, timing: MemoryTiming | None, tmp_path: Path) -> None:
    case = random_graph_case(seed)
    image = build_image(case.work, config, timing)
    assert len(image.contents.entries) > 1
    write(tmp_path, case, image)
    require_pass(tmp_path, "icarus", image)


def flip(path: Path, place: int, bit: int = 0) -> Callable[[], None]:
    """Turn one bit of a file around; what is returned turns it back."""

    def turn() -> None:
        content = bytearray(path.read_bytes())
        content[place] ^= 1 << bit
        path.write_bytes(content)

    turn()
    return turn


def replace(path: Path, pattern: str, instead: str) -> Callable[[], None]:
    before = path.read_text()
    after, count = re.subn(pattern, instead, before, count=1)
    assert count
    path.write_text(after)

    def back() -> None:
        path.write_text(before)

    return back


def require_failure(folder: Path, simulator: str, message: str) -> None:
    status, lines = make(folder, simulator)
    assert status != 0
    assert re.fullmatch(message, lines[-1])
    assert sum(line.startswith("FAILED") for line in lines) == 1


def require_files_matter(folder: Path, simulator: str) -> None:
    """One bit of an output and one of the image, each noticed without compiling anew."""
    back = flip(folder / "entry-2-output-1.bin", 5)
    require_failure(folder, simulator, r"FAILED: tensor \S+, byte 5: expected (\w\w), got (?!\1)\w\w")
    back()
    for place in np.random.default_rng(1).integers(0, (folder / "image.bin").stat().st_size, 3):
        back = flip(folder / "image.bin", int(place), 3)
        require_failure(folder, simulator, r"FAILED: image image.bin has CRC-32 \w+, expected \w+")
        back()


def test_fails_in_icarus_for_whatever_is_not_as_promised(tmp_path: Path) -> None:
    case = random_graph_case(SEED)
    image = case.image()
    write(tmp_path, case, image)
    require_pass(tmp_path, "icarus", image)
    require_files_matter(tmp_path, "icarus")

    first, second = image.contents.entries
    back = replace(
        tmp_path / "network.vh", rf'(check_cycles\("{second.name}", 64.d){second.cycles}', rf"\g<1>{second.cycles + 1}"
    )
    require_failure(
        tmp_path, "icarus", f"FAILED: entry {second.name} takes {second.cycles} cycles, expected {second.cycles + 1}"
    )
    back()
    back = replace(tmp_path / "network.vh", rf'(run\("{first.name}".* 64.d)\d+', r"\g<1>100")
    require_failure(tmp_path, "icarus", f"FAILED: no interrupt of entry {first.name} in 100 cycles")
    back()

    # One bit of the Verilog: of a constant that the host reads, and of the exponent's bias in the requantiser.
    back = replace(tmp_path / "wingrid.v", f"32'd{IDENTITY}", f"32'd{IDENTITY ^ 1}")
    require_failure(tmp_path, "icarus", f"FAILED: register IDENTITY reads as {IDENTITY ^ 1:x}, expected {IDENTITY:x}")
    back()
    back = replace(
        tmp_path / "wingrid.v", r"(module \\\S+\.requantiser\.lane_0 (?:.*\n)*?.*\$signed\(7'h2)2", r"\g<1>3"
    )
    require_failure(tmp_path, "icarus", r"FAILED: tensor \S+, byte \d+: expected (\w\w), got (?!\1)\w\w")
    back()


def test_passes_and_fails_in_verilator(tmp_path: Path) -> None:
    case = random_graph_case(SEED)
    image = case.image()
    write(tmp_path, case, image)
    require_pass(tmp_path, "verilator", image)
    require_files_matter(tmp_path, "verilator")


def test_digits_in_verilator(tmp_path: Path) -> None:
    case = digits_case()
    image = case.image()
    write(tmp_path, case, image)
    require_pass(tmp_path, "verilator", image)
