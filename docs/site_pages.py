"""Writes the pages of the site: those of ``docs``, those that lie elsewhere, and the reference, which is generated.

    python docs/site_pages.py build/pages

``make docs`` builds the site of them, by ``zensical.toml``. All documents are written to be read as they lie in the
tree, so their links lead from file to file; in the pages they lead to where the file is on the site.
"""

from __future__ import annotations

import argparse
import inspect
import os
import pkgutil
import re
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from typer.main import get_command

import wingrid
from wingrid import hw
from wingrid.host.commands.app import app

if TYPE_CHECKING:
    from typer.core import TyperGroup

ROOT = Path(__file__).resolve().parents[1]

ELSEWHERE = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "examples/README.md": "examples/index.md",
}
"""Documents outside of ``docs``: where they are in the tree, and where on the site."""

LINK = re.compile(r"\]\(([^)#:]+)((?:#[^)]*)?)\)")


def documents() -> Iterator[Path]:
    """All that are pages of the site."""
    yield from sorted((ROOT / "docs").glob("*.md"))
    yield from (ROOT / inside for inside in ELSEWHERE)


def place(file: Path) -> PurePosixPath:
    """Where a file of the tree is on the site; of a folder, what tells about it."""
    inside = (file / "README.md" if file.is_dir() else file).relative_to(ROOT).as_posix()
    return PurePosixPath(ELSEWHERE.get(inside) or inside.removeprefix("docs/"))


def targets(document: Path) -> Iterator[Path]:
    """The files and folders of the tree to which a document leads."""
    for target, _ in LINK.findall(document.read_text()):
        yield (document.parent / target).resolve()


def page(document: Path) -> str:
    """The document with its links as they are on the site."""

    def turned(link: re.Match[str]) -> str:
        target = place((document.parent / link[1]).resolve())
        return f"]({os.path.relpath(target, place(document).parent)}{link[2]})"

    return LINK.sub(turned, document.read_text())


def command_line() -> str:
    """Every command with its arguments and options, as ``--help`` tells them."""
    group: TyperGroup = get_command(app)  # type: ignore[assignment] # there are several commands
    context = group.make_context("wingrid", [], resilient_parsing=True)
    parts = ["# Command line\n", f"{group.help}\n"]
    for name in group.list_commands(context):
        command = group.commands[name]
        inner = command.context_class(command, parent=context, info_name=name)
        parts += [f"## wingrid {name}\n", f"    {command.get_usage(inner).removeprefix('Usage: ')}\n"]
        parts += [inspect.cleandoc(command.help or "") + "\n", "| Argument or option | |", "| --- | --- |"]
        records = filter(None, (parameter.get_help_record(inner) for parameter in command.get_params(inner)))
        parts += [f"| `{cell(what)}` | {cell(says)} |" for what, says in records]
        parts.append("")
    return "\n".join(parts)


def cell(text: str) -> str:
    """A text within a table."""
    return " ".join(text.replace("|", "\\|").replace("*", "\\*").split())


def python() -> str:
    """Every public name, by its docstring."""
    names = "\n\n".join(f"::: wingrid.{name}" for name in wingrid.__all__)
    return f"# Python\n\n{inspect.cleandoc(wingrid.__doc__ or '')}\n\n{names}\n"


def hardware() -> str:
    """Every module of the accelerator, by the docstrings in it."""
    modules = [module.name for module in pkgutil.walk_packages(hw.__path__, f"{hw.__name__}.") if not module.ispkg]
    options = "    options:\n      show_root_heading: false\n      show_root_toc_entry: false\n"
    sections = [f"## {name.removeprefix('wingrid.')}\n\n::: {name}\n{options}" for name in modules]
    return "# Hardware\n\n" + "\n".join(sections)


GENERATED = {
    "reference/command-line.md": command_line,
    "reference/python.md": python,
    "reference/hardware.md": hardware,
}


def write(folder: Path) -> None:
    """All pages, and the files to which they lead, into a folder that is made anew."""
    shutil.rmtree(folder, ignore_errors=True)
    for document in documents():
        _write(folder / place(document), page(document))
        for target in targets(document):
            if target.is_file() and target.suffix != ".md":
                copy = folder / place(target)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(target, copy)
    for name, make in GENERATED.items():
        _write(folder / name, make())


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    write(parser.parse_args().folder)
