"""Who interrupts a command gets one sentence, the shell's status, and nothing half-made anywhere."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from command_calls import ON_SQUARE

WINGRID = (sys.executable, "-m", "wingrid")

SECONDS = 60
"""For what takes a second or two on an idle machine."""

processes: list[subprocess.Popen[str]] = []


@pytest.fixture(autouse=True)
def _nothing_goes_on() -> Iterator[None]:
    """Whatever a test that fails has started ends with it."""
    yield
    while processes:
        process = processes.pop()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def started(*command: str, cache: Path | None = None) -> subprocess.Popen[str]:
    environment = {**os.environ, **({"WINGRID_CACHE": str(cache)} if cache else {})}
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        start_new_session=True,
        # The tests may themselves run where it is ignored, as in the background of a shell's script.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    processes.append(process)
    return process


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    while not condition():
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


def ended(process: subprocess.Popen[str], number: int, seconds: float = SECONDS) -> tuple[int, str, str]:
    process.send_signal(number)
    said = process.communicate(timeout=seconds)
    return process.returncode, *said


def others(session: int) -> list[str]:
    """Processes of a session that have not ended."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, of = status.read_text().rpartition(")")[2].split()[:4]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(of) == session and state != "Z":
            found.append(status.parent.name)
    return found


@pytest.mark.parametrize(
    ("number", "status", "sentence"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated"), (signal.SIGHUP, 129, "hung up")],
)
def test_a_signal_ends_in_a_sentence(number: int, status: int, sentence: str, tmp_path: Path) -> None:
    program = (
        "import subprocess, sys, time\nfrom pathlib import Path\n"
        "from wingrid.host.commands.interruption import interruptible\n"
        f"with interruptible():\n"
        f"    subprocess.Popen(['sleep', '1000'])\n"
        f"    try:\n        Path({str(tmp_path)!r}, 'ready').touch()\n        time.sleep(100)\n"
        f"    finally:\n        time.sleep(0.5)\n        Path({str(tmp_path)!r}, 'ready').unlink()\n"
    )
    process = started(sys.executable, "-c", program)
    wait_until((tmp_path / "ready").exists, process)
    process.send_signal(number)
    time.sleep(0.2)  # impatient, while things are being put away
    process.send_signal(signal.SIGINT)
    assert ended(process, signal.SIGTERM) == (status, "", f"wingrid: {sentence}\n")
    assert not (tmp_path / "ready").exists()
    assert others(process.pid) == []


def test_ignored_signals_stay_ignored() -> None:
    """As under nohup."""
    program = (
        "import os, signal\nsignal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "from wingrid.host.commands.interruption import interruptible\n"
        "with interruptible():\n    os.kill(os.getpid(), signal.SIGHUP)\nprint('done')\n"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "done\n"


@pytest.mark.rtl
def test_a_build_leaves_no_compilers_and_nothing_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path / "cache"
    # On the simulator's files it would work for a quarter of an hour.
    slow, begun = tmp_path / "slow", tmp_path / "begun"
    slow.write_text(f'#!/bin/sh\ncase "$*" in *" -c "*) touch {begun}; exec sleep 1000 ;; esac\nexec g++ "$@"\n')
    slow.chmod(0o755)
    monkeypatch.setenv("CXX", str(slow))
    process = started(*WINGRID, "matmul", "4", "4", "4", *ON_SQUARE, cache=cache)
    wait_until(begun.exists, process)
    assert any(cache.glob("rtl/.building-*/Vwingrid_classes.mk"))
    assert ended(process, signal.SIGTERM) == (143, "", "wingrid: terminated\n")
    assert others(process.pid) == []
    left = [path for path in cache.rglob("*") if path.is_file()]
    assert {path.parent.name for path in left} <= {"verilog", "timing", "runtime", "gateware"}, (
        "whole entries of other kinds"
    )
    assert not any(path.name.startswith(".building") or path.suffix == ".lock" for path in cache.rglob("*"))


@pytest.mark.rtl
@pytest.mark.parametrize("options", ["--jobs=1", "--jobs=2"])
def test_a_simulation_ends_soon_and_leaves_the_files_alone(options: str, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    report.write_text("before")
    command = ["run", "vgg16", "--layers=fc6,fc7", f"--json={report}", f"--output={tmp_path / 'y.npy'}", options]
    process = started(*WINGRID, *command, *ON_SQUARE)
    deadline = time.time() + 12  # the simulator is in the cache by now, or is being built: either way it ends
    while time.time() < deadline and process.poll() is None:
        time.sleep(0.1)
    assert ended(process, signal.SIGINT) == (130, "", "wingrid: interrupted\n")
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]
    assert report.read_text() == "before"
