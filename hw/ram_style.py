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

    @property
    def without_bypass(self) -> dict[str, str | int]:
        """The same for a memory that may answer anything where an entry is read as it is written.

        Else Yosys puts registers and a multiplexer beside block memory, so that the old value is read.
        """
        return {**self.attributes, "no_rw_check": 1}
