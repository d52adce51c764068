"""When each engine starts and ends each instruction, as the accelerator shows it to the outside."""

from __future__ import annotations

import enum

EVENT_LATENCY = 1
"""Cycles from an event to its bit of the ``events`` port, which comes from registers."""


class Event(enum.IntEnum):
    """Bits of the ``events`` port; each is high for one cycle, ``EVENT_LATENCY`` after it happened to an instruction.

    An engine takes its instructions in order, so the n-th pulse of a bit belongs to the n-th instruction that has
    the event: every instruction is dispatched, every LOAD has the LOAD events, and so on.
    """

    DISPATCHED = 0
    LOAD_STARTED = 1
    LOAD_ENDED = 2
    """The last beat of a LOAD is in the buffer."""
    WEIGHTS_STARTED = 3
    WEIGHTS_ENDED = 4
    """The last row of an EXECUTE's weights is read."""
    PATCHES_STARTED = 5
    """Only Winograd EXECUTEs have this event and the next."""
    PATCHES_ENDED = 6
    """The last pixel of a Winograd EXECUTE is read."""
    VECTORS_STARTED = 7
    VECTORS_ENDED = 8
    """The last vector of an EXECUTE is read: from the input buffer, or transformed from the transform buffer."""
    SUMS_READY = 9
    """The last sum of an EXECUTE that signals ``Semaphore.SUMS_READY`` is in its accumulator."""
    STORE_STARTED = 10
    STORE_DRAINED = 11
    """The last accumulator of a STORE is read."""
    STORE_ENDED = 12
    """The last result of a STORE is in the output buffer."""
