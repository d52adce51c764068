"""Instructions in the order in which they could run one after the other, and what each depends on."""

from __future__ import annotations

from dataclasses import dataclass, field

from host.residency import NOBODY
from hw.isa import Instruction


@dataclass
class Schedule:
    """Grows by ``add``; ``host.synchronise`` turns the dependencies into semaphores."""

    instructions: list[Instruction] = field(default_factory=list)
    dependencies: list[tuple[int, ...]] = field(default_factory=list)

    @property
    def next(self) -> int:
        """Index that the next instruction will have."""
        return len(self.instructions)

    def add(self, instruction: Instruction, *after: int) -> int:
        """Append an instruction that must not start before those in ``after`` are done; returns its index.

        ``NOBODY`` among them is passed over.
        """
        self.instructions.append(instruction)
        self.dependencies.append(tuple(index for index in after if index != NOBODY) if NOBODY in after else after)
        return len(self.instructions) - 1
