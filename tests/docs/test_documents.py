"""What documents, docstrings and messages name is there: files, folders, links, modules and what is in them."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("examples/*.md"), ROOT / "NOTICE"])
CHANGES = ROOT / "CHANGELOG.md"
"""Tells of files as they were called at the time."""

FOLDERS = sorted(path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith((".", "build")))
PATH = re.compile(rf"(?<![\w./-])(?:{'|'.join(FOLDERS)})/[\w*./-]*[\w*/]")
SOURCE_NAME = re.compile(r"`([\w.]+\.(?:py|hpp|cpp))`")
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
SOURCE_PATH = re.compile(r"(?<![\w./-])(?:hw|sim|host|tests|docs)/[\w/]+\.(?:py|hpp|cpp|md|toml)\b")
QUALIFIED = re.compile(r"``((?:wingrid\.)?(?:hw|sim|host)(?:\.\w+)+)``")
IMPORT = re.compile(r"^\s*(?:>>> )?from (wingrid[\w.]*) import ([\w, ]+)$", re.M)


def named(document: Path) -> set[str]:
    """Paths from the root that a document's text names."""
    return set(PATH.findall(document.read_text()))


@pytest.mark.parametrize("document", [path for path in DOCUMENTS if path != CHANGES], ids=lambda path: path.name)
def test_every_path_exists(document: Path) -> None:
    missing = {path for path in named(document) if not any(ROOT.glob(path))}
    missing |= {name for name in SOURCE_NAME.findall(document.read_text()) if not any(_sources(name))}
    assert not missing


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_to_a_file(document: Path) -> None:
    assert not {target for target in LINK.findall(document.read_text()) if not (document.parent / target).exists()}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_imported_name_is_there(document: Path) -> None:
    for module, names in IMPORT.findall(document.read_text()):
        for name in names.replace(" ", "").split(","):
            assert hasattr(importlib.import_module(module), name), f"{module} has no {name}"


def test_the_documents_name_many_files() -> None:
    """Otherwise the pattern found none, and the tests above say nothing."""
    assert len(set().union(*map(named, DOCUMENTS))) > 40


@pytest.mark.parametrize("floor", ["hw", "sim", "host"])
def test_docstrings_and_messages_name_what_is_there(floor: str) -> None:
    sources = sorted(path for path in (ROOT / floor).rglob("*") if path.suffix in (".py", ".hpp", ".cpp"))
    assert len(sources) > 20
    missing = []
    for source in sources:
        text = source.read_text()
        missing += [f"{source.name}: {path}" for path in SOURCE_PATH.findall(text) if not (ROOT / path).exists()]
        missing += [f"{source.name}: {name}" for name in QUALIFIED.findall(text) if not _is_there(name)]
    assert missing == []


def _is_there(name: str) -> bool:
    """Whether a dotted name is a module of the package, or something in one."""
    module, rest = name, ""
    while module:
        try:
            found = importlib.import_module(module)
        except ImportError:
            module, _, last = module.rpartition(".")
            rest = f"{last}.{rest}".rstrip(".")
            continue
        for part in filter(None, rest.split(".")):
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


def _sources(name: str) -> list[Path]:
    return [path for folder in ("hw", "sim", "host", "tests") for path in (ROOT / folder).rglob(name)]
