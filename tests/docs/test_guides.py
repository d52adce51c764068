"""The guides are followed: files made, programs and commands run in order, and what they print is what stands there.

Commands that synthesise take minutes; of those, as of all commands in all documents, the options are read.
"""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from command_calls import call
from typer.main import get_command

from wingrid.host.commands.app import app
from wingrid.sim import memory

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
DOCUMENTS = sorted([ROOT / "README.md", *DOCS.glob("*.md")])
PIECE = re.compile(r"^```(?P<language>\w+)\n(?P<file>.*?)^```$|^(?P<block>(?:    [^\n]*\n|\n(?=    ))+)", re.M | re.S)
SLOW = ("synth", "build", "soc", "check")
"""They synthesise or compile systems; each has tests of its own."""


def pieces(document: Path) -> Iterator[tuple[str, str]]:
    """Files in fences with their language, and indented blocks, in order."""
    for piece in PIECE.finditer(document.read_text()):
        if piece["block"] is None:
            yield piece["language"], piece["file"]
        else:
            yield "", "".join(line.removeprefix("    ") for line in piece["block"].splitlines(keepends=True))


def commands(block: str) -> list[str]:
    """Those of wingrid in a block, without what is said about them."""
    lines = [line.split("   #")[0].split(" # ")[0] for line in block.splitlines()]
    return [part.strip() for line in lines for part in line.split("&&") if part.strip().startswith("wingrid ")]


def test_the_documents_have_many_commands() -> None:
    """Otherwise the pattern found none, and the next test says nothing."""
    assert sum(len(commands(text)) for file in DOCUMENTS for _, text in pieces(file)) > 80


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_has_only_options_that_there_are(document: Path) -> None:
    group = get_command(app)
    wrong = []
    for _, text in pieces(document):
        for line in commands(text):
            name, *arguments = shlex.split(line)[1:]
            try:
                group.commands[name].make_context(name, arguments)
            except (KeyError, click.ClickException) as error:
                wrong.append(f"{line}: {error!r}")
    assert wrong == []


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as the root of a clone, for what the guides read there; current, and on a terminal of known width."""
    for name in ("configs", "examples"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "118")
    return tmp_path


def follow(document: Path, capsys: pytest.CaptureFixture[str]) -> int:
    """Do what a guide says. How many lines of output were compared."""
    names: dict[str, object] = {}
    said: list[str] = []
    compared = 0
    for language, text in pieces(document):
        head = re.match(r"# (\S+)\n", text)
        if language and head:
            # A file to be made, or one of the tree.
            if "/" not in head[1]:
                Path(head[1]).write_text(text)
        elif language == "python":
            exec(compile(text, str(document), "exec"), names)
            said = capsys.readouterr().out.splitlines()
        else:
            for line in filter(None, text.splitlines()):
                if words := [shlex.split(command)[1:] for command in commands(line)]:
                    assert [call(*each) for each in words if each[0] not in SLOW] in ([], [0]), line
                    said = capsys.readouterr().out.splitlines()
                elif line.strip() != "...":
                    assert any(line.strip() in each for each in said), (line, said)
                    compared += 1
    return compared


@pytest.mark.rtl
def test_a_model(clone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert follow(DOCS / "own-model.md", capsys) == 4
    [shown] = [text for _, text in pieces(DOCS / "own-model.md") if text.startswith("# examples/")]
    file, *lines = shown.splitlines()
    script = [line.split("  #")[0].strip() for line in (ROOT / file.removeprefix("# ")).read_text().splitlines()]
    assert lines
    assert [line for line in lines if line.strip() not in script] == []


def test_a_board(clone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert follow(DOCS / "own-board.md", capsys) == 1
    assert (clone / "explored").is_dir()


def test_a_memory(clone: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert follow(DOCS / "own-memory.md", capsys) == 4
    [entry] = [tomllib.loads(text) for language, text in pieces(DOCS / "own-memory.md") if language == "toml"]
    monkeypatch.setattr(memory, "_named", lambda: entry)
    assert memory.named_memory("my-sram", 16) == memory.MemoryTiming(6, 2, write_latency=4)
