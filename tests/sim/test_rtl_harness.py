"""The C++ harness by itself: a device that copies memory, against the timing rule restated in Python."""

from __future__ import annotations

import functools
import itertools
import re
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from copy_device import CopyDevice, CopyRegister

from wingrid.hw import verilog
from wingrid.hw.config import AcceleratorConfig
from wingrid.sim.memory import Bridge, Dram, MemoryTiming
from wingrid.sim.rtl.simulator import Channel, RtlSimulator, SimulationError, SimulationStalled

pytestmark = pytest.mark.rtl

RESET_CYCLES = 4
SOURCE, DESTINATION = 0x0000, 0x8000
MEMORY_BYTES = 0x10000


@functools.cache
def verilog_text(bus_bytes: int) -> str:
    return verilog.convert(CopyDevice(bus_bytes), header=["A device that copies memory."])


def simulator(bus_bytes: int = 16, **options: Any) -> RtlSimulator:  # noqa: ANN401
    config = AcceleratorConfig(winograd=0, rows=4, cols=4, bus_bytes=bus_bytes)
    options = {"memory_bytes": MEMORY_BYTES, **options}
    made = RtlSimulator(config, verilog=verilog_text(bus_bytes), **options)
    made.memory[:DESTINATION] = np.random.default_rng(2).integers(0, 256, DESTINATION, np.uint8)[: len(made.memory)]
    return made


def start(device: RtlSimulator, **registers: int) -> None:
    """Program the registers and start; 4 bursts of 16 beats unless told otherwise."""
    settings = {
        "SOURCE": SOURCE, "DESTINATION": DESTINATION, "BURSTS": 4, "BEATS": 16, "READS_IN_FLIGHT": 4,
        "READ_STALL": 0, "WRITE_STALL": 0, "DATA_FIRST": 0, "FALSE_LENGTH": 0, **registers,
    }  # fmt: skip
    for name, value in settings.items():
        device.write_register(4 * CopyRegister[name], value)
    device.record_handshakes()
    device.write_register(4 * CopyRegister.CONTROL, 1)


def rule(
    handshakes: np.ndarray,
    start: int,
    timing: MemoryTiming,
    bus_bytes: int,
    read_ready: Callable[[int], bool],
    answer_ready: Callable[[int], bool],
) -> tuple[list[int], list[int]]:
    """Cycles of the R and B handshakes that follow from the cycles of AR, AW and W: sim/memory.py, in Python."""
    reads = deque(
        (int(handshake["cycle"]) + timing.latency, int(handshake["beats"]), int(handshake["address"]))
        for handshake in of(handshakes, Channel.AR)
    )
    data = [int(handshake["cycle"]) for handshake in of(handshakes, Channel.W) if handshake["last"]]
    writes = deque(
        (max(int(handshake["cycle"]), last) + timing.write_latency, int(handshake["beats"]), int(handshake["address"]))
        for handshake, last in zip(of(handshakes, Channel.AW), data, strict=True)
    )
    read_cycles: list[int] = []
    answer_cycles: list[int] = []
    free = 0
    dram, rows = timing.dram, dict[int, tuple[int, int]]()
    while reads or writes:
        heads = [(queue[0][0], number) for number, queue in enumerate((reads, writes)) if queue]
        now = max(free, min(heads)[0])
        while dram and now - start >= dram.refresh_interval > 0 and refreshing(now - start, dram):
            now += 1
        chosen = min(head for head in heads if head[0] <= now)[1]
        _, beats, address = (reads, writes)[chosen].popleft()
        if dram:
            row, interval = address // dram.row_bytes, (now - start) // dram.refresh_interval
            if rows.get(row % dram.banks) != (row, interval):
                # What was opened before a refresh is not open any more.
                rows[row % dram.banks] = (row, interval)
                now += dram.row_miss
        slip = 0
        if chosen == 0:
            for beat in range(beats):
                offered = now + timing.bus_cycles(beat + 1, bus_bytes) - 1
                while not read_ready(offered + slip):
                    slip += 1
                read_cycles.append(offered + slip)
        free = now + timing.bus_cycles(beats, bus_bytes) + slip
        if chosen == 1:
            answer = max(free, answer_cycles[-1] + 1 if answer_cycles else 0)
            while not answer_ready(answer):
                answer += 1
            answer_cycles.append(answer)
    return read_cycles, answer_cycles


def refreshing(cycle: int, dram: Dram) -> bool:
    return cycle % dram.refresh_interval < dram.refresh_cycles


def ready_unless(mask: int) -> Callable[[int], bool]:
    """When the device takes data: its cycle counter starts with the end of reset."""
    return lambda cycle: not (cycle - RESET_CYCLES) & mask


def of(handshakes: np.ndarray, channel: Channel) -> np.ndarray:
    return handshakes[handshakes["channel"] == channel]


WIDTHS = [(4, 1), (4, 3), (4, 4), (16, 4), (16, 11), (16, 16), (64, 3), (64, 16), (64, 64)]


@pytest.mark.parametrize(("latency", "write_latency"), [(1, 1), (7, 9), (40, 3)])
@pytest.mark.parametrize(("bus_bytes", "bytes_per_cycle"), WIDTHS)
@pytest.mark.parametrize("dram", [None, Dram(2, 4096, 5, 60, 13), Dram(1, 8192, 30, 200, 0)], ids=["ideal", "a", "b"])
def test_every_beat_comes_in_the_cycle_that_the_rule_says(
    dram: Dram | None, bus_bytes: int, latency: int, write_latency: int, bytes_per_cycle: int
) -> None:
    timing = MemoryTiming(latency, bytes_per_cycle, dram, write_latency)
    patterns = [
        {"BURSTS": 4, "BEATS": 16, "READS_IN_FLIGHT": 4},
        {"BURSTS": 5, "BEATS": 1, "READS_IN_FLIGHT": 1},
        {"BURSTS": 7, "BEATS": 9, "READS_IN_FLIGHT": 3, "READ_STALL": 5, "WRITE_STALL": 0x18},
        {"BURSTS": 20, "BEATS": 2, "READS_IN_FLIGHT": 20, "WRITE_STALL": 0x70, "DATA_FIRST": 1},
    ]
    with simulator(bus_bytes, timing=timing) as device:
        for pattern in patterns:
            start(device, **pattern)
            device.run_until_interrupt()
            handshakes = device.handshakes()
            read_cycles, answer_cycles = rule(
                handshakes,
                device.written,
                timing,
                bus_bytes,
                ready_unless(pattern.get("READ_STALL", 0)),
                ready_unless(pattern.get("WRITE_STALL", 0)),
            )
            assert of(handshakes, Channel.R)["cycle"].tolist() == read_cycles
            assert of(handshakes, Channel.B)["cycle"].tolist() == answer_cycles
            assert len(read_cycles) == pattern["BURSTS"] * pattern["BEATS"]
            size = pattern["BURSTS"] * pattern["BEATS"] * bus_bytes
            np.testing.assert_array_equal(
                device.memory[DESTINATION : DESTINATION + size], device.memory[SOURCE : SOURCE + size]
            )
            assert device.read_register(4 * CopyRegister.STATUS) == 0
            device.memory[DESTINATION:] = 0


def test_first_beat_of_a_lone_read_comes_after_the_latency() -> None:
    """The rule in plain numbers, independent of its Python restatement."""
    with simulator(16, timing=MemoryTiming(latency=10, bytes_per_cycle=8)) as device:
        start(device, BURSTS=1, BEATS=3)
        device.run_until_interrupt()
        handshakes = device.handshakes()
    address = int(of(handshakes, Channel.AR)["cycle"][0])
    assert (of(handshakes, Channel.R)["cycle"] - address).tolist() == [11, 13, 15]
    last = int(of(handshakes, Channel.W)["cycle"][-1])
    assert int(of(handshakes, Channel.B)["cycle"][0]) == last + 1 + 6


@pytest.mark.parametrize(("latency", "write_latency"), [(1, 1), (7, 9)])
@pytest.mark.parametrize(("read_beat", "write_beat"), [(1, 1), (3, 2), (2, 5)])
@pytest.mark.parametrize("bus_bytes", [4, 16])
def test_a_bridge_passes_one_burst_after_the_other(
    bus_bytes: int, latency: int, write_latency: int, read_beat: int, write_beat: int
) -> None:
    timing = MemoryTiming(latency, 1, write_latency=write_latency, bridge=Bridge(read_beat, write_beat))
    patterns = [
        {"BURSTS": 4, "BEATS": 16, "READS_IN_FLIGHT": 4},
        {"BURSTS": 7, "BEATS": 9, "READS_IN_FLIGHT": 3, "READ_STALL": 5, "WRITE_STALL": 0x18},
        {"BURSTS": 20, "BEATS": 2, "READS_IN_FLIGHT": 20},
    ]
    with simulator(bus_bytes, timing=timing) as device:
        for pattern in patterns:
            start(device, **pattern)
            device.run_until_interrupt()
            cycles = {channel: deque(of(device.handshakes(), channel)["cycle"].tolist()) for channel in Channel}
            read_ready, answer_ready = (ready_unless(pattern.get(name, 0)) for name in ("READ_STALL", "WRITE_STALL"))
            free, beats = 0, pattern["BEATS"]
            while cycles[Channel.AR] or cycles[Channel.AW]:
                ahead = [(cycles[kind][0], kind) for kind in (Channel.AR, Channel.AW) if cycles[kind]]
                address, kind = min(ahead)
                cycles[kind].popleft()
                assert address >= free, "not while another one is under way"
                next_beat = address + (latency if kind == Channel.AR else write_latency)
                for _ in range(beats):
                    if kind == Channel.AR:
                        while not read_ready(next_beat):
                            next_beat += 1
                        assert cycles[Channel.R].popleft() == next_beat
                        free, next_beat = next_beat + 1, next_beat + read_beat
                    else:
                        taken = cycles[Channel.W].popleft()
                        assert taken >= next_beat, "data may come late, but are not taken early"
                        free, next_beat = taken + 1, taken + write_beat
                if kind == Channel.AW:
                    while not answer_ready(free):
                        free += 1
                    assert cycles[Channel.B].popleft() == free
                    free += 1
            assert not any(cycles.values())
            size = pattern["BURSTS"] * beats * bus_bytes
            np.testing.assert_array_equal(
                device.memory[DESTINATION : DESTINATION + size], device.memory[SOURCE : SOURCE + size]
            )
            device.memory[DESTINATION:] = 0


def test_behind_a_bridge_reads_and_writes_take_turns() -> None:
    """The rule in plain numbers: all bursts wait from the first on, and each takes as long as it must."""
    timing = MemoryTiming(3, 2, bridge=Bridge(3, 2))
    with simulator(4, timing=timing) as device:
        start(device, BURSTS=4, BEATS=2, READS_IN_FLIGHT=4)
        device.run_until_interrupt()
        handshakes = device.handshakes()
    shown = [(Channel(handshake["channel"]).name, int(handshake["cycle"])) for handshake in handshakes]
    begun = [(name, cycle - shown[0][1]) for name, cycle in shown if name in ("AR", "AW")]
    # A read of two beats keeps the bridge for 7 cycles, a write for 5.
    names = "".join(name[1] for name, _ in begun)
    assert names.count("R") == names.count("W") == 4
    assert "RWRW" in names
    for (kind, first), (_, second) in itertools.pairwise(begun):
        assert second - first >= (7 if kind == "AR" else 5)


def test_errors_come_through_a_bridge() -> None:
    with simulator(timing=MemoryTiming(3, 16, bridge=Bridge(1, 1))) as device:
        before = device.memory.copy()
        device.inject_error(SOURCE + 31, SOURCE + 32, 3)
        start(device, BURSTS=1, BEATS=4)
        device.run_until_interrupt()
        assert device.read_register(4 * CopyRegister.STATUS) == 3
        device.clear_errors()
        device.inject_error(DESTINATION + 20, DESTINATION + 20)
        start(device, BURSTS=2, BEATS=2)
        device.run_until_interrupt()
        assert device.read_register(4 * CopyRegister.STATUS) == 2 << 2
        np.testing.assert_array_equal(device.memory[DESTINATION + 32 : DESTINATION + 64], before[32:64])
        start(device, FALSE_LENGTH=1)
        with pytest.raises(SimulationError, match=r"WLAST of a write burst of 17 beats is wrong at beat 16 \(cycle"):
            device.run_until_interrupt()


def test_equal_runs_take_equal_cycles_under_every_seed() -> None:
    noise, cycles = set(), set()
    for seed in (1, 1, 2, 3):
        with simulator(seed=seed) as device:
            noise.add((seed, device.read_register(4 * CopyRegister.NOISE)))
            start(device)
            cycles.add(device.run_until_interrupt())
    assert len(noise) == 3, "one seed gives one value"
    assert len({value for _, value in noise}) == 3, "registers without reset start at random"
    assert len(cycles) == 1


def test_a_device_that_waits_forever_is_given_up() -> None:
    with simulator(patience=500) as device:
        start(device, BURSTS=2, BEATS=4)
        device.run_until_interrupt()
        start(device, BURSTS=0, READS_IN_FLIGHT=0)
        began = device.cycles
        with pytest.raises(SimulationStalled) as caught:
            device.run_until_interrupt()
        assert device.cycles == began + 500
        pattern = r"no interrupt by cycle (\d+), and .* for 500 cycles; last bus activity: B in cycle (\d+)"
        found = re.fullmatch(pattern, str(caught.value))
        assert found is not None, str(caught.value)
        assert int(found[1]) == device.cycles
        assert int(found[2]) < began


@pytest.mark.parametrize(
    ("seconds", "heard"), [(1, [10_000, 11_000, 12_000, 13_000]), (0.001, [10_000, 30_000, 70_000])]
)
def test_a_simulation_looks_up_ten_times_a_second(
    seconds: float, heard: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long its cycles take, so that it can be interrupted."""
    monkeypatch.setattr(time, "perf_counter", functools.partial(next, itertools.count(0, seconds)))
    cycles: list[int] = []
    with simulator(patience=heard[-1] + 500) as device, pytest.raises(SimulationStalled):
        device.run_until_interrupt(cycles.append)
    assert cycles == heard


def test_stall_without_any_activity_says_so() -> None:
    with simulator(patience=10) as device, pytest.raises(SimulationStalled, match="none since the start"):
        device.run_until_interrupt()


def test_bursts_outside_of_memory_are_answered_with_an_error() -> None:
    with simulator(memory_bytes=1000) as device:
        start(device, SOURCE=960, DESTINATION=0, BURSTS=1, BEATS=3)
        before = device.memory.copy()
        device.run_until_interrupt()
        assert device.read_register(4 * CopyRegister.STATUS) == 2, "a read that leaves memory fails, the write does not"
        np.testing.assert_array_equal(device.memory[:48], 0)
        np.testing.assert_array_equal(device.memory[48:], before[48:])
        start(device, SOURCE=0, DESTINATION=0xFFFF_F000, BURSTS=1, BEATS=3)
        device.run_until_interrupt()
        assert device.read_register(4 * CopyRegister.STATUS) == 2 << 2
        np.testing.assert_array_equal(device.memory[48:], before[48:])


def test_injected_errors_hit_the_beats_that_touch_the_range() -> None:
    with simulator() as device:
        before = device.memory.copy()
        device.inject_error(SOURCE + 31, SOURCE + 32, 3)
        start(device, BURSTS=1, BEATS=4)
        device.run_until_interrupt()
        assert device.read_register(4 * CopyRegister.STATUS) == 3
        copied = device.memory[DESTINATION : DESTINATION + 64]
        np.testing.assert_array_equal(copied[:16], before[:16])
        np.testing.assert_array_equal(copied[16:48], 0)
        np.testing.assert_array_equal(copied[48:], before[48:64])
        device.clear_errors()
        device.inject_error(DESTINATION + 20, DESTINATION + 20)
        start(device, BURSTS=2, BEATS=2)
        device.run_until_interrupt()
        assert device.read_register(4 * CopyRegister.STATUS) == 2 << 2
        np.testing.assert_array_equal(device.memory[DESTINATION : DESTINATION + 16], before[:16])
        np.testing.assert_array_equal(device.memory[DESTINATION + 16 : DESTINATION + 32], 0)
        np.testing.assert_array_equal(device.memory[DESTINATION + 32 : DESTINATION + 64], before[32:64])
        with pytest.raises(ValueError, match="response = 1 must be 2"):
            device.inject_error(0, 1, 1)


def test_memory_lies_at_its_base_and_nowhere_else() -> None:
    base = 0x4000_1000
    with simulator(base=base) as device:
        before = device.memory.copy()
        start(device, SOURCE=base + SOURCE, DESTINATION=base + DESTINATION, BURSTS=1, BEATS=4)
        device.run_until_interrupt()
        assert device.read_register(4 * CopyRegister.STATUS) == 0
        np.testing.assert_array_equal(device.memory[DESTINATION : DESTINATION + 64], before[SOURCE : SOURCE + 64])
        assert of(device.handshakes(), Channel.AR)["address"].tolist() == [base + SOURCE]
        for outside in (SOURCE, base - 64, base + MEMORY_BYTES):
            start(device, SOURCE=outside, DESTINATION=outside, BURSTS=1, BEATS=4)
            device.run_until_interrupt()
            assert device.read_register(4 * CopyRegister.STATUS) == 2 << 2 | 2
        device.inject_error(SOURCE + 64, SOURCE + 64)
        start(device, SOURCE=base + SOURCE, DESTINATION=base + DESTINATION, BURSTS=1, BEATS=5)
        device.run_until_interrupt()
        assert device.read_register(4 * CopyRegister.STATUS) == 2


@pytest.mark.parametrize("base", [5, -4096, (1 << 32) - 4096])
def test_a_base_that_addresses_do_not_reach_is_refused(base: int) -> None:
    with pytest.raises(ValueError, match=r"^base = .* must be a multiple of 4096 from which 65536 bytes lie"):
        simulator(base=base)


@pytest.mark.parametrize(
    ("registers", "message"),
    [
        ({"SOURCE": 8}, "a read burst of 16 beats at 0x00000008 has an address that is no multiple of the bus width"),
        ({"SOURCE": 0xF10}, "a read burst of 16 beats at 0x00000f10 has data on both sides of a 4 KiB boundary"),
        ({"DESTINATION": 0x8F80}, "a write burst of 16 beats at 0x00008f80 has data on both sides of a 4 KiB boundary"),
        ({"FALSE_LENGTH": 1}, "a write burst of 17 beats ended with WLAST after 16"),
    ],
)
def test_broken_bus_protocol_ends_the_run(registers: dict[str, int], message: str) -> None:
    def run(device: RtlSimulator) -> None:
        start(device, **registers)  # a read may start in the very cycle in which the register is written
        device.run_until_interrupt()

    with simulator() as device, pytest.raises(SimulationError, match=re.escape(message) + r" \(cycle \d+\)"):
        run(device)


def test_register_errors_are_reported() -> None:
    with simulator() as device:
        with pytest.raises(SimulationError, match="the read of register 0x0fc was answered with response 2"):
            device.read_register(0xFC)
        with pytest.raises(SimulationError, match="the write to register 0x0fc was answered with response 2"):
            device.write_register(0xFC, 1)
        device.write_register(4 * CopyRegister.NOISE, 0xFFFF_FFFF)
        assert device.read_register(4 * CopyRegister.NOISE) == 0xFFFF_FFFF


def test_reset_in_the_middle_of_a_copy_forgets_it() -> None:
    with simulator(patience=5) as device:  # shorter than the latency
        start(device, READS_IN_FLIGHT=4)
        with pytest.raises(SimulationStalled, match="last bus activity: AR"):
            device.run_until_interrupt()
        device.patience = 500
        device.reset()
        with pytest.raises(SimulationStalled):
            device.run_until_interrupt()
        assert not of(device.handshakes(), Channel.R).size
        start(device)
        device.run_until_interrupt()
        np.testing.assert_array_equal(
            device.memory[DESTINATION : DESTINATION + 1024], device.memory[SOURCE : SOURCE + 1024]
        )


def test_simulators_in_two_threads_do_not_meet() -> None:
    def copy(number: int) -> tuple[int, np.ndarray]:
        with simulator(seed=number, timing=MemoryTiming(latency=number)) as device:
            device.memory[:64] = number
            for _ in range(200):
                start(device, BURSTS=1, BEATS=4)
                cycles = device.run_until_interrupt()
            return cycles, device.memory[DESTINATION : DESTINATION + 64].copy()

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(copy, range(1, 9)))
    for number, (cycles, copied) in enumerate(results, start=1):
        assert cycles == results[0][0] + number - 1
        assert (copied == number).all()


def test_closed_simulator_is_refused_and_its_memory_lives_on() -> None:
    device = simulator()
    device.close()
    device.close()
    assert device.memory[:64].any()
    with pytest.raises(ValueError, match="the simulator is closed"):
        device.run_until_interrupt()


def test_impossible_parameters_are_refused() -> None:
    with pytest.raises(ValueError, match="memory_bytes = 0 must lie between"):
        simulator(memory_bytes=0)
    with pytest.raises(ValueError, match="seed = 0 must lie between"):
        simulator(seed=0)
    with pytest.raises(ValueError, match="patience = 0 must be at least 1"):
        simulator(patience=0)
    with pytest.raises(ValueError, match="bytes_per_cycle = 17 must lie between 1 and the bus width of 16"):
        simulator(timing=MemoryTiming(bytes_per_cycle=17))


def test_a_device_without_an_events_port_leaves_no_events() -> None:
    with simulator() as device:
        device.record_events()
        start(device)
        device.run_until_interrupt()
        assert len(device.handshakes()) > 0
        assert len(device.events()) == 0
