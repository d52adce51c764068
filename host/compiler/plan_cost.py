"""Rough costs of plans, by closed formulas: good enough to choose between them, and fast."""

from __future__ import annotations

import math
from dataclasses import dataclass

from wingrid.host.compiler.blocking import Blocking, PassKind
from wingrid.host.compiler.plan import Plan
from wingrid.hw.config import INSTRUCTION_BYTES, AcceleratorConfig
from wingrid.hw.isa import PARAMETER_BYTES
from wingrid.hw.winograd_matrices import KERNEL
from wingrid.sim.timing.parameters import output_latency

MEMORY_LATENCY = 40
"""Cycles from a read's address to its data that costs assume. Plans don't depend on the memory in use."""

CYCLES_PER_BEAT = 1 / 16
"""Cost of a beat of traffic, in cycles. Fewer beats save memory energy and leave the bus to other masters."""

CYCLES_PER_INSTRUCTION = 2
"""Cost of an instruction, in cycles. Fewer instructions save time of the host and of the timing model."""

STORE_CYCLES = 6
"""Cycles of a STORE besides its parameters, its accumulators and the output path, about: to start, to measure a segment
and hand it to the output buffer, for the accumulators' answer, and until the last result is in its place."""


@dataclass(frozen=True)
class PlanCost:
    """Cycles with a memory that moves a beat per cycle, beats moved, and instructions."""

    cycles: float
    beats: int
    instructions: int

    @property
    def cost(self) -> float:
        return self.cycles + self.beats * CYCLES_PER_BEAT + self.instructions * CYCLES_PER_INSTRUCTION


def least_cost(blocking: Blocking, config: AcceleratorConfig, groups: int) -> float:
    """A lower bound of the cost of all plans with ``groups`` groups, over all images and strips."""
    # Each group has an EXECUTE and a STORE for each output block, which have weights of their own.
    instructions = blocking.output_blocks * (2 * groups + 1)
    compulsory = blocking.entries(blocking.first_tile[-1]) + _result_beats(blocking)
    compulsory += instructions * max(1, INSTRUCTION_BYTES // config.bus_bytes)
    execute, store = _engines(blocking, config, groups, blocking.shape.images * math.prod(blocking.grid))
    start = 3 * MEMORY_LATENCY
    return (
        max(execute, store, compulsory) + start + compulsory * CYCLES_PER_BEAT + instructions * CYCLES_PER_INSTRUCTION
    )


def plan_cost(plan: Plan) -> PlanCost | None:
    """What a plan costs, about, or ``None`` if it does not fit the buffers."""
    blocking, config = plan.blocking, plan.config
    groups = blocking.walk.images * plan.strips * plan.groups
    beats = instructions = exposed = opening = 0
    for kind in blocking.pass_kinds(plan.passes):
        cost = _Pass.of(plan, kind, groups)
        if cost is None:
            return None
        # Which pixels are read, and whether they stay, depends on the input blocks alone.
        arrivals = kind.count - kind.repeated if cost.stays else kind.count
        beats += kind.count * cost.beats + arrivals * cost.pixels
        exposed += arrivals * cost.exposed
        instructions += kind.count * cost.instructions
        opening = opening or cost.opening
    if plan.regions > 1:
        beats -= _weights_kept(plan) * (plan.regions - 1)

    instructions += blocking.output_blocks * groups
    beats += _result_beats(blocking) + instructions * max(1, INSTRUCTION_BYTES // config.bus_bytes)
    execute, store = _engines(blocking, config, groups, plan.vectors)
    sums = plan.largest * blocking.positions
    start = opening + 3 * MEMORY_LATENCY + sums * plan.batch
    # Patches are transformed before the first of them reaches the mesh.
    start += sums if blocking.tile else 0
    return PlanCost(max(execute + exposed, beats, store) + start, beats, instructions)


@dataclass(frozen=True)
class _Pass:
    """What one pass over output blocks takes."""

    beats: int
    """Beats of weights and parameters."""
    pixels: int
    """Beats of pixels, unless the pass before left them in the buffer."""
    instructions: int
    """LOADs and EXECUTEs."""
    exposed: int
    """Cycles in which the mesh waits for these pixels."""
    opening: int
    """Beats before work can start."""
    stays: bool
    """Whether a region's pixels stay for the next pass."""

    @classmethod
    def of(cls, plan: Plan, kind: PassKind, groups: int) -> _Pass | None:
        blocking, config = plan.blocking, plan.config
        chunks = plan.chunks(kind.blocks)
        if chunks is None:
            return None
        count, weights = kind.blocks[1] - kind.blocks[0], blocking.entries(kind.weight_tiles)
        pieces = math.ceil(weights / max(config.weight_buffer // 3, plan.smallest_piece))
        pieces = max(pieces, count * len(chunks), kind.weight_tiles // KERNEL**2 if len(blocking.subkernels) > 1 else 0)
        repeats = plan.regions if weights <= config.weight_buffer else groups
        parameters = 1 if blocking.output_blocks <= config.parameter_blocks else repeats
        beats = weights * repeats + count * PARAMETER_BYTES * parameters
        instructions = pieces * (groups + repeats)

        whole = chunks[0]
        opening_pieces = plan.pieces(whole, opening=True)
        first_piece = opening_pieces[0]
        opening = plan.chunk_entries(first_piece) + blocking.weight_entries(first_piece)
        exposed, stays = 0, len(chunks) == 1 and plan.stays(whole)
        if len(chunks) == 1:
            again = not stays and plan.regions > 1
            pixels = plan.regions * plan.region_entries(whole) if again else plan.image_entries(whole)
            instructions += groups * (1 if plan.strips == 1 else whole.block_count)
            new = plan.new_entries(whole)
            if not plan.overlaps(whole):
                exposed = (groups - 1) * (new // len(opening_pieces) + MEMORY_LATENCY)
            elif stays and plan.region_entries(whole) + new > config.input_buffer:
                # The first group's rows can be replaced while the others of its region are worked on.
                others = groups // plan.regions - 1
                hidden = others * plan.largest * math.ceil(blocking.taps / blocking.output_blocks) * count
                exposed = (plan.regions - 1) * max(new // len(opening_pieces) + MEMORY_LATENCY - hidden, 0)
        else:
            repeats = math.ceil(count / plan.batch) * groups
            entries = sum(plan.chunk_entries(box) for box in chunks)
            pixels = entries * repeats
            instructions += len(chunks) * repeats
            if not plan.overlapped:
                exposed = repeats * (entries + len(chunks) * MEMORY_LATENCY)
        return cls(beats, pixels, instructions, exposed, opening, stays)


def _weights_kept(plan: Plan) -> int:
    """Entries of weights that are still on chip when a region ends, and serve the next one first."""
    blocking = plan.blocking
    largest = max(blocking.entries(kind.weight_tiles) for kind in blocking.pass_kinds(plan.passes))
    return min(plan.config.weight_buffer // largest * largest, blocking.entries(blocking.first_tile[-1]))


def _engines(blocking: Blocking, config: AcceleratorConfig, groups: int, vectors: int) -> tuple[int, int]:
    """Cycles that the mesh works, and that the store engine does, on a layer cut into ``groups`` groups."""
    execute = blocking.taps * max(vectors, groups * config.rows)
    if blocking.coded_entries:
        execute = max(execute, groups * blocking.first_tile[-1] * config.rows * config.decoder_columns)
    # Each gathered pooling window reads all of its accumulators.
    pool = blocking.gathered
    windows = blocking.shape.images * math.prod(blocking.output_size)
    drained = windows * pool.side**2 if pool else vectors * blocking.positions
    return execute, blocking.output_blocks * (drained + groups * store_cycles(config, blocking.tile))


def store_cycles(config: AcceleratorConfig, tile: int) -> int:
    """Cycles of a STORE besides draining: the next one starts when the last result of the one before has left."""
    return PARAMETER_BYTES + output_latency(config, tile) + max(tile**2, 1) + STORE_CYCLES


def _result_beats(blocking: Blocking) -> int:
    return blocking.output_blocks * blocking.shape.images * math.prod(blocking.output_size)
