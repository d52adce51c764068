"""Waveforms are whole where they are wanted, or not there, and end up in whatever the path stands for."""

from __future__ import annotations

import resource
import stat
from pathlib import Path

import pytest
from copy_device import CopyDevice
from devices import device

from wingrid.host.errors import UserError
from wingrid.host.execution.driver import MachineFault
from wingrid.host.execution.waves import is_whole, waveforms
from wingrid.hw import verilog
from wingrid.hw.config import AcceleratorConfig
from wingrid.sim.rtl.simulator import RtlSimulator

pytestmark = pytest.mark.rtl

BUS_BYTES = 4
CONFIG = AcceleratorConfig(winograd=0, rows=4, cols=4, bus_bytes=BUS_BYTES)


@pytest.fixture(scope="module")
def text() -> str:
    return verilog.convert(CopyDevice(BUS_BYTES), header=["A device that copies memory."])


def simulate(text: str, path: Path, fault: Exception | None = None) -> None:
    with waveforms(path) as waves, RtlSimulator(CONFIG, memory_bytes=4096, waves=waves, verilog=text) as device:
        for address in range(0, 256, 4):
            device.memory[address] = address
            device.read_register(0)
        if fault is not None:
            raise fault


def test_waves_are_whole_and_what_is_cut_short_is_not(text: str, tmp_path: Path) -> None:
    path = tmp_path / "w.fst"
    simulate(text, path)
    content = path.read_bytes()
    assert is_whole(path)
    for size in (0, 1, 200, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:size])
        assert not is_whole(path)
    path.write_bytes(content + b"\0")
    assert not is_whole(path)
    assert [found.name for found in tmp_path.iterdir()] == ["w.fst"]


def test_waves_go_through_links_and_devices(text: str, tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(b"old")
    (tmp_path / "old").chmod(0o600)
    (tmp_path / "link").symlink_to("old")
    simulate(text, tmp_path / "link")
    assert is_whole(tmp_path / "old")
    assert stat.S_IMODE((tmp_path / "old").stat().st_mode) == 0o600
    assert (tmp_path / "link").is_symlink()
    null = device("null", tmp_path)
    simulate(text, null)
    assert stat.S_ISCHR(null.lstat().st_mode)


def test_a_fault_leaves_waves_and_an_interruption_does_not(text: str, tmp_path: Path) -> None:
    with pytest.raises(MachineFault):
        simulate(text, tmp_path / "fault.fst", MachineFault("stopped"))
    assert is_whole(tmp_path / "fault.fst")
    with pytest.raises(RuntimeError):
        simulate(text, tmp_path / "other.fst", RuntimeError())
    assert [path.name for path in tmp_path.iterdir()] == ["fault.fst"]


def test_no_room_is_told_and_leaves_what_was_there(text: str, tmp_path: Path) -> None:
    path = tmp_path / "w.fst"
    path.write_bytes(b"old")
    simulate(text, tmp_path / "first.fst")  # the library is there before the room gets scarce
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(UserError, match=r"^cannot write .*w\.fst: there was no room for all of the waveforms$"):
            simulate(text, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert path.read_bytes() == b"old"
    assert sorted(found.name for found in tmp_path.iterdir()) == ["first.fst", "w.fst"]
