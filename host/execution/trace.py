"""What each engine did when, as a Chrome trace: ``ui.perfetto.dev`` and ``chrome://tracing`` open it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from wingrid.host.compiler.compile_layer import CompiledLayer
from wingrid.host.files import write_whole
from wingrid.hw.events import Event
from wingrid.hw.isa import Buffer, Execute, Instruction, Load, Store
from wingrid.sim.memory import MemoryTiming
from wingrid.sim.timing.events import numbered
from wingrid.sim.timing.model import TRANSFER_KINDS, simulate

TRACKS = {
    "load": (Event.LOAD_STARTED, Event.LOAD_ENDED),
    "weights": (Event.WEIGHTS_STARTED, Event.WEIGHTS_ENDED),
    "patches": (Event.PATCHES_STARTED, Event.PATCHES_ENDED),
    "vectors": (Event.VECTORS_STARTED, Event.VECTORS_ENDED),
    "store": (Event.STORE_STARTED, Event.STORE_ENDED),
}
"""For each engine, the events between which it works on an instruction."""

BUS = "memory bus"


def write_trace(path: Path, compiled: CompiledLayer, timing: MemoryTiming, events: NDArray[Any]) -> None:
    """Write the trace of a layer's run on the RTL; raises ``UserError`` if that fails.

    ``events`` are the RTL's. Who has the bus when, which its counters don't tell, is the timing model's.
    """
    code = compiled.program
    model = simulate(compiled.config, code, timing, program_address=compiled.memory.program, events=True)
    text = chrome_trace(compiled.layer.name, compiled.instructions, numbered(code, events), model.transfers)
    write_whole(path, text.encode())


def chrome_trace(
    name: str, program: Sequence[Instruction], events: NDArray[Any], transfers: NDArray[Any] | None = None
) -> str:
    """The trace as JSON: a track for each engine, and one for the bus if ``transfers`` are given.

    ``events`` are records of ``EVENT``, ``transfers`` of ``TRANSFER`` (wingrid.sim.timing). A
    microsecond of the trace is a cycle. A LOAD's slice begins when the one before has ended, as their bursts
    follow each other; when it was started stands in its arguments.
    """
    tracks = [*TRACKS, BUS]
    entries = [_name("process_name", 0, name)]
    entries += [_name("thread_name", number, track) for number, track in enumerate(tracks)]
    for number, (began, ended) in enumerate(TRACKS.values()):
        entries += engine_slices(number, program, events, began, ended)
    if transfers is not None:
        entries += [_burst(tracks.index(BUS), transfer) for transfer in transfers]
    return json.dumps({"traceEvents": entries, "otherData": {"unit": "a microsecond is a cycle"}}) + "\n"


def engine_slices(
    track: int, program: Sequence[Instruction], events: NDArray[Any], began: Event, ended: Event
) -> Iterator[dict[str, Any]]:
    """An engine's work between two kinds of events, an entry of the trace for each instruction."""
    starts = events[events["event"] == began]
    ends = events[events["event"] == ended]
    free = 0
    # An instruction under way when recording stopped has no end, and no slice.
    for start, end in zip(starts, ends, strict=False):
        index, cycle, last = int(start["instruction"]), int(start["cycle"]), int(end["cycle"])
        first = max(cycle, free)
        arguments = {"instruction": index, "started": cycle, **_about(program[index])}
        yield _slice(track, _title(program[index], index), first, last - first, arguments)
        free = last


def _burst(track: int, transfer: Any) -> dict[str, Any]:  # noqa: ANN401 (a record)
    first, last = int(transfer["first"]), int(transfer["last"])
    arguments = {"address": f"{int(transfer['address']):#010x}", "beats": int(transfer["beats"])}
    return _slice(track, TRANSFER_KINDS[transfer["kind"]], first, last + 1 - first, arguments)


def _slice(track: int, name: str, first: int, cycles: int, arguments: dict[str, Any]) -> dict[str, Any]:
    return {"ph": "X", "pid": 0, "tid": track, "name": name, "ts": first, "dur": cycles, "args": arguments}


def _name(kind: str, track: int, name: str) -> dict[str, Any]:
    return {"ph": "M", "pid": 0, "tid": track, "name": kind, "args": {"name": name}}


def _title(instruction: Instruction, index: int) -> str:
    what = f" {Buffer(instruction.buffer).name.lower()}" if isinstance(instruction, Load) else ""
    return f"{instruction.opcode.name} {index}{what}"


def _about(instruction: Instruction) -> dict[str, int]:
    """The fields that say how much work it is."""
    names: tuple[str, ...] = ()
    if isinstance(instruction, Load):
        names = ("runs", "run_beats")
    elif isinstance(instruction, Execute):
        names = ("tile", "count", "blocks", "kernel_height", "kernel_width", "bank")
    elif isinstance(instruction, Store):
        names = ("tile", "count", "pool", "bank")
    return {name: getattr(instruction, name) for name in names}
