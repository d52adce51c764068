"""The site of the documents: its navigation leads to all pages, and it is built without a warning."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from typer.main import get_command

import wingrid
from wingrid.host.commands.app import app

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / "zensical.toml"


@pytest.fixture(scope="module")
def site_pages() -> ModuleType:
    """The script, which lies in no package."""
    spec = importlib.util.spec_from_file_location("site_pages", ROOT / "docs" / "site_pages.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def led_to(entries: list[dict[str, Any]]) -> Iterator[str]:
    """The pages of a navigation, in order."""
    for entry in entries:
        for value in entry.values():
            yield from led_to(value) if isinstance(value, list) else [value]


def test_the_navigation_leads_to_every_page_once(site_pages: ModuleType) -> None:
    pages = [str(site_pages.place(document)) for document in site_pages.documents()]
    nav = tomllib.loads(CONFIG.read_text())["project"]["nav"]
    assert sorted(led_to(nav)) == sorted([*pages, *site_pages.GENERATED])
    assert [*map(list, nav)] == [["Wingrid"], ["Tutorial"], ["How-to guides"], ["Reference"], ["Explanation"]]


def built(folder: Path) -> subprocess.CompletedProcess[str]:
    """The site of the pages in ``build/pages`` of a folder with a configuration, as ``make docs`` makes it."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "NO_COLOR": "1"}
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean"]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.mark.slow
def test_it_is_built_without_a_warning(site_pages: ModuleType, tmp_path: Path) -> None:
    shutil.copy(CONFIG, tmp_path)
    (tmp_path / "src").symlink_to(ROOT / "src")
    site_pages.write(tmp_path / "build" / "pages")
    done = built(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    site = tmp_path / "build" / "site"
    commands = (site / "reference" / "command-line.html").read_text()
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined] # it is a group
        assert f'id="wingrid-{name}"' in commands
        options = [parameter.opts[0] for parameter in command.params if parameter.param_type_name == "option"]
        assert [option for option in options if option not in commands] == []
    python = (site / "reference" / "python.html").read_text()
    assert [name for name in wingrid.__all__ if f'id="wingrid.{name}"' not in python] == []
    assert "Rows and columns of the memory" in (site / "reference" / "hardware.html").read_text()
    assert (site / "examples" / "prune_digits.py").read_text() == (ROOT / "examples" / "prune_digits.py").read_text()


@pytest.mark.slow
def test_a_link_that_leads_nowhere_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "build" / "pages").mkdir(parents=True)
    (tmp_path / "build" / "pages" / "index.md").write_text("# Wingrid\n\n[There](index.md#not-there)\n")
    (tmp_path / CONFIG.name).write_text(
        '[project]\nsite_name = "Wingrid"\ndocs_dir = "build/pages"\nsite_dir = "build/site"\n'
    )
    done = built(tmp_path)
    assert done.returncode != 0
    assert "index.md" in done.stdout + done.stderr
