"""Rough costs of plans, by closed formulas: good enough to choose between them, and fast."""

from __future__ import annotations

import math
from dataclasses import dataclass

from host.plan import Plan
from hw.config import INSTRUCTION_BYTES
from hw.isa import PARAMETER_BYTES

MEMORY_LATENCY = 40
"""Cycles from a read's address to its data that estimates assume. Plans don't depend on the memory in use."""

STORE_OVERHEAD = PARAMETER_BYTES + 8
"""Cycles that a STORE takes beyond one per vector, about."""

CYCLES_PER_BEAT = 1 / 16
"""What a beat of traffic may cost in cycles: it spares the memory's energy, and other masters' time."""


@dataclass(frozen=True)
class Estimate:
    """Cycles with a memory that moves a beat per cycle, and beats moved."""

    cycles: float
    beats: int

    @property
    def cost(self) -> float:
        return self.cycles + self.beats * CYCLES_PER_BEAT


def estimate(plan: Plan) -> Estimate | None:
    """What a plan costs, about, or ``None`` if it does not fit the buffers."""
    blocking, config = plan.blocking, plan.config
    shape = blocking.walk
    all_tiles = shape.images * plan.strips * plan.tiles
    vectors = max(shape.images * shape.out_height * shape.out_width, all_tiles * config.rows)

    taps = weights = inputs = parameters = executes = loads = exposed = opening_load = 0
    held: tuple[int, int] | None = None
    for blocks in plan.output_passes():
        windows = plan.windows(blocks)
        if windows is None:
            return None
        count = blocks[1] - blocks[0]
        boxes = [blocking.tap_box(block) for block in range(*blocks)]
        taps += sum(box.taps for box in boxes)
        pass_tiles = sum(map(blocking.weight_tiles, boxes))
        pieces = math.ceil(pass_tiles * config.rows / max(config.weight_buffer // 4, plan.smallest_piece))
        pieces = max(pieces, count * len(windows))
        repeats = 1 if pass_tiles * config.rows <= config.weight_buffer else all_tiles
        weights += pass_tiles * config.rows * repeats
        executes += pieces * all_tiles
        loads += pieces * repeats
        parameters += count * PARAMETER_BYTES * (1 if count <= config.parameter_blocks else all_tiles)

        whole = windows[0]
        first_piece = plan.pieces(whole, opening=True)[0]
        first_load = plan.window_entries(first_piece) + blocking.weight_tiles(first_piece) * config.rows
        opening_load = opening_load or first_load
        if len(windows) == 1:
            entries = plan.image_entries(whole)
            resident = entries <= config.input_buffer and held == whole.blocks
            held = whole.blocks
            inputs += 0 if resident else entries
            loads += all_tiles * (1 if plan.strips == 1 else whole.block_count)
            if not plan.overlaps(whole):
                opening = len(plan.pieces(whole, opening=True))
                exposed += (all_tiles - 1) * (plan.new_entries(whole) // opening + MEMORY_LATENCY)
        else:
            batches = math.ceil(count / plan.batch)
            held = None
            entries = sum(plan.window_entries(box) for box in windows)
            inputs += entries * batches * all_tiles
            loads += len(windows) * batches * all_tiles
            if not plan.overlapped:
                exposed += batches * all_tiles * (entries + len(windows) * MEMORY_LATENCY)

    results = blocking.output_blocks * math.ceil(blocking.shape.output_bytes / blocking.shape.kernels)
    stores = blocking.output_blocks * all_tiles
    instructions = (executes + loads + stores) * max(1, INSTRUCTION_BYTES // config.bus_bytes)
    beats = weights + inputs + parameters + results + instructions
    start = opening_load + 3 * MEMORY_LATENCY
    execute = taps * vectors
    sums = plan.largest * blocking.positions
    # Patches are transformed before the first of them reaches the mesh.
    start += sums if blocking.tile else 0
    store = blocking.output_blocks * vectors * blocking.positions + stores * STORE_OVERHEAD
    cycles = max(execute + exposed, beats, store) + start + sums * plan.batch
    return Estimate(cycles, beats)
