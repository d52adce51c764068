"""What the accelerator lets be seen of its instructions from outside: when each engine starts and ends each one."""

from __future__ import annotations

import enum


class Event(enum.IntEnum):
    """Bits of the ``events`` port; each is high for one cycle when the event happens to an instruction.

    An engine takes its instructions in order, so the n-th pulse of a bit belongs to the n-th instruction that has
    the event: every instruction is dispatched, every LOAD has the LOAD events, and so on.
    """

    DISPATCHED = 0
    LOAD_STARTED = 1
    LOAD_ENDED = 2
    """Its last beat is in the buffer."""
    WEIGHTS_STARTED = 3
    WEIGHTS_ENDED = 4
    """The last row of an EXECUTE's weights is read."""
    PATCHES_STARTED = 5
    """Of Winograd EXECUTEs alone."""
    PATCHES_ENDED = 6
    """The last pixel is read."""
    VECTORS_STARTED = 7
    VECTORS_ENDED = 8
    """The last vector is read: from the input buffer, or transformed from the transform buffer."""
    SUMS_READY = 9
    """The last sum of an EXECUTE that signals ``Semaphore.SUMS_READY`` is in its accumulator."""
    STORE_STARTED = 10
    STORE_DRAINED = 11
    """The last accumulator is read."""
    STORE_ENDED = 12
    """The last result is in the output buffer."""
