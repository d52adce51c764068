"""The test bench of an image passes in Icarus and in Verilator, and fails for whatever is not as promised."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from image_cases import ImageCase, digits_case, random_graph_case
from layer_cases import SQUARE, WIDE
from outside_judges import outside_judge

from wingrid.host.errors import UserError
from wingrid.host.images.building import build_image
from wingrid.host.images.image import Image
from wingrid.host.images.machines import SpecifiedMachine
from wingrid.host.images.running import run_image
from wingrid.host.test_benches.generate import write_test_bench
from wingrid.host.test_benches.running import BenchRun, Simulator, run_test_bench
from wingrid.hw import verilog
from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.registers import IDENTITY
from wingrid.sim.memory import Dram, MemoryTiming, named_memory
from wingrid.sim.tools import BuildError, ToolMissing
from wingrid.sim.verilog_text import verilog_text

SEED = 3
"""Of a small network in two entries, with work of the host between."""
DRAM = Dram(banks=2, row_bytes=4096, row_miss=9, refresh_interval=300, refresh_cycles=40)


def write(folder: Path, case: ImageCase, image: Image, *, register_slices: bool = False) -> None:
    """The bench, whose expected outputs ONNX Runtime agrees with."""
    assert case.wrong(run_image(image, SpecifiedMachine(image), case.inputs)) is None
    text = verilog.generate(image.config, register_slices=True) if register_slices else verilog_text(image.config)
    write_test_bench(folder, image, case.inputs, text, register_slices=register_slices)


def simulate(folder: Path, simulator: Simulator) -> BenchRun:
    """The run of a bench in ``folder/bench``; what is compiled is kept beside it."""
    if simulator is Simulator.ICARUS:
        outside_judge("iverilog", "iverilog")
    build = folder / "build"
    build.mkdir(exist_ok=True)
    return run_test_bench(folder / "bench", simulator, build)


def require_pass(folder: Path, simulator: Simulator, image: Image) -> None:
    run = simulate(folder, simulator)
    assert run.failure is None
    assert run.passed
    assert run.cycles == tuple(entry.cycles for entry in image.contents.entries)


def require_failure(folder: Path, simulator: Simulator, message: str) -> None:
    run = simulate(folder, simulator)
    assert not run.passed
    assert run.failure is not None
    assert re.fullmatch(message, run.failure)
    assert "PASS" not in run.text


@contextlib.contextmanager
def flipped(path: Path, place: int, bit: int = 0) -> Iterator[None]:
    """One bit of a file is the other way round."""
    before = path.read_bytes()
    content = bytearray(before)
    content[place] ^= 1 << bit
    path.write_bytes(content)
    yield
    path.write_bytes(before)


@contextlib.contextmanager
def replaced(path: Path, pattern: str, instead: str) -> Iterator[None]:
    """The first match of a pattern in a file is something else."""
    before = path.read_text()
    after, count = re.subn(pattern, instead, before, count=1)
    assert count
    path.write_text(after)
    yield
    path.write_text(before)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("config", "timing", "register_slices"),
    [
        (SQUARE, None, False),
        (WIDE, MemoryTiming(7, 1), False),
        (SQUARE, MemoryTiming(20, 3, DRAM, write_latency=17), False),
        (SQUARE, MemoryTiming(20, 3, DRAM, write_latency=17), True),
        (dataclasses.replace(SQUARE, address_bits=40), None, False),
    ],
    ids=["ideal", "2x3 narrow", "dram", "dram behind register slices", "40 address bits"],
)
def test_passes_in_icarus(
    config: AcceleratorConfig, timing: MemoryTiming | None, register_slices: bool, tmp_path: Path
) -> None:
    case = random_graph_case(SEED)
    image = build_image(case.work, config, timing)
    assert len(image.contents.entries) > 1
    write(tmp_path / "bench", case, image, register_slices=register_slices)
    require_pass(tmp_path, Simulator.ICARUS, image)


def require_promises_matter(folder: Path, simulator: Simulator, image: Image, cycles_off: tuple[int, ...]) -> None:
    """A pass, and a failure for one bit of an output, of the image, and for so many cycles, of the last entry.

    All but the last are found without compiling anew.
    """
    require_pass(folder, simulator, image)
    bench, last, count = folder / "bench", image.contents.entries[-1], len(image.contents.entries)
    with flipped(bench / f"entry-{count}-output-1.bin", 5):
        require_failure(folder, simulator, r"FAILED: tensor \S+, byte 5: expected (\w\w), got (?!\1)\w\w")
    for place in np.random.default_rng(1).integers(0, len(image.binary), 3):
        with flipped(bench / "image.bin", int(place), 3):
            require_failure(folder, simulator, r"FAILED: image image.bin has CRC-32 \w+, expected \w+")
    for off in cycles_off:
        wrong = last.cycles + off
        # The last one of the file: the pattern before it is greedy.
        with replaced(bench / "network.vh", rf"(?s)(.*run\(.*64'd){last.cycles}\b", rf"\g<1>{wrong}"):
            require_failure(
                folder, simulator, f"FAILED: entry {re.escape(last.name)} takes {last.cycles} cycles, expected {wrong}"
            )


@pytest.mark.slow
def test_fails_in_icarus_for_whatever_is_not_as_promised(tmp_path: Path) -> None:
    case = random_graph_case(SEED)
    image = case.image()
    bench = tmp_path / "bench"
    write(bench, case, image)
    require_promises_matter(tmp_path, Simulator.ICARUS, image, (-1, 1))

    first = image.contents.entries[0]
    with replaced(bench / "testbench.v", "2 \\* promised \\+ MORE_CYCLES", "promised / 2"):
        require_failure(
            tmp_path,
            Simulator.ICARUS,
            f"FAILED: no interrupt of entry {first.name} in {first.cycles // 2 + 1} cycles, {first.cycles} promised",
        )
    with flipped(bench / "entry-2-input-1.bin", 0, 7):
        require_failure(tmp_path, Simulator.ICARUS, r"FAILED: tensor \S+, byte \d+: expected (\w\w), got (?!\1)\w\w")

    # Of the Verilog, one bit of a constant that the host reads, and of the exponent's bias in the requantiser.
    with replaced(bench / "wingrid.v", f"32'd{IDENTITY}", f"32'd{IDENTITY ^ 1}"):
        require_failure(
            tmp_path, Simulator.ICARUS, f"FAILED: register IDENTITY reads as {IDENTITY ^ 1:x}, expected {IDENTITY:x}"
        )
    with replaced(bench / "wingrid.v", r"(module \S+_requantiser_lane_0\(.*\n(?:.*\n)*?.*\$signed\(7'h2)2", r"\g<1>3"):
        require_failure(tmp_path, Simulator.ICARUS, r"FAILED: tensor \S+, byte \d+: expected (\w\w), got (?!\1)\w\w")


@pytest.mark.rtl
@pytest.mark.slow
def test_digits_in_verilator(tmp_path: Path) -> None:
    case = digits_case()
    image = case.image()
    write(tmp_path / "bench", case, image)
    require_promises_matter(tmp_path, Simulator.VERILATOR, image, (1,))


def test_the_folder_is_left_as_it_is(tmp_path: Path) -> None:
    outside_judge("iverilog", "iverilog")
    case = random_graph_case(SEED)
    write_test_bench(tmp_path, case.image(), case.inputs, "no Verilog")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(BuildError, match=r"wingrid\.v:1: syntax error"):
        run_test_bench(tmp_path, Simulator.ICARUS)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_simulator_that_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda program: None if program == "iverilog" else program)
    with pytest.raises(ToolMissing, match="iverilog is missing; icarus needs it"):
        run_test_bench(tmp_path, Simulator.ICARUS)


def test_refuses_before_anything_is_written(tmp_path: Path) -> None:
    case = random_graph_case(SEED)
    with pytest.raises(UserError, match=r"the network takes .*, and is given nothing"):
        write_test_bench(tmp_path / "bench", case.image(), {}, "")
    # The memory of the defaults answers writes after a cycle.
    with pytest.raises(UserError, match="latencies of 40 and 1 cycles; with register slices they are at least 3"):
        write_test_bench(tmp_path / "bench", case.image(), case.inputs, "", register_slices=True)
    bridged = build_image(case.work, SQUARE, named_memory("litex-axi", SQUARE.bus_bytes))
    with pytest.raises(UserError, match=r"^the image is for a memory behind a bridge, and the bench has none$"):
        write_test_bench(tmp_path / "bench", bridged, case.inputs, "")
    assert not list(tmp_path.iterdir())
