"""What a program moves over the bus, read off its instructions.

Which bytes cross the bus is settled when a layer is compiled: the sums here equal the hardware's byte counters.
"""

from __future__ import annotations

import math

import numpy as np

from wingrid.host.networks.layer import Layer
from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.encoding import instruction_fields
from wingrid.hw.isa import Load, Store
from wingrid.sim.traffic_classes import CLASS_OF_BUFFER


def lower_bound_bytes(layer: Layer, on_chip_bytes: int) -> int:
    """Least DRAM traffic of a layer, by Chen et al. (HPCA 2020): any order of work, S bytes on chip.

    The larger of compulsory traffic (everything once) and 2 * MACs / sqrt(R * S) plus the outputs, where R is how
    often neighbouring windows reuse an input: taps over strides, 9 for a 3x3 convolution. Of a layer that
    pools, the pooled outputs count, and of one that combines them with another tensor, that does.
    """
    shape = layer.shape
    reuse = max(1.0, shape.kernel[0] * shape.kernel[1] / (shape.stride[0] * shape.stride[1]))
    beside = layer.output_bytes + (math.prod(layer.addend_shape) if layer.combination else 0)
    compulsory = shape.input_bytes + shape.weight_bytes + beside
    return max(compulsory, math.ceil(2 * shape.macs / math.sqrt(reuse * on_chip_bytes)) + beside)


def program_bytes(program: bytes, config: AcceleratorConfig) -> dict[str, int]:
    """Bytes per class of traffic, in the order of the hardware's counters; whole beats, padding lanes included."""
    moved = dict.fromkeys(("instructions", "weights", "activations", "parameters", "results"), 0)
    moved["instructions"] = len(program)
    loads = instruction_fields(program, Load, "buffer", "runs", "run_beats")
    beats = loads["runs"] * loads["run_beats"]
    for buffer, name in CLASS_OF_BUFFER.items():
        moved[name] += int(beats[loads["buffer"] == buffer].sum()) * config.bus_bytes
    stores = instruction_fields(program, Store, "tile", "pool", "count", "first", "width", "lines")
    # Most are like many others.
    kinds, counts = np.unique(np.stack(list(stores.values()), axis=1), axis=0, return_counts=True)
    for kind, count in zip(kinds.tolist(), counts.tolist(), strict=True):
        moved["results"] += count * stored_pixels(Store(**dict(zip(stores, kind, strict=True)))) * config.bus_bytes
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
