"""How much memory the golden model works in at a time."""

from __future__ import annotations

WORKSPACE_BYTES = 1 << 25
"""Size that an intermediate array is kept to, wherever a single row or channel of it allows."""


def share(items: int, elements_each: int, element_bytes: int = 8) -> int:
    """How many of ``items`` to take at once so that their elements keep to the workspace; at least one."""
    return min(items, max(1, WORKSPACE_BYTES // (element_bytes * elements_each)))
