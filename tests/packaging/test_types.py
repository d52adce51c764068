"""A user's type checker, outside of the tree, knows the types of what is installed, be it editable."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("packaging")]

PROGRAM = """\
from wingrid import estimate

reveal_type(estimate("vgg16", rows=16))
estimate(16)
"""
CHECKERS = {"mypy": ["mypy", "--cache-dir", "cache"], "pyright": ["pyright", "--pythonpath", sys.executable]}


@pytest.mark.parametrize("checker", CHECKERS)
def test_types_are_known_outside_of_the_tree(checker: str, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    command = [sys.executable, "-m", *CHECKERS[checker], "program.py"]
    environment = {**os.environ, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}
    said = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    lines = [line for line in said.stdout.splitlines() if "program.py:" in line]
    assert len(lines) == 2, said.stdout + said.stderr
    assert "Estimate" in lines[0]
    assert 'type "' in lines[1] or '"int"' in lines[1]
