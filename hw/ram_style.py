"""Which kind of memory an array is to become, so that tools do not guess."""

from __future__ import annotations

import enum


class RamStyle(enum.Enum):
    """What synthesis is told about a memory.

    A queue is read in the cycle in which it is asked, which block memory cannot do; buffers are read a cycle later.
    """

    DISTRIBUTED = "distributed"
    BLOCK = "block"

    @property
    def attributes(self) -> dict[str, str]:
        """The attribute of that name of Vivado and Yosys."""
        return {"ram_style": self.value}
