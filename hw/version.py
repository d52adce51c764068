"""Which Wingrid this is."""

from __future__ import annotations

import functools


@functools.cache
def version() -> str:
    """The installed version of the project, or ``unreleased`` when it runs from a bare source tree."""
    # Imported here: it brings a parser of e-mail, which only those who tell a version wait for.
    import importlib.metadata

    try:
        return importlib.metadata.version("wingrid")
    except importlib.metadata.PackageNotFoundError:
        return "unreleased"
