"""A fingerprint of this very Wingrid: results are exact only where all who work at them have the same."""

from __future__ import annotations

import functools
from importlib import resources
from importlib.resources.abc import Traversable

from wingrid.sim.cache import key


@functools.cache
def program() -> str:
    """Of all sources."""
    package = resources.files("wingrid")
    return key(*(part for part in _sources(package, "")))


def _sources(folder: Traversable, path: str) -> list[bytes]:
    found: list[bytes] = []
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        name = f"{path}/{entry.name}"
        if entry.is_dir() and entry.name != "__pycache__":
            found += _sources(entry, name)
        elif entry.name.endswith((".py", ".hpp", ".cpp", ".toml", ".json")):
            found += [name.encode(), entry.read_bytes()]
    return found
