"""Options that may name an input of the model: ``--input [NAME=]FILE``, ``--shape [NAME=]1,3,H,W`` and their like."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from wingrid.host.errors import UserError

Read = TypeVar("Read")


def named_files(texts: Sequence[str] | None, option: str = "--input") -> dict[str, str]:
    """Files by the name of the input that they are for, which is empty where the option has none.

    Raises ``UserError`` for two of the same input.
    """
    return _named(texts, option, _file)


def named_shapes(texts: Sequence[str] | None) -> dict[str, tuple[int, ...]]:
    """Shapes by the name of the input; raises ``UserError`` as above, and for what is no shape."""
    return _named(texts, "--shape", _shape)


def only_file(files: Mapping[str, str]) -> str | None:
    """The one file, for a network with one input that has no name. Raises ``UserError`` for others."""
    if list(files) not in ([], [""]):
        raise UserError("--input takes one file without a name: the network is built in, and has one input")
    return files.get("")


def _named(texts: Sequence[str] | None, option: str, read: Callable[[str], tuple[str, Read]]) -> dict[str, Read]:
    found: dict[str, Read] = {}
    for text in texts or ():
        name, value = read(text)
        if name in found:
            raise UserError(f"{option} is given twice for {name or 'the same input'}")
        found[name] = value
    return found


def _file(text: str) -> tuple[str, str]:
    """A name that a file has may hold an equals sign too."""
    name, equals, file = text.partition("=")
    return (name, file) if equals and not os.path.exists(text) else ("", text)


def _shape(text: str) -> tuple[str, tuple[int, ...]]:
    name, _, sizes = text.rpartition("=")
    try:
        shape = tuple(int(size) for size in sizes.split(","))
    except ValueError:
        shape = ()
    if not shape or min(shape) < 1:
        raise UserError(f"--shape {text}: {sizes} is no list of sizes above 0, such as 1,3,224,224")
    return name, shape
