"""Bursts of random runs, each in the cycle in which it is promised."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from amaranth.sim import SimulatorContext
from simulation import Pins, simulate

from wingrid.hw.bus.bursts import Bursts, burst_layout, descriptor_layout
from wingrid.hw.config import AXI_PAGE_BYTES, OFFSET_BITS, AcceleratorConfig

CONFIG = AcceleratorConfig(rows=2, cols=2, winograd=0, bus_bytes=16, burst_beats=8, output_buffer=16, address_bits=36)
BUS = CONFIG.bus_bytes
BEATS_BITS, RUNS_BITS = 10, 4


def bursts(base: int, address: int, beats: int, beat_pitch: int, pitch: int, runs: int) -> Iterator[dict[str, int]]:
    """By definition."""
    for run in range(runs):
        here, left = (address + run * pitch) % (1 << OFFSET_BITS), beats
        while left:
            length = min(left, CONFIG.burst_beats, (AXI_PAGE_BYTES - here % AXI_PAGE_BYTES) // BUS)
            length = left if beat_pitch > 1 else length
            left -= length
            place = (base + here) % (1 << CONFIG.address_bits)
            yield {
                "address": place,
                "beats": length,
                "beat_pitch": beat_pitch,
                "apart": int(beat_pitch > 1),
                "final": int(left == 0 and run == runs - 1),
            }
            here = (here + length * BUS) % (1 << OFFSET_BITS)


@pytest.mark.parametrize("ready", [1.0, 0.4])
def test_runs_are_cut_at_pages_and_at_the_largest_length(ready: float) -> None:
    random = np.random.default_rng(3)
    dut = Bursts(CONFIG, BEATS_BITS, RUNS_BITS)
    layout, fields = descriptor_layout(BEATS_BITS, RUNS_BITS), burst_layout(CONFIG)
    cycle = 0

    async def testbench(ctx: SimulatorContext) -> None:
        nonlocal cycle
        pins = Pins(ctx)
        payload, burst_word = dut.descriptor.payload.as_value(), dut.burst.payload.as_value()
        for _ in range(60):
            base = AXI_PAGE_BYTES * int(random.integers((1 << CONFIG.address_bits) // AXI_PAGE_BYTES))
            beat_pitch = int(random.choice([1, 1, 2, 15]))
            runs = {
                # Half of those whose beats lie apart begin near the end of a page, which is none to them.
                "address": (1 << OFFSET_BITS) - BUS * int(random.integers(1, 8))
                if beat_pitch > 1 and random.integers(2)
                else BUS * int(random.integers((1 << OFFSET_BITS) // BUS)),
                "beats": int(random.choice([1, 2, 8, 9, 300] if beat_pitch == 1 else [1, 2, 8])),
                "beat_pitch": beat_pitch,
                "pitch": BUS * int(random.integers(600)),
                "runs": int(random.integers(1, 6)),
            }
            assert ctx.get(dut.idle)
            assert ctx.get(dut.descriptor.ready)
            pins.set(dut.base, base)
            pins.set(dut.descriptor.valid, 1)
            pins.set(payload, sum(value << layout[name].offset for name, value in runs.items()))
            offered = cycle + dut.latency
            for burst in bursts(base, **runs):
                while True:
                    pins.set(dut.burst.ready, random.random() < ready)
                    assert ctx.get(dut.burst.valid) == (cycle >= offered)
                    taken = ctx.get(dut.burst.valid) and ctx.get(dut.burst.ready)
                    word = ctx.get(burst_word)
                    await ctx.tick()
                    cycle += 1
                    pins.set(dut.descriptor.valid, 0)
                    pins.set(payload, (1 << len(payload)) - 1)
                    if taken:
                        break
                    assert not ctx.get(dut.descriptor.ready)
                assert {name: word >> field.offset & (1 << field.width) - 1 for name, field in fields} == burst
                offered = max(cycle, offered + dut.interval)

    simulate(dut, testbench)
