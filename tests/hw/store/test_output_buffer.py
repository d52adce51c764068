"""The output buffer between random results and a writer that takes its time."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from amaranth.hdl import Value
from amaranth.sim import SimulatorContext
from simulation import Pins, simulate

from wingrid.hw.bus.write_master import write_request
from wingrid.hw.config import AXI_PAGE_BYTES, AcceleratorConfig
from wingrid.hw.store.output_buffer import SEGMENT, OutputBuffer

CONFIG = AcceleratorConfig(rows=2, cols=3, winograd=4, bus_bytes=4, output_buffer=32, burst_beats=8, address_bits=40)
BASE = 0xAB_FFFF_F000
BUS = CONFIG.bus_bytes
Chance = Callable[[], bool]


@dataclass(eq=False)
class Segment:
    """As ``SEGMENT``, with the results that come for it."""

    size: int
    tiles: int
    columns: int
    lines: int
    address: int
    row_pitch: int
    pc: int
    results: list[int]
    pixel_pitch: int = 1

    @property
    def word(self) -> int:
        fields = {
            "last_offset": self.size - 1, "columns": self.columns, "lines": self.lines, "tiles": self.tiles,
            "beats": self.columns * self.lines, "address": self.address, "pixel_pitch": self.pixel_pitch,
            "row_pitch": self.row_pitch, "pc": self.pc,
        }  # fmt: skip
        return sum(value << SEGMENT[name].offset for name, value in fields.items())

    @property
    def memory(self) -> dict[int, int]:
        """Address and content of every pixel that counts."""
        places = np.ndindex(self.tiles, self.size, self.size)
        return {
            self.address + y * self.row_pitch + (tile * self.size + x) * self.pixel_pitch * BUS: result
            for (tile, y, x), result in zip(places, self.results, strict=True)
            if y < self.lines and tile * self.size + x < self.columns
        }


def segments(random: np.random.Generator, sizes: list[int]) -> list[Segment]:
    """One of each size, the last tile and the last lines cut off at random, at places far from each other."""
    made = []
    for index, size in enumerate(sizes):
        tiles = int(random.integers(1, CONFIG.segment_tiles(size if size > 1 else 0) + 1))
        columns = tiles * size - int(random.integers(size))
        lines = int(random.integers(1, size + 1))
        # Rows begin at any distance from the end of a page.
        address = (index + 1) * 0x10000 - BUS * int(random.integers(0, 40))
        pixel_pitch = int(random.integers(2, 16)) if size == 1 and random.integers(2) else 1
        pitch = BUS * int(random.integers(columns, 2000))
        results = random.integers(1, 1 << 8 * CONFIG.cols, tiles * size * size).tolist()
        made.append(Segment(size, tiles, columns, lines, address, pitch, index, results, pixel_pitch))
    return made


def run(
    work: list[Segment],
    *,
    offer: Chance = lambda: True,
    result: Chance = lambda: True,
    grant: Chance = lambda: True,
    beat: Chance = lambda: True,
) -> int:
    """Every pixel that counts must reach its address exactly once, in bursts as AXI wants them; returns the cycles.

    The coins say when the neighbours act: a segment is offered, a result comes, a request is taken, a beat leaves.
    """
    dut = OutputBuffer(CONFIG)
    written: dict[int, int] = {}
    expected = {address: content for segment in work for address, content in segment.memory.items()}
    cycles = 0

    async def testbench(ctx: SimulatorContext) -> None:
        nonlocal cycles
        pins = Pins(ctx)
        segment_word, results_word = dut.segment.payload.as_value(), Value.cast(dut.results)
        request_word, request = dut.request.payload.as_value(), write_request(CONFIG)
        pins.set(dut.base, BASE)
        todo, placing, leaving = deque(work), deque(), deque()
        requested: Counter[int] = Counter()
        bursts: deque[tuple[int, int, int]] = deque()
        reserved, offering, left, late = 0, False, 0, 0
        while todo or leaving or bursts or left:
            offering = bool(todo) and (offering or offer())
            pins.set(dut.segment.valid, offering)
            if offering:
                pins.set(segment_word, todo[0].word)
                # A register, which knows the present half a cycle or two late.
                room = reserved <= CONFIG.output_buffer // 2
                if ctx.get(dut.segment.ready):
                    assert room
                    assert len(placing) < dut.placing_segments
                    assert sum(segment.lines > 0 for segment in leaving) <= dut.leaving_segments + 1
                    late = 0
                elif room and len(placing) < dut.placing_segments and len(leaving) < dut.leaving_segments:
                    late += 1
                    assert late <= dut.room_latency + 1
                else:
                    late = 0
            assert ctx.get(dut.placed) == (not placing)
            # Segments of which nothing counts may have left the queue before those that are requested.
            if not leaving or any(segment.lines for segment in leaving):
                assert ctx.get(dut.idle) == (not leaving)

            coming = bool(placing) and cycles >= placing[0][2] and result()
            pins.set(results_word, placing[0][1].popleft() << 1 | 1 if coming else (1 << 8 * CONFIG.cols + 1) - 2)

            # The writer: as ``WriteMaster`` with beats apart, a burst starts while the one before ends, or later.
            pins.set(dut.request.ready, grant())
            leaves = left and beat()
            starts = len(bursts) > (left > 0) and (not left or (leaves and left == 1)) and beat()
            pins.set(dut.read_next, starts or (leaves and left > 1))
            pins.set(dut.released, leaves and left == 1)
            if leaves:
                address, beats, beat_pitch = bursts[0]
                place = address + (beats - left) * beat_pitch * BUS
                assert place not in written
                written[place] = ctx.get(dut.beat)
                left -= 1
                if not left:
                    reserved -= beats
                    pins.set(dut.released_beats, beats)
                    bursts.popleft()
            # A segment of which nothing counts takes a cycle and no request.
            unseen = leaving and not leaving[0].lines and leaving[0] not in [other for other, *_ in placing]
            taken = None
            if ctx.get(dut.request.valid):
                word = ctx.get(request_word)
                address, beats, beat_pitch, apart, pc = (
                    word >> request[name].offset & (1 << request[name].width) - 1
                    for name in ("address", "beats", "beat_pitch", "apart", "pc")
                )
                address -= BASE
                segment = leaving[0]
                assert segment not in [other for other, *_ in placing], "requested before its last result was in place"
                assert pc == segment.pc
                assert 1 <= beats <= CONFIG.burst_beats
                assert beat_pitch == segment.pixel_pitch
                assert apart == (beat_pitch != 1)
                if beat_pitch == 1:
                    assert address // AXI_PAGE_BYTES == (address + beats * BUS - 1) // AXI_PAGE_BYTES
                taken = (address, beats, beat_pitch) if ctx.get(dut.request.ready) else None
            accepted = offering and ctx.get(dut.segment.ready)
            await ctx.tick()
            cycles += 1
            assert cycles < 50_000
            if coming and not placing[0][1]:
                placing.popleft()
            if taken:
                bursts.append(taken)
                requested[segment.pc] += taken[1]
                if requested[segment.pc] == segment.columns * segment.lines:
                    leaving.popleft()
            if unseen:
                leaving.popleft()
            if accepted:
                reserved += todo[0].columns * todo[0].lines
                placing.append((todo[0], deque(todo[0].results), cycles + 1))
                leaving.append(todo.popleft())
                offering = False
            if starts:
                left = bursts[0][1]
        assert not placing

    simulate(dut, testbench)
    assert written == expected
    return cycles


def coin(random: np.random.Generator, probability: float) -> Chance:
    return lambda: random.random() < probability


@pytest.mark.parametrize("seed", range(3))
def test_tiles_of_every_size_clipped_at_both_edges_leave_in_raster_order(seed: int) -> None:
    random = np.random.default_rng(seed)
    work = segments(random, random.choice([1, 2, 4], 40).tolist())
    run(work)
    run(work, offer=coin(random, 0.5), result=coin(random, 0.6), grant=coin(random, 0.4), beat=coin(random, 0.6))


@pytest.mark.parametrize("size", [1, 2, 4])
def test_a_slow_writer_holds_segments_back_and_loses_nothing(size: int) -> None:
    random = np.random.default_rng(size)
    work = segments(random, [size] * 30)
    cycles = run(work, grant=coin(random, 0.2), beat=coin(random, 0.1))
    # The ring was full for most of the time: as long as it takes the writer, and not much longer.
    assert cycles > 8 * sum(len(segment.memory) for segment in work)


def test_two_segments_that_fill_the_whole_ring() -> None:
    random = np.random.default_rng(4)
    whole = [
        Segment(4, 1, 4, 4, 0x1000 * index, 0x100, index, random.integers(1, 1 << 24, 16).tolist())
        for index in range(8)
    ]
    run(whole)
    run(whole, result=coin(random, 0.5), beat=coin(random, 0.3))


def test_bursts_end_at_pages_and_at_their_largest_length() -> None:
    work = []
    for index, before in enumerate(range(0, 24)):
        results = [1000 * index + n for n in range(16)]
        work.append(Segment(1, 16, 16, 1, 0x1000 * (index + 1) - before * BUS, 0, index, results))
    run(work)


def test_segments_of_which_no_line_counts_leave_no_trace() -> None:
    random = np.random.default_rng(6)
    work = segments(random, random.choice([2, 4], 30).tolist())
    for segment in work[::3] + work[1::6]:
        segment.lines = 0
    run(work)
    run(work, offer=coin(random, 0.6), result=coin(random, 0.7), grant=coin(random, 0.4), beat=coin(random, 0.5))


def test_results_and_beats_pass_one_per_cycle() -> None:
    random = np.random.default_rng(7)
    work = [
        Segment(2, 2, 4, 2, 0x100 * index, 16, index, random.integers(1, 1 << 24, 8).tolist()) for index in range(60)
    ]
    # Four segments share the ring. The first one has to be complete before any of it leaves.
    assert run(work) <= 61 * 8 + 12
