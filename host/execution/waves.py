"""Waveforms of a simulation: whole, or not there."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wingrid.host.errors import UserError
from wingrid.host.execution.driver import MachineFault
from wingrid.host.files import staged
from wingrid.sim.rtl.simulator import SimulationError

_GEOMETRY, _HIERARCHY = {3}, {4, 6, 7}
"""Types of blocks of an FST file that come last: signals' sizes, and their names, compressed in one of three ways."""


@contextmanager
def waveforms(path: Path | None) -> Iterator[Path | None]:
    """Where a simulation may write them; when the block ends they are at ``path``, if that is wanted.

    So they are when the accelerator stops with a fault, which is what people look for in them. Raises ``UserError``
    if they cannot be written.
    """
    if path is None:
        yield None
        return
    fault: Exception | None = None
    with staged(path) as file:
        try:
            yield file
        except (MachineFault, SimulationError) as error:
            fault = error
        if file.exists() and not is_whole(file):
            raise UserError(f"cannot write {path}: there was no room for all of the waveforms")
    if fault is not None:
        raise fault


def is_whole(file: Path) -> bool:
    """Whether an FST file holds all its blocks: its writer does not tell when it cannot write."""
    found, size = set(), file.stat().st_size
    with open(file, "rb") as content:
        place = 0
        while place < size:
            content.seek(place)
            head = content.read(9)
            if len(head) < 9:
                return False
            kind, length = struct.unpack(">BQ", head)
            found.add(kind)
            place += 1 + length
    return place == size and bool(found & _GEOMETRY) and bool(found & _HIERARCHY)
