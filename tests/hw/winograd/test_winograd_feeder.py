"""The Winograd feeder: patches out of the input buffer, transformed, to the mesh in the order of positions."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pytest
from amaranth.sim import SimulatorContext
from simulation import Pins, pack, simulate

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.control.counters import Stall
from wingrid.hw.encoding import encode
from wingrid.hw.isa import Execute, Semaphore, mask
from wingrid.hw.layouts import layout_of
from wingrid.hw.load.operand_buffers import OperandBuffers
from wingrid.hw.mesh.accumulators import accumulator_tag
from wingrid.hw.mesh.matrix_unit import PAYLOAD_LATENCY, vectors_layout
from wingrid.hw.winograd.transform_buffer import TransformBuffer
from wingrid.hw.winograd.winograd_feeder import WinogradFeeder
from wingrid.hw.winograd_matrices import winograd
from wingrid.sim.golden.winograd import transform_inputs

CONFIG = AcceleratorConfig(rows=2, cols=2, winograd=4, input_buffer=1024, accumulators=1024, queue_depth=2)
SOURCES = (Semaphore.INPUTS_LOADED, Semaphore.BANK_RELEASED)

VECTOR = vectors_layout(CONFIG, accumulator_tag(CONFIG))


def patches_of(i: Execute, buffer: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """[blocks, count, rows, n, n] by the definition in ``docs/isa.md``."""
    n = winograd(i.tile).patch
    patches = np.full((i.blocks, i.count, CONFIG.rows, n, n), i.zero_point, np.int64)
    u, j = i.first, 0
    for p in range(i.count):
        for b, ky, kx in np.ndindex(i.blocks, n, n):
            row, column = i.top + j * i.stride_y + ky, i.left + u + kx
            if 0 <= row < i.image_height and 0 <= column < i.image_width:
                entry = i.input_base + j * i.row_pitch + u + b * i.block_pitch + ky * i.tap_row_pitch + kx
                patches[b, p, :, ky, kx] = buffer[entry % CONFIG.input_buffer]
        u, j = (0, j + 1) if u == i.last else (u + i.stride_x, j)
    return patches


def vectors_of(i: Execute, buffer: npt.NDArray[np.int64]) -> list[int]:
    """What must leave, each as one number in the form of ``VECTOR``."""
    n = winograd(i.tile).patch
    # [block, patch, row, column, lane]
    v = transform_inputs(patches_of(i, buffer), i.tile).transpose(0, 1, 3, 4, 2)
    signals = bool(i.signal & mask([Semaphore.SUMS_READY]))
    vectors = []
    for b in range(i.blocks):
        for k in range(n * n):
            for p in range(i.count):
                last = (b, k, p) == (i.blocks - 1, n * n - 1, i.count - 1)
                tag = {"bank": i.bank, "address": i.accumulator_base + k * i.count + p,
                       "accumulate": b > 0 or i.accumulate, "last": last and signals}  # fmt: skip
                word = pack(v[b, p, k % n, k // n], CONFIG.activation_bits) | (p == 0) << VECTOR["first"].offset
                for name, value in tag.items():
                    word |= int(value) << VECTOR["tag"].offset + VECTOR["tag"].shape[name].offset
                vectors.append(word)
    return vectors


def execute(tile: int, count: int, blocks: int = 1, **fields: int) -> Execute:
    """``count`` patches side by side in rows of up to 16, of an image that ends in the last of them."""
    columns = min(count, 16)
    width, height = columns * tile, -(-count // columns) * tile
    values = {
        "tile": tile, "count": count, "blocks": blocks, "kernel_height": tile + 2, "kernel_width": tile + 2,
        "stride_x": tile, "stride_y": tile, "last": (columns - 1) * tile, "row_pitch": tile * (width + 1),
        "tap_row_pitch": width + 1, "block_pitch": 7, "image_width": width, "image_height": height, "top": -1,
        "left": -1, "zero_point": -77, "input_base": 1020,
    }  # fmt: skip
    return Execute(**{**values, **fields})


@dataclass
class Trace:
    """What left, and the cycles in which it did."""

    vectors: list[int] = field(default_factory=list)
    taken: list[int] = field(default_factory=list)
    reads: list[int] = field(default_factory=list)
    released: list[int] = field(default_factory=list)
    stalls: list[Stall] = field(default_factory=list)


def run(
    instructions: list[Execute],
    *,
    wait_at_first: Callable[[], int] = lambda: 0,
    buffer: npt.NDArray[np.int64] | None = None,
    grant: Callable[[int], dict[Semaphore, int]] = lambda cycle: {},
    halt: Callable[[int], bool] = lambda cycle: False,
    cycles: int = 0,
) -> Trace:
    """Every vector must be that of the definition, in order, and none may follow.

    As the matrix unit does, vectors wait only where ``first`` is set, and there for as many cycles as
    ``wait_at_first`` says; that they do not is told a cycle before. ``grant`` says how many signals of each semaphore
    come in a cycle. With ``cycles`` the run ends then, else when all vectors have come.
    """
    random = np.random.default_rng(0)
    buffer = random.integers(-128, 128, (CONFIG.input_buffer, CONFIG.rows)) if buffer is None else buffer
    per_instruction = [vectors_of(instruction, buffer) for instruction in instructions]
    expected = [vector for vectors in per_instruction for vector in vectors]
    entries = [pack(lanes, 8) for lanes in buffer]
    trace = Trace()
    dut = WinogradFeeder(CONFIG)

    async def testbench(ctx: SimulatorContext) -> None:
        words = [int.from_bytes(encode(i), "little") % (1 << layout_of(Execute).size) for i in instructions]
        counts = dict.fromkeys(Semaphore, 0)
        pins = Pins(ctx)
        # Made once: a view makes new values of its fields each time.
        instruction_word, vector_word = dut.instruction.payload.as_value(), dut.vectors.payload.as_value()
        first_flag = dut.vectors.payload.first
        sizes = [len(vectors) for vectors in per_instruction]
        cycle, quiet_since, accepted = 0, -1, 0
        # How long the next vector with ``first`` waits from now on, or from when it is there.
        waiting = wait_at_first()
        # What the buffer's memory answers, and what it was asked for; all of taken vectors but their lanes.
        answer, asked = 0, deque([None] * (OperandBuffers.read_latency - 2))
        taken = deque([None] * PAYLOAD_LATENCY)
        lanes = (1 << VECTOR["first"].offset) - 1
        while cycle < cycles if cycles else len(trace.vectors) < len(expected) or cycle < quiet_since + 150:
            pins.set(dut.instruction.valid, bool(words))
            if words:
                pins.set(instruction_word, words[0])
            pins.set(dut.available, mask([s for s in Semaphore if counts[s]]))
            pins.set(dut.halt, halt(cycle))
            due = taken.popleft()
            taken.append(None)
            if due is not None:
                vector = due | ctx.get(vector_word) & lanes
                assert f"{vector:x}" == f"{expected[len(trace.vectors)]:x}", (cycle, len(trace.vectors))
                trace.vectors.append(vector)
            offered, first = ctx.get(dut.vectors.valid), ctx.get(first_flag)
            ready = not first or not waiting
            if cycle:  # It tells of the cycle before.
                trace.stalls.append(Stall(ctx.get(dut.stall)))
            if offered and ready:
                waiting = wait_at_first() if first else waiting
                assert len(trace.taken) < len(expected), f"surplus vector in cycle {cycle}"
                taken[-1] = ctx.get(vector_word) & ~lanes
                trace.taken.append(cycle)
                quiet_since = cycle
            elif offered:
                waiting -= 1
            pins.set(dut.loaded_next, not waiting)
            assert ctx.get(dut.idle) == (len(trace.taken) == accepted and cycle > quiet_since), cycle
            take, signal = ctx.get(dut.take), ctx.get(dut.signal)
            for semaphore in Semaphore:
                if take >> semaphore & 1:
                    assert semaphore in SOURCES
                    assert counts[semaphore] > 0
                    counts[semaphore] -= 1
                counts[semaphore] += grant(cycle).get(semaphore, 0)
            if ctx.get(dut.read_enable):
                trace.reads.append(cycle)
            assert not signal & ~mask([Semaphore.OPERANDS_RELEASED])
            if signal:
                trace.released.append(cycle)
            accepting = bool(words) and ctx.get(dut.instruction.ready)
            asked.append(ctx.get(dut.read_address) if ctx.get(dut.read_enable) else None)
            await ctx.tick()
            pins.set(dut.read_data, answer)
            if (entry := asked.popleft()) is not None:
                answer = entries[entry]
            if accepting:
                words.pop(0)
                accepted += sizes.pop(0)
            cycle += 1

    simulate(dut, testbench)
    return trace


def random_instruction(random: np.random.Generator) -> Execute:
    def below(limit: int) -> int:
        return int(random.integers(limit))

    tile, columns = int(random.choice(CONFIG.tiles)), 1 + below(5)
    return execute(
        tile, 1 + below(9), 1 + below(3), first=tile * below(columns), last=tile * (columns - 1), top=-below(3),
        left=-below(3), image_height=1 + below(20), image_width=1 + below(20), input_base=below(1024),
        row_pitch=below(1 << 32),
        block_pitch=below(500), tap_row_pitch=below(90), zero_point=below(256) - 128, bank=below(2),
        accumulate=below(2), accumulator_base=below(400), signal=below(2) << Semaphore.SUMS_READY,
    )  # fmt: skip


def stalls(seed: int, often: float, longest: int) -> Callable[[], int]:
    random = np.random.default_rng(seed)
    return lambda: int(random.integers(1, longest + 1)) if random.random() < often else 0


def gaps(trace: Trace) -> dict[int, int]:
    """Vectors that did not leave right after the one before, and how many cycles later."""
    return {
        index: after - before - 1
        for index, (before, after) in enumerate(itertools.pairwise(trace.taken), 1)
        if after != before + 1
    }


@pytest.mark.parametrize("seed", range(3))
def test_vectors_are_those_of_the_definition(seed: int) -> None:
    random = np.random.default_rng(seed)
    wait = [stalls(seed, 0, 1), stalls(seed, 0.3, 8), stalls(seed, 0.05, 100)][seed]
    run([random_instruction(random) for _ in range(6)], wait_at_first=wait)


@pytest.mark.parametrize("tile", [2, 4])
def test_extreme_pixels_reach_the_mesh_with_their_signs(tile: int) -> None:
    checkers = np.where((np.arange(1024)[:, None] + np.arange(2)) % 2, -128, 127)
    for buffer in (np.full((1024, 2), -128), np.full((1024, 2), 127), checkers):
        run([execute(tile, 3, zero_point=zero_point) for zero_point in (-128, 127)], buffer=buffer)


@pytest.mark.parametrize("tile", [2, 4])
def test_reads_a_vector_and_gives_a_vector_in_every_cycle(tile: int) -> None:
    positions = winograd(tile).patch ** 2
    count = TransformBuffer.refill_latency_for(tile) + 1
    for counts in ((count, count), (16, 15)):
        trace = run([execute(tile, counts[0], 3), execute(tile, counts[1], 2)])
        assert not gaps(trace)
        # A block is ready when its last patch has been transformed and written.
        assert (
            trace.taken[0]
            == trace.reads[0] + (counts[0] + 1) * positions + TransformBuffer.refill_latency_for(tile) - 1
        )


@pytest.mark.slow
@pytest.mark.parametrize("tile", [2, 4])
def test_few_tiles_wait_for_the_transform_as_long_as_the_formula_says(tile: int) -> None:
    positions, refill = winograd(tile).patch ** 2, TransformBuffer.refill_latency_for(tile)
    for count in (1, 2, 3, refill):
        trace = run([execute(tile, count, 5)])
        # Two blocks are ready; the third was read up to its first patch's end when the first one's half came free.
        wait = refill - max(1, count - 1)
        assert gaps(trace) == {positions * count * 2: wait, positions * count * 4: wait}
        counted = sum(trace.stalls[cycle] == Stall.TRANSFORM for cycle in range(trace.taken[0], trace.taken[-1]))
        assert counted == 2 * wait


@pytest.mark.slow
@pytest.mark.parametrize(
    "work",
    [
        [(2, 25), (2, 24), (2, 1), (2, 2), (2, 30)],
        [(4, 14), (4, 13), (4, 1), (4, 1), (4, 2), (4, 15)],
        [(2, 20), (4, 12), (4, 12), (2, 20), (2, 20), (4, 1), (2, 1)],
    ],
    ids=["F(2x2)", "F(4x4)", "2, 4, 2"],
)
@pytest.mark.parametrize("longest", [2, 300])
def test_uneven_groups_and_changes_of_tile_with_late_weights(work: list[tuple[int, int]], longest: int) -> None:
    run([execute(*group) for group in work], wait_at_first=stalls(5, 4 / longest, longest))


@pytest.mark.parametrize("wait", [20, 150])
def test_a_block_never_overwrites_the_one_before_it(wait: int) -> None:
    # While vectors of the first block's last step are left to read, the third block is written across their addresses.
    steps = itertools.count()
    run([execute(2, 40), execute(2, 1), execute(2, 58)], wait_at_first=lambda: wait if next(steps) == 15 else 0)


def test_each_part_waits_for_its_semaphore_and_says_so() -> None:
    instructions = [
        execute(2, 12, 2, wait=mask(SOURCES), signal=mask([Semaphore.OPERANDS_RELEASED])),
        execute(2, 12, 1, wait=mask([Semaphore.WEIGHTS_LOADED, Semaphore.INPUTS_LOADED])),
        execute(2, 12, 1, signal=mask([Semaphore.OPERANDS_RELEASED, Semaphore.SUMS_READY])),
        execute(2, 12, 1, wait=mask([Semaphore.BANK_RELEASED])),
    ]
    grants = {
        40: {Semaphore.INPUTS_LOADED: 1},
        500: {Semaphore.BANK_RELEASED: 1},
        1400: {Semaphore.INPUTS_LOADED: 1, Semaphore.WEIGHTS_LOADED: 1},
        2300: {Semaphore.BANK_RELEASED: 1},
    }
    trace = run(instructions, grant=lambda cycle: grants.get(cycle, {}))
    block = 16 * 12
    # A semaphore is there in the cycle after its signal; then it takes one to be seen, one to start, and one to read.
    assert trace.reads[0] == 43
    # Both halves are full when the bank comes free.
    assert trace.stalls[450] == trace.stalls[500] == Stall.ACCUMULATORS
    assert trace.taken[: 2 * block] == list(range(504, 504 + 2 * block))
    assert trace.released[0] == trace.reads[2 * block - 1]
    # The bank is there, and nothing to stream.
    assert trace.stalls[1000] == trace.stalls[1400] == Stall.INPUTS
    assert trace.reads[2 * block] == 1403
    first = 1403 + block + 16 + TransformBuffer.refill_latency_for(2) - 1
    assert trace.taken[2 * block : 4 * block] == list(range(first, first + 2 * block))
    assert trace.released == [trace.reads[2 * block - 1], trace.reads[4 * block - 1]]
    assert trace.stalls[2200] == Stall.ACCUMULATORS
    assert trace.taken[4 * block] == 2304
    assert trace.stalls[-1] == Stall.NO_INSTRUCTION


def test_names_the_transform_while_it_fills_and_the_pipeline_while_it_starts() -> None:
    trace = run([execute(4, 12), execute(2, 3)])
    assert trace.stalls[0] == Stall.NO_INSTRUCTION
    assert trace.stalls[1:3] == [Stall.PIPELINE] * 2
    assert set(trace.stalls[3 : trace.taken[0] - 1]) == {Stall.TRANSFORM}
    between = trace.stalls[trace.taken[12 * 36 - 1] + 1 : trace.taken[12 * 36] - 1]
    assert set(between) <= {Stall.TRANSFORM}


def test_halt_lets_no_further_instruction_start() -> None:
    instructions = [execute(2, 9, 2), execute(2, 9)]
    trace = run(instructions, halt=lambda cycle: cycle >= 20, cycles=1000)
    assert len(trace.vectors) == 16 * 9 * 2
    assert len(trace.reads) == 16 * 9 * 2
    assert not run(instructions, halt=lambda cycle: True, cycles=200).reads
