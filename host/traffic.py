"""What a program moves over the bus, read off its instructions.

Which bytes cross the bus is settled when a layer is compiled: the sums here equal the hardware's byte counters.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from hw.config import INSTRUCTION_BYTES, AcceleratorConfig
from hw.isa import Buffer, Instruction, Load, Store

CLASS_OF_BUFFER = {Buffer.INPUTS: "activations", Buffer.WEIGHTS: "weights", Buffer.PARAMETERS: "parameters"}
"""The class of traffic that a LOAD into each buffer counts as (see ``docs/counters.md``)."""


def program_bytes(instructions: Iterable[Instruction], config: AcceleratorConfig) -> dict[str, int]:
    """Bytes per class of traffic, in the order of the hardware's counters; whole beats, padding lanes included."""
    moved = dict.fromkeys(("instructions", "weights", "activations", "parameters", "results"), 0)
    for instruction in instructions:
        moved["instructions"] += INSTRUCTION_BYTES
        if isinstance(instruction, Load):
            beats = instruction.runs * instruction.run_beats
            moved[CLASS_OF_BUFFER[Buffer(instruction.buffer)]] += beats * config.bus_bytes
        elif isinstance(instruction, Store):
            moved["results"] += stored_pixels(instruction) * config.bus_bytes
    return moved


def stored_pixels(store: Store) -> int:
    """Pixels of a channel block that a STORE writes: of tiles, those within its row's width and its lines."""
    if not store.tile:
        return store.count
    size = store.tile // 2 if store.pool else store.tile
    rows, columns = np.divmod(store.first // size + np.arange(store.count), -(-store.width // size))
    wide, high = (
        np.clip(limit - size * positions, 0, size) for limit, positions in ((store.width, columns), (store.lines, rows))
    )
    return int((wide * high).sum())
