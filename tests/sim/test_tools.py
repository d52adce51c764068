"""Programs that builds call are found, fail in a sentence, and end with all that they started."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from outside_judges import outside_judge

from wingrid.sim.tools import COMPILER_FLAGS, GCC_FLAGS, BuildError, ToolMissing, Tools, compiler, compiler_identity


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("no-such-compiler -m64", r"^the C\+\+ compiler no-such-compiler is missing$"),
        ("\"g++", "^CXX = \"g\\+\\+ is no command: no closing quotation$"),
        ("/", r"^the C\+\+ compiler / is missing$"),
    ],
)  # fmt: skip
def test_what_is_no_compiler_is_named(command: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", command)
    compiler_identity.cache_clear()
    with pytest.raises(ToolMissing, match=message):
        compiler_identity()


def test_a_compiler_that_cannot_start_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken").write_bytes(b"\x7fELF and no more")
    (tmp_path / "broken").chmod(0o755)
    monkeypatch.setenv("CXX", str(tmp_path / "broken"))
    compiler_identity.cache_clear()
    with pytest.raises(ToolMissing, match=r"broken cannot be started: Exec format error$"):
        compiler_identity()
    with pytest.raises(ToolMissing, match=r"broken cannot be started: Exec format error$"):
        Tools().call(compiler(), "the compiler", tmp_path)


def test_a_relative_compiler_is_found_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine").write_text("#!/bin/sh\ntouch here\n")
    (tmp_path / "mine").chmod(0o755)
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CXX", "./mine -O9")
    Tools().call(compiler(), "the compiler", tmp_path / "folder")
    assert (tmp_path / "folder" / "here").exists()
    assert compiler()[1:] == ["-O9", *GCC_FLAGS]


def test_a_failure_shows_the_end_of_what_was_said(tmp_path: Path) -> None:
    with pytest.raises(BuildError) as caught:
        Tools().call(["sh", "-c", "seq 100; exit 3"], "counting", tmp_path)
    assert str(caught.value) == "counting failed with exit status 3:\n" + "\n".join(map(str, range(71, 101)))
    with pytest.raises(BuildError) as caught:
        Tools().call(["sh", "-c", "printf 'caf\\351'; exit 3"], "naming", tmp_path)
    assert str(caught.value) == "naming failed with exit status 3:\ncaf\N{REPLACEMENT CHARACTER}"


def test_temporary_files_go_into_the_folder(tmp_path: Path) -> None:
    Tools().call(["sh", "-c", 'echo > "$TMPDIR/x"'], "writing", tmp_path)
    assert (tmp_path / "x").exists()


def test_lines_are_heard_as_they_are_said(tmp_path: Path) -> None:
    heard: list[str] = []

    def hears(line: str) -> None:
        heard.append(line)
        (tmp_path / line).touch()

    # The second line is only said once the first one was heard.
    program = "echo one; while [ ! -e one ]; do sleep 0.01; done; echo two >&2"
    Tools().call(["sh", "-c", program], "counting", tmp_path, hears=hears)
    assert heard == ["one", "two"]


@pytest.mark.parametrize("while_it_runs", [True, False])
def test_stopping_ends_children_of_children_too(tmp_path: Path, while_it_runs: bool) -> None:
    tools = Tools()
    failed: list[BaseException] = []

    def call() -> None:
        try:
            tools.call(["sh", "-c", "sleep 1000 & echo $! > child; wait"], "waiting", tmp_path)
        except BuildError as error:
            failed.append(error)

    if not while_it_runs:
        tools.stop()
    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    if while_it_runs:
        while not (tmp_path / "child").exists() or not (tmp_path / "child").read_text().strip():
            time.sleep(0.01)
        tools.stop()
    thread.join(10)
    assert not thread.is_alive()
    assert len(failed) == 1
    if while_it_runs:
        child = int((tmp_path / "child").read_text())
        # It has been killed, and takes a moment to go.
        deadline = time.monotonic() + 60
        while _runs(child) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not _runs(child)


def test_who_is_interrupted_ends_what_it_waits_for(tmp_path: Path) -> None:
    class Interruption(BaseException):
        pass

    def interrupt(number: int, frame: object) -> None:
        raise Interruption

    def press() -> None:
        while not (tmp_path / "child").exists() or not (tmp_path / "child").read_text().strip():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGALRM)

    before = signal.signal(signal.SIGALRM, interrupt)
    began = time.monotonic()
    try:
        threading.Thread(target=press, daemon=True).start()
        with pytest.raises(Interruption):
            Tools().call(["sh", "-c", "echo $$ > child; exec sleep 40"], "waiting", tmp_path)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert time.monotonic() - began < 30, "it was waited for"
    assert not _runs(int((tmp_path / "child").read_text()))


def test_tools_cannot_read_what_is_typed(tmp_path: Path) -> None:
    program = (
        "from pathlib import Path\nfrom wingrid.sim.tools import Tools\n"
        "Tools().call(['sh', '-c', 'cat > read'], 'reading', Path())\n"
    )
    subprocess.run([sys.executable, "-c", program], input="typed", text=True, cwd=tmp_path, check=True)
    assert (tmp_path / "read").read_text() == ""


def _runs(number: int) -> bool:
    try:
        state = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_tools_are_in_a_group_of_their_own(tmp_path: Path) -> None:
    """A key press that interrupts this process does not reach them: it ends them itself."""
    program = "import os; print(os.getpgrp(), file=open('group', 'w'))"
    Tools().call([sys.executable, "-c", program], "looking", tmp_path)
    assert int((tmp_path / "group").read_text()) != os.getpgrp()


def test_clang_is_called_without_what_only_gcc_knows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", outside_judge("clang", "clang++"))
    text = 'extern "C" __attribute__((visibility("default"))) int answer() { return 42; }\n'
    (tmp_path / "answer.cpp").write_text(text)
    command = [*compiler(), *COMPILER_FLAGS, "-Werror", "-shared", "-o", "answer.so", "answer.cpp"]
    Tools().call(command, "the compiler", tmp_path)
    assert ctypes.CDLL(str(tmp_path / "answer.so")).answer() == 42
