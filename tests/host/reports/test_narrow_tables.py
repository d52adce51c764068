"""Whatever the width, every number of a table is printed whole."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import subprocess
import sys
import termios

import pytest
from rich.cells import cell_len
from rich.table import Table

from wingrid.host.reports import output as report_output
from wingrid.host.reports.output import show
from wingrid.host.reports.report_table import compact_table

NUMBERS = [f"{number:,}.{number % 1000:03}" for number in range(7_000, 7_012)]
WIDTHS = (200, 120, 80, 60, 40, 30)


def table(names: list[str]) -> Table:
    made = compact_table("A table with a title that is longer than any of the lines may be, of 30 characters")
    made.add_column("algorithm", no_wrap=True)
    for column in range(len(NUMBERS)):
        made.add_column(f"num-\nber {column}", justify="right")
    made.add_column("source")
    for name in names:
        made.add_row(name, "winograd4", *NUMBERS, "a sentence that says where all of this comes from")
    made.add_section()
    made.add_row("total", "", *reversed(NUMBERS), "")
    return made


def printed(
    names: list[str], width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    monkeypatch.setattr(report_output, "PIPE_WIDTH", width)
    show([table(names)])
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("width", WIDTHS)
def test_numbers_are_whole(width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    lines = printed(["conv1_1", "/model.22/cv3/" * 9 + "conv"], width, capsys, monkeypatch)
    assert max(map(cell_len, lines)) <= width
    assert sorted(re.findall(r"[\d,]+\.\d{3}\b", "\n".join(lines))) == sorted(3 * NUMBERS)
    assert "winograd4" in "\n".join(lines)


@pytest.mark.parametrize("width", WIDTHS)
def test_what_is_shortened_of_names_is_their_beginning(
    width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "\n".join(printed(["/a/long/way/to/first", "/a/long/way/to/other"], width, capsys, monkeypatch))
    assert re.search(r"^ \S*/to/first ", text, flags=re.M)
    assert re.search(r"^ \S*/to/other ", text, flags=re.M)


def test_wide_letters_count_double(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert max(map(cell_len, printed(["畳み込み" * 9], 40, capsys, monkeypatch))) <= 40


def test_names_are_not_read_as_markup(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    text = "\n".join(printed(["conv[0]", "[/conv]", ":smile:"], 200, capsys, monkeypatch))
    assert all(name in text for name in ("conv[0]", "[/conv]", ":smile:"))


def test_a_number_wider_than_the_terminal_is_whole(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = printed(["conv1_1"], 10, capsys, monkeypatch)
    assert sorted(re.findall(r"[\d,]+\.\d{3}\b", "\n".join(lines))) == sorted(2 * NUMBERS)


def test_a_terminal_has_the_width_that_it_has() -> None:
    """Of 80 columns, say; and what is printed on it is what goes into a wide pipe, but for lines."""
    program = "from wingrid.host.commands.app import main; main(['estimate', 'alexnet', '--layers', 'conv3,fc7'])"
    main, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (24, 80))
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=terminal, stdout=terminal, stderr=subprocess.DEVNULL,
        env={**environment, "TERM": "dumb"},
    ):  # fmt: skip
        os.close(terminal)
        text = ""
        with contextlib.suppress(OSError):
            while piece := os.read(main, 65536):
                text += piece.decode()
    os.close(main)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines()
    assert max(map(cell_len, lines)) <= 80
    assert sum(line.split()[:1] == ["conv3"] for line in lines) == 2, "in two tables"
    assert "…" not in text
