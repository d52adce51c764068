"""The store engine alone: parameters, segments and drained accumulators, cycle by cycle."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from amaranth.sim import SimulatorContext
from simulation import Pins, simulate

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.control.fetch_engine import dispatched
from wingrid.hw.encoding import encode
from wingrid.hw.isa import LARGEST_PIXEL_PITCH, PARAMETER_BYTES, PIXEL_PITCH_BITS, Semaphore, Store, mask
from wingrid.hw.layouts import PARAMETER_LAYOUT, layout_of
from wingrid.hw.load.operand_buffers import OperandBuffers
from wingrid.hw.store.output_buffer import SEGMENT
from wingrid.hw.store.store_engine import StoreEngine
from wingrid.hw.winograd_matrices import winograd

CONFIG = AcceleratorConfig(
    rows=2, cols=2, winograd=4, bus_bytes=4, accumulators=256, output_buffer=64, burst_beats=8, parameter_blocks=4
)
PC = 0x123456


def segments(store: Store) -> Iterator[dict[str, int]]:
    """The segments that a STORE must hand over, by the definition in ``docs/isa.md``."""
    size = store.tile or 1
    row, column, left = 0, store.first, store.count
    pixel_pitch = store.pixel_pitch or 1
    between = pixel_pitch * CONFIG.bus_bytes
    while left:
        tiles = min(left, -(-(store.width - column) // size), CONFIG.segment_tiles(store.tile))
        columns = min(tiles * size, store.width - column)
        lines = max(0, min(size, store.lines - row)) if store.tile else 1
        yield {
            "last_offset": size - 1, "columns": columns, "lines": lines, "beats": columns * lines, "tiles": tiles,
            "address": (store.destination + row * store.row_pitch + column * between) % (1 << 32),
            "pixel_pitch": pixel_pitch, "row_pitch": store.row_pitch, "pc": PC,
        }  # fmt: skip
        left, column = left - tiles, column + columns
        if column == store.width:
            row, column = row + size, 0


def run(
    stores: list[Store],
    *,
    room: Callable[[], bool] = lambda: True,
    available: Callable[[int], int] = lambda cycle: mask(Semaphore),
    placed: Callable[[int], bool] = lambda cycle: True,
    halt: Callable[[int], bool] = lambda cycle: False,
    cycles: int = 0,
) -> list[int]:
    """Each accumulator in its order, in exactly the cycles promised; returns those in which an instruction started."""
    dut = StoreEngine(CONFIG)
    planes = np.random.default_rng(1).integers(0, 256, (CONFIG.parameter_entries, CONFIG.cols))
    starts: list[int] = []

    async def testbench(ctx: SimulatorContext) -> None:
        pins = Pins(ctx)
        payload, segment_word = dut.instruction.payload.as_value(), dut.segment.payload.as_value()
        layout = dispatched(Store)
        cycle = 0

        asked = [0] * OperandBuffers.read_latency

        async def tick() -> None:
            nonlocal cycle
            asked.append(ctx.get(dut.parameter_address))
            await ctx.tick()
            answer = planes[asked[-OperandBuffers.read_latency]]
            pins.set(dut.parameter_data, sum(int(byte) << 8 * i for i, byte in enumerate(answer)))
            cycle += 1
            pins.set(dut.available, available(cycle))
            pins.set(dut.placed, placed(cycle))
            pins.set(dut.halt, halt(cycle))
            pins.set(dut.segment.ready, room())

        async def quietly() -> None:
            """A cycle in which nothing happens at the edges."""
            assert not ctx.get(dut.drain_enable)
            assert not ctx.get(dut.segment.valid)
            assert not ctx.get(dut.take) | ctx.get(dut.signal)
            assert not ctx.get(dut.idle)
            await tick()

        await tick()
        assert ctx.get(dut.idle)
        for store in stores:
            word = int.from_bytes(encode(store), "little") % (1 << layout_of(Store).size)
            pins.set(payload, word << layout["instruction"].offset | PC << layout["pc"].offset)
            pins.set(dut.instruction.valid, 1)
            while not ctx.get(dut.instruction.ready):
                if cycles and cycle > cycles:
                    return
                await quietly()
            assert ctx.get(dut.take) == store.wait
            starts.append(cycle)
            await tick()
            pins.set(dut.instruction.valid, 0)
            pins.set(payload, (1 << len(payload)) - 1)
            for _ in range(PARAMETER_BYTES):
                assert not ctx.get(dut.instruction.ready) | ctx.get(dut.drain_enable) | ctx.get(dut.idle)
                await tick()
            drained, moved = 0, starts[-1]
            n = winograd(store.tile).patch if store.tile else 1
            for segment in segments(store):
                while not (ctx.get(dut.segment.valid) and ctx.get(dut.segment.ready)):
                    assert ctx.get(dut.segment.valid) == (cycle >= moved + dut.measure_cycles and not halt(cycle))
                    assert not ctx.get(dut.drain_enable)
                    await tick()
                assert cycle >= moved + dut.measure_cycles
                moved = cycle
                got = {name: ctx.get(segment_word) >> field.offset & (1 << field.width) - 1 for name, field in SEGMENT}
                assert got == segment
                for _ in range(segment["tiles"]):
                    for position in range(n * n):
                        await tick()
                        assert ctx.get(dut.drain_enable)
                        assert ctx.get(dut.drain_bank) == store.bank
                        assert ctx.get(dut.drain_address) == store.accumulator_base + position * store.count + drained
                        assert not ctx.get(dut.instruction.ready) | ctx.get(dut.take)
                        final = drained == store.count - 1 and position == n * n - 1
                        assert ctx.get(dut.signal) == (store.signal if final else 0)
                        assert (ctx.get(dut.tile), ctx.get(dut.zero_point)) == (store.tile, store.zero_point)
                        assert (ctx.get(dut.minimum), ctx.get(dut.maximum)) == (store.minimum, store.maximum)
                    drained += 1
                await tick()
            bytes_ = planes[store.parameter_block * PARAMETER_BYTES :][:PARAMETER_BYTES]
            for channel in range(CONFIG.cols):
                parameters = ctx.get(dut.parameters[channel].as_value())
                assert parameters == int.from_bytes(bytes(bytes_[:, channel].tolist()), "little")
            assert ctx.get(dut.pc) == PC
        assert ctx.get(dut.idle)

    assert PARAMETER_LAYOUT.size == 8 * PARAMETER_BYTES
    simulate(dut, testbench)
    return starts


def random_store(random: np.random.Generator) -> Store:
    def below(limit: int) -> int:
        return int(random.integers(limit))

    tile = int(random.choice([0, *CONFIG.tiles]))
    size, positions = tile or 1, winograd(tile).patch ** 2 if tile else 1
    width = 1 + below(40)
    count = 1 + below(min(40, CONFIG.accumulators // positions))
    return Store(
        wait=mask([Semaphore.SUMS_READY]) * below(2), signal=mask([Semaphore.BANK_RELEASED]) * below(2), bank=below(2),
        tile=tile, zero_point=below(256) - 128, minimum=below(256) - 128, maximum=below(256) - 128, count=count,
        accumulator_base=below(CONFIG.accumulators - count * positions + 1), parameter_block=below(4),
        first=below(-(-width // size)) * size, width=width, lines=1 + below(12), destination=4 * below(1 << 30),
        row_pitch=4 * below(1 << 30), pixel_pitch=0 if tile or below(2) else 2 + below(LARGEST_PIXEL_PITCH - 1),
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
def test_drains_what_the_definition_says_one_accumulator_per_cycle(seed: int) -> None:
    random = np.random.default_rng(seed)
    stores = [random_store(random) for _ in range(14)]
    starts = run(stores)
    for store, start, following in zip(stores, starts, starts[1:], strict=False):
        positions = winograd(store.tile).patch ** 2 if store.tile else 1
        *before, last = (1 + segment["tiles"] * positions for segment in segments(store))
        taken = 1 + PARAMETER_BYTES + sum(max(StoreEngine.measure_cycles, cycles) for cycles in before) + last
        assert following - start == taken + StoreEngine.start_latency
    run(stores, room=lambda: random.random() < 0.3)


def test_tiles_below_the_last_line_count_for_nothing() -> None:
    store = Store(tile=4, count=6, width=8, lines=5)
    assert [segment["lines"] for segment in segments(store)] == [4, 1, 0]
    assert [segment["lines"] for segment in segments(Store(count=6, width=2, lines=1))] == [1, 1, 1]
    run([store, Store(tile=2, count=3, width=2, lines=1), Store(count=6, width=2, lines=1), Store(count=6, width=2)])


def test_pixels_apart_are_found_by_the_whole_of_their_pitch_and_column() -> None:
    wide = Store(first=65_530, width=65_535, count=40, row_pitch=1 << 20, pixel_pitch=LARGEST_PIXEL_PITCH)
    run([wide, *(dataclasses.replace(wide, pixel_pitch=1 << bit) for bit in range(1, PIXEL_PITCH_BITS))])


def test_starts_when_semaphores_are_there_and_the_output_path_is_empty() -> None:
    needed = mask([Semaphore.SUMS_READY, Semaphore.PARAMETERS_LOADED])
    others = mask(set(Semaphore) - {Semaphore.SUMS_READY})
    store = Store(wait=needed, signal=mask(Store.signals), count=2, width=2)
    assert run([store], available=lambda cycle: mask(Semaphore) if cycle > 30 else others) == [
        31 + StoreEngine.start_latency
    ]
    assert run([store, store], placed=lambda cycle: cycle <= 3 or cycle > 60) == [
        1 + StoreEngine.start_latency,
        61 + StoreEngine.start_latency,
    ]


def test_halt_keeps_instructions_and_segments_back() -> None:
    assert run([Store()], halt=lambda cycle: cycle > 0, cycles=50) == []
    # In the middle, what has been handed over is drained, and the next segment waits.
    run([Store(count=20, width=20)], halt=lambda cycle: 15 < cycle < 80)
