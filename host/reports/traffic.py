"""What a program moves over the bus, read off its instructions.

Which bytes cross the bus is settled when a layer is compiled: the sums here equal the hardware's byte counters.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from wingrid.host.networks.layer import Layer
from wingrid.hw.config import INSTRUCTION_BYTES, AcceleratorConfig
from wingrid.hw.isa import Buffer, Instruction, Load, Store


def lower_bound_bytes(layer: Layer, on_chip_bytes: int) -> int:
    """Least DRAM traffic of a layer, by Chen et al. (HPCA 2020): any order of work, S bytes on chip.

    The larger of compulsory traffic (everything once) and 2 * MACs / sqrt(R * S) plus the outputs, where R is how
    often neighbouring windows reuse an input: taps over strides, 9 for a 3x3 convolution. Of a layer that
    pools, the pooled outputs count.
    """
    shape = layer.shape
    reuse = max(1.0, shape.kernel[0] * shape.kernel[1] / (shape.stride[0] * shape.stride[1]))
    compulsory = shape.input_bytes + shape.weight_bytes + layer.output_bytes
    return max(compulsory, math.ceil(2 * shape.macs / math.sqrt(reuse * on_chip_bytes)) + layer.output_bytes)


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
