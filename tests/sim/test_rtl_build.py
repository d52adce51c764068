"""The build of the simulation library: cache, failures, and waves without system headers."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pylibfst
import pytest
from copy_device import CopyDevice, CopyRegister

from wingrid.hw import verilog
from wingrid.hw.config import AcceleratorConfig
from wingrid.sim import cache as cache_module
from wingrid.sim import tools
from wingrid.sim.rtl import build, verilator
from wingrid.sim.rtl.simulator import RtlSimulator

pytestmark = pytest.mark.rtl

BUS_BYTES = 4
CONFIG = AcceleratorConfig(winograd=0, rows=4, cols=4, bus_bytes=BUS_BYTES)


@pytest.fixture(scope="module")
def text() -> str:
    return verilog.convert(CopyDevice(BUS_BYTES), header=["A device that copies memory."])


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, but for Verilator's own library, which takes longest to compile."""
    runtime = cache_module.cache_directory() / "runtime"
    runtime.mkdir(parents=True, exist_ok=True)
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "runtime").symlink_to(runtime)
    monkeypatch.setenv("WINGRID_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def entries(cache: Path) -> list[str]:
    return sorted(path.suffix for path in (cache / "rtl").iterdir())


def test_two_builds_at_once_share_one_and_the_third_finds_it(cache: Path, text: str) -> None:
    heard: list[list[str]] = [[], [], []]
    made: list[Path] = []

    def run(number: int) -> None:
        made.append(build.library(text, BUS_BYTES, progress=heard[number].append))

    threads = [threading.Thread(target=run, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    run(2)
    assert len(set(made)) == 1
    assert made[0].parent.parent == cache
    assert sorted(map(bool, heard)) == [False, False, True], "one of them built"
    (spoken,) = filter(None, heard)
    assert spoken[0] == "running Verilator"
    assert spoken[-1] == "compiled {0} of {0} files".format(len(spoken) - 1)
    assert entries(cache) == [".sha256", ".so"]


def test_another_design_is_another_library(
    cache: Path, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build._Build, "run", lambda self, text: _touch(self.folder / "made"))
    paths = {
        build.library(text, BUS_BYTES),
        build.library(text + "// changed\n", BUS_BYTES),
        build.library(text, 2 * BUS_BYTES),
        build.library(text, BUS_BYTES, waves=True),
    }
    monkeypatch.setattr(build, "FAST_FLAGS", ("-O0",))
    paths.add(build.library(text, BUS_BYTES))
    monkeypatch.setattr(verilator, "version", lambda: "5.0")
    paths.add(build.library(text, BUS_BYTES))
    monkeypatch.setattr(tools, "compiler_identity", lambda: "another compiler, or another processor")
    paths.add(build.library(text, BUS_BYTES))
    for content in ("// one harness", "// another"):
        (tmp_path / "harness.cpp").write_text(content)
        paths.add(build.library(text, BUS_BYTES, harness=tmp_path / "harness.cpp"))
    assert len(paths) == 9


def _touch(path: Path) -> Path:
    path.touch()
    return path


def test_verilator_refuses_what_is_no_verilog(cache: Path) -> None:
    with pytest.raises(tools.BuildError, match=r"Verilator failed with exit status \d+:(.|\n)*syntax error"):
        build.library("module wingrid(;", BUS_BYTES)
    assert entries(cache) == []


def test_compiler_failure_shows_the_end_of_its_log(cache: Path, text: str) -> None:
    # A module without the ports that the harness drives.
    with pytest.raises(tools.BuildError, match=r"the compiler on harness.cpp failed(.|\n)*has no member named"):
        build.library("module wingrid(input clk); endmodule", BUS_BYTES)
    assert entries(cache) == []


def test_missing_perl_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(tools.ToolMissing, match=r"^perl is missing"):
        verilator.program()


def test_verilator_is_the_packages_own() -> None:
    environment = verilator.environment({"PATH": "/usr/bin:/bin", "MAKEFLAGS": "-s"})
    assert environment["PATH"].split(":")[0] == str(verilator.root() / "bin")
    assert environment["MAKEFLAGS"] == "-s CFG_CXXFLAGS_PCH_I=-include"
    assert verilator.environment(environment)["MAKEFLAGS"] == environment["MAKEFLAGS"]
    command = ["verilator", "--getenv", "VERILATOR_ROOT"]
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == str(verilator.root())


@pytest.mark.parametrize("name", ["é $HOME 100%", "a'b\"c\\d"])
def test_paths_are_taken_as_they_are(
    name: str, cache: Path, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cache's, and that of the Python packages."""
    packages = tmp_path / name / "packages"
    packages.parent.mkdir()
    packages.symlink_to(verilator.root())
    monkeypatch.setattr(verilator, "root", lambda: packages)
    os.rename(cache, tmp_path / name / "cache")
    monkeypatch.setenv("WINGRID_CACHE", str(tmp_path / name / "cache"))
    # Nothing but the harness is left to compile, and that without optimisation.
    monkeypatch.setattr(build, "FAST_FLAGS", ("-O0",))
    made = build.library(text, BUS_BYTES)
    assert made.parent == tmp_path / name / "cache" / "rtl"
    ctypes.CDLL(str(made))


def test_a_relative_cache_is_one_below_where_the_command_runs(
    cache: Path, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WINGRID_CACHE", "cache")
    monkeypatch.setattr(build, "FAST_FLAGS", ("-O0",))
    assert build.library(text, BUS_BYTES).parent == cache / "rtl"


def test_waves_are_readable_and_change_nothing(text: str, tmp_path: Path) -> None:
    def run(waves: Path | None) -> tuple[int, int]:
        with RtlSimulator(CONFIG, memory_bytes=4096, waves=waves, verilog=text) as device:
            device.memory[:1024] = np.arange(1024) % 251
            settings = {"SOURCE": 0, "DESTINATION": 2048, "BURSTS": 4, "BEATS": 16, "READS_IN_FLIGHT": 2}
            settings |= {"READ_STALL": 0, "WRITE_STALL": 0, "DATA_FIRST": 0, "FALSE_LENGTH": 0}
            for name, value in settings.items():
                device.write_register(4 * CopyRegister[name], value)
            device.write_register(4 * CopyRegister.CONTROL, 1)
            ran = device.run_until_interrupt()
            np.testing.assert_array_equal(device.memory[2048:2304], device.memory[:256])
            return ran, device.cycles

    ran, cycles = run(tmp_path / "copy.fst")
    assert (ran, cycles) == run(None)

    reader = pylibfst.lib.fstReaderOpen(str(tmp_path / "copy.fst").encode())
    assert reader != pylibfst.ffi.NULL
    _, signals = pylibfst.get_scopes_signals2(reader)
    names = {name.rsplit(".", 1)[-1].split(" ")[0]: signal for name, signal in signals.by_name.items()}
    assert {"clk", "rst", "interrupt", "m_axi_rdata", "answered"} <= set(names)
    assert pylibfst.lib.fstReaderGetEndTime(reader) == 2 * cycles - 1
    buffer = pylibfst.ffi.new("char[64]")

    def value(name: str, time: int) -> int:
        found = pylibfst.lib.fstReaderGetValueFromHandleAtTime(reader, time, names[name].handle, buffer)
        return int(pylibfst.string(found), 2)

    clock = [value("clk", time) for time in range(40)]
    assert clock == [0, 1] * 20
    assert [value("rst", 2 * cycle) for cycle in range(6)] == [1, 1, 1, 1, 0, 0]
    assert value("answered", 2 * cycles - 1) == 4
    assert value("interrupt", 2 * cycles - 1) == 1
    assert value("interrupt", 2 * (cycles - 2)) == 0
    pylibfst.lib.fstReaderClose(reader)


def test_unwritable_wave_file_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"missing/copy\.fst"):
        RtlSimulator(CONFIG, memory_bytes=4096, waves=tmp_path / "missing" / "copy.fst", verilog=text)


def test_program_ends_cleanly_with_a_simulator_still_open(text: str) -> None:
    program = (
        "import sys\n"
        "from wingrid.hw.config import AcceleratorConfig\n"
        "from wingrid.sim.rtl.simulator import RtlSimulator\n"
        f"config = AcceleratorConfig(winograd=0, rows=4, cols=4, bus_bytes={BUS_BYTES})\n"
        "simulator = RtlSimulator(config, memory_bytes=64, verilog=sys.stdin.read())\nprint(simulator.cycles)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], input=text, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "4\n", "")
