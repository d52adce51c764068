"""The package as a whole: the same bytes wherever and whenever it is made, and nothing of where that was."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaged import CONFIG, package

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.slow
def test_another_process_in_another_place_makes_the_same(tmp_path: Path) -> None:
    program = "import hashlib; from wingrid.host.package.package import package_files\n"
    program += "from wingrid.hw.config import AcceleratorConfig\n"
    program += f"for name, content in package_files({CONFIG!r}).items():\n"
    program += "    print(name, hashlib.sha256(content).hexdigest())"
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    other = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    here = [f"{name} {hashlib.sha256(content).hexdigest()}" for name, content in package().items()]
    assert other.stdout.splitlines() == here


def test_no_file_holds_a_path_or_a_date() -> None:
    for name, content in package().items():
        text = content.decode()
        assert str(ROOT) not in text, name
        assert not re.search(r"/(home|usr|tmp)/|\b20\d\d-\d\d-\d\d\b", text), name
