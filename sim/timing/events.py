"""When each engine starts and ends each instruction, in the model and on the RTL, and where the two part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wingrid.hw.config import INSTRUCTION_BYTES
from wingrid.hw.encoding import record
from wingrid.hw.events import Event
from wingrid.hw.isa import Execute, Opcode, Semaphore

EVENT = np.dtype([("cycle", "<i8"), ("event", "<u4"), ("instruction", "<u4")])
"""In cycle ``cycle`` (0 is that of the start) ``event``, a ``wingrid.hw.events.Event``, happens to an instruction."""


def numbered(program: bytes, events: NDArray[Any]) -> NDArray[Any]:
    """Records of ``EVENT`` from the RTL's records of ``ENGINE_EVENT``, in the order of cycles, then events.

    Raises ``ValueError`` if something happened more often than the program has instructions for it.
    """
    owners = _owners(program)
    result = np.empty(len(events), EVENT)
    result["cycle"], result["event"] = events["cycle"], events["event"]
    for event in Event:
        places = np.flatnonzero(events["event"] == event)
        if len(places) > len(owners[event]):
            raise ValueError(f"{event.name} happened {len(places)} times to {len(owners[event])} instructions")
        result["instruction"][places] = owners[event][: len(places)]
    return result[np.lexsort((result["instruction"], result["event"], result["cycle"]))]


def _owners(program: bytes) -> dict[Event, NDArray[Any]]:
    """The instructions, by index, that an event happens to, in order."""
    # Opcode and signal stand in the same place in all instructions; tile and format are looked at in EXECUTEs alone.
    words = np.frombuffer(program, record(Execute))
    loads, executes, stores = (words["opcode"] == opcode for opcode in (Opcode.LOAD, Opcode.EXECUTE, Opcode.STORE))
    winograd = executes & (words["tile"] != 0)
    dense = executes & (words["sparse"] == 0)
    summing = executes & (words["signal"] >> Semaphore.SUMS_READY & 1 != 0)
    kinds = {
        Event.DISPATCHED: np.ones(len(words), bool),
        **dict.fromkeys((Event.LOAD_STARTED, Event.LOAD_ENDED), loads),
        **dict.fromkeys((Event.WEIGHTS_STARTED, Event.WEIGHTS_ENDED), dense),
        **dict.fromkeys((Event.PATCHES_STARTED, Event.PATCHES_ENDED), winograd),
        **dict.fromkeys((Event.VECTORS_STARTED, Event.VECTORS_ENDED), executes),
        Event.SUMS_READY: summing,
        **dict.fromkeys((Event.STORE_STARTED, Event.STORE_DRAINED, Event.STORE_ENDED), stores),
    }
    return {event: np.flatnonzero(chosen) for event, chosen in kinds.items()}


@dataclass(frozen=True)
class Divergence:
    """An event in different cycles of model and RTL; a cycle is ``None`` where the event does not happen."""

    instruction: int
    opcode: Opcode
    event: Event
    model: int | None
    rtl: int | None

    def __str__(self) -> str:
        model, rtl = ("never" if cycle is None else f"in cycle {cycle}" for cycle in (self.model, self.rtl))
        what = f"instruction {self.instruction} ({self.opcode.name}): {self.event.name}"
        return f"{what} {model} in the model, {rtl} on the RTL"


def first_divergence(program: bytes, model: NDArray[Any], rtl: NDArray[Any]) -> Divergence | None:
    """The earliest event, by the sooner of its two cycles, that model and RTL (records of ``EVENT``) disagree on."""
    tables = [
        {(int(row["instruction"]), int(row["event"])): int(row["cycle"]) for row in events} for events in (model, rtl)
    ]
    if tables[0] == tables[1]:
        return None
    different = [key for key in {**tables[0], **tables[1]} if tables[0].get(key) != tables[1].get(key)]
    cycles = {key: tuple(table.get(key) for table in tables) for key in different}
    first = min(different, key=lambda key: (min(cycle for cycle in cycles[key] if cycle is not None), key))
    opcode = Opcode(program[first[0] * INSTRUCTION_BYTES])
    return Divergence(first[0], opcode, Event(first[1]), *cycles[first])
