"""The tutorial's change, taken from its text, on a copy of the tree: its test passes, and its cycles are as it says."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TUTORIAL = ROOT / "docs" / "tutorial.md"
COPIED = ("src", "hw", "sim", "host", "tests", "configs", "docs", "pyproject.toml")


def apply(diff: str, tree: Path) -> None:
    """Change files as a unified diff says; each hunk's old lines must be there exactly once."""
    file = tree / re.findall(r"^\+\+\+ b/(\S+)$", diff, re.M)[0]
    text = file.read_text()
    for hunk in re.split(r"^@@.*\n", diff, flags=re.M)[1:]:
        lines = hunk.splitlines(keepends=True)
        old, new = ("".join(line[1:] for line in lines if line[0] in kinds) for kinds in (" -", " +"))
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    file.write_text(text)


def call(tree: Path, *arguments: object) -> str:
    """What Python says in the tree and with its packages, not those installed."""
    environment = {**os.environ, "PYTHONPATH": str(tree / "src")}
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.rtl
def test_the_change_does_what_the_tutorial_says(tmp_path: Path) -> None:
    text = TUTORIAL.read_text()
    tree = tmp_path / "tree"
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tree / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, tree / name)
    [diff] = re.findall(r"^```diff\n(.*?)^```$", text, re.M | re.S)
    apply(diff, tree)
    [test] = set(re.findall(r"pytest (tests/\S+)", text))
    assert "passed" in call(tree, "-m", "pytest", "-q", "-p", "no:cacheprovider", test)

    [product] = set(re.findall(r"wingrid (matmul .*)", text))
    cycles = []
    for place in (ROOT, tree):
        report = json.loads(call(place, "-m", "wingrid", *product.split(), "--json", "-"))
        [layer] = report["layers"]
        assert (layer["exact"], layer["timing_equal"]) == (True, True)
        cycles.append(layer["cycles"])
    assert cycles[1] == cycles[0] + 1
    assert f"from {cycles[0]} to {cycles[1]} cycles" in text
