"""C structures of 32-bit fields, defined once: as numpy records, and as text for C."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from functools import cached_property

import numpy as np

C_TYPES = {"uint32_t": "<u4", "int32_t": "<i4", "float": "<f4"}
"""The types that a field may have, in C and in numpy; little-endian."""


@dataclass(frozen=True)
class Member:
    """A field of a structure."""

    name: str
    meaning: str
    type: str = "uint32_t"


@dataclass(frozen=True)
class Structure:
    """Fields without gaps between them, in memory as in a file."""

    name: str
    about: str
    members: tuple[Member, ...]

    @cached_property
    def dtype(self) -> np.dtype:
        """The same as a numpy record."""
        return np.dtype([(member.name, C_TYPES[member.type]) for member in self.members])

    def to_c(self) -> str:
        """The structure's definition in C99, with a comment on each member."""
        lines = [f"/* {self.about} */", f"struct {self.name} {{"]
        for member in self.members:
            lines += textwrap.wrap(f"/* {member.meaning} */", 115, initial_indent="    ", subsequent_indent="     * ")
            lines.append(f"    {member.type} {member.name};")
        return "\n".join([*lines, "};", ""])
