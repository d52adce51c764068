"""What cannot be printed is told in a sentence, or to nobody if nobody listens."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

WINGRID = (sys.executable, "-m", "wingrid")
COMMAND = ("matmul", "2", "2", "2", "--backend", "golden")


def run(*arguments: str, redirection: str = "", **environment: str) -> tuple[int, str, str]:
    script = f'"$@" {redirection}'
    done = subprocess.run(
        ["sh", "-c", script, "-", *WINGRID, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("json", [[], ["--json", "-"]])
def test_a_full_standard_output_is_told_and_files_are_there(tmp_path: Path, json: list[str]) -> None:
    csv = tmp_path / "x.csv"
    status, _, error = run(*COMMAND, "--csv", str(csv), *json, redirection="> /dev/full")
    assert (status, error) == (2, "wingrid: cannot write to standard output: No space left on device\n")
    assert csv.exists() or json


def test_help_into_a_full_standard_output_is_told() -> None:
    status, _, error = run("--help", redirection="> /dev/full")
    assert (status, error) == (2, "wingrid: No space left on device\n")


def test_a_closed_standard_output_is_told() -> None:
    assert run(*COMMAND, redirection=">&-") == (2, "", "wingrid: cannot write to standard output: it is closed\n")
    assert run(*COMMAND, "--json", "-", redirection=">&-")[0] == 2


@pytest.mark.parametrize("arguments", [["networks"], ["--help"], ["run", "--help"]])
def test_who_reads_no_further_hears_no_complaint(arguments: list[str]) -> None:
    process = subprocess.Popen([*WINGRID, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.close()
    assert (process.wait(), process.stderr.read()) == (141, "")


def test_a_full_standard_error_changes_no_status() -> None:
    assert run("matmul", "0", "1", "1", redirection="2> /dev/full")[0] == 2


def test_letters_that_the_encoding_lacks_are_no_failure() -> None:
    status, output, error = run("networks", PYTHONIOENCODING="ascii")
    assert (status, error) == (0, "")
    assert output.isascii()
    assert "alexnet" in output


def test_only_the_one_asked_for_goes_to_standard_output() -> None:
    status, output, error = run(*COMMAND, "--csv", "-")
    assert (status, error) == (0, "")
    assert output.startswith("name,operator,")
    assert output.count("\n") == 2
    assert run(*COMMAND, "--csv", "-", "--json", "-") == (
        2, "", "wingrid: --json and --csv cannot both go to standard output\n",
    )  # fmt: skip
