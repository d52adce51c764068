"""Files that jobs need: sent to each worker once, however many come and go, and found there by their content."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from wingrid.sim import cache


@dataclass(frozen=True)
class Parcel:
    """The content of files that belong together, by their names, which may lie in folders below."""

    contents: Mapping[str, bytes]

    @cached_property
    def name(self) -> str:
        """The same for the same files."""
        return cache.key(*(part for name, content in sorted(self.contents.items()) for part in (name, content)))

    def unpack(self) -> None:
        """Put the files where ``delivered`` finds them, unless they are there."""
        for name, content in self.contents.items():

            def written(folder: Path, content: bytes = content) -> Path:
                (folder / "result").write_bytes(content)
                return folder / "result"

            cache.cached(f"parcels/{self.name}/{name}", written)


def delivered(name: str) -> Path:
    """The folder with the files of the parcel of that name."""
    return cache.cache_directory() / "parcels" / name
