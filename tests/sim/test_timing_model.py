"""The timing model takes as many cycles as the RTL, for the same reasons, and says where it does not."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import single_group
from layer_cases import RTL_CONFIGS, SQUARE, random_convolution, random_layer, random_winograd_convolution
from timing_cases import (
    CONFIGS,
    MEMORY_BYTES,
    PROGRAM,
    DataFault,
    TimingCase,
    free_case,
    measure,
    measure_on,
    timing_case,
)

from wingrid.host.compiler.compile_layer import compile_layer
from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.encoding import ProgramError, encode_program
from wingrid.hw.events import Event
from wingrid.hw.isa import Execute, Instruction, Load, Semaphore, Store, mask
from wingrid.hw.registers import Counter
from wingrid.hw.store.store_engine import StoreEngine
from wingrid.sim import tools
from wingrid.sim.memory import MemoryTiming
from wingrid.sim.rtl.simulator import RtlSimulator
from wingrid.sim.timing import build, gateware
from wingrid.sim.timing.equality import difference
from wingrid.sim.timing.events import EVENT, first_divergence
from wingrid.sim.timing.model import TRANSFER_KINDS, TimingResult, simulate
from wingrid.sim.timing.parameters import gateware_numbers, parameters

STALLS = [counter for counter in Counter if counter.name.startswith("STALL_")]
TIMING = MemoryTiming(40, 4)


@functools.cache
def group(tile: int = 4) -> list[Instruction]:
    return single_group.build(SQUARE, height=4, width=4, tile=tile).instructions


@pytest.mark.rtl
@pytest.mark.parametrize("name", RTL_CONFIGS)
def test_random_programs_take_the_same_time_in_every_counter_and_event(name: str) -> None:
    ran = 0
    for seed in range(60):
        case = timing_case(seed, name)
        try:
            text = case.run(seed + 1)
        except DataFault:
            continue
        assert text is None, f"seed {seed}, {case.timing}, {case.about}: {text}"
        ran += 1
    assert ran >= 50


@pytest.mark.rtl
@pytest.mark.parametrize("name", RTL_CONFIGS)
def test_so_do_instructions_in_any_order(name: str) -> None:
    ran = 0
    for seed in range(80):
        case = free_case(seed, name)
        try:
            text = case.run(seed + 1)
        except DataFault:
            continue
        assert text is None, f"seed {seed}, {case.timing}: {text}"
        ran += 1
    assert ran >= 70


@pytest.mark.rtl
def test_what_ran_before_on_the_same_device_makes_no_difference() -> None:
    programs = [encode_program(group(tile)) for tile in (4, 0, 2, 0, 4, 2, 2)]
    with RtlSimulator(SQUARE, memory_bytes=MEMORY_BYTES, timing=TIMING) as device:
        for code in programs:
            counters, rtl_events = measure_on(device, code)
            result = simulate(SQUARE, code, TIMING, program_address=PROGRAM, events=True)
            assert difference(code, result, counters, rtl_events) is None


@pytest.mark.slow
def test_the_random_programs_are_of_many_kinds() -> None:
    cases = [timing_case(seed, name) for name in RTL_CONFIGS for seed in range(60)]
    cases += [free_case(seed, name) for name in RTL_CONFIGS for seed in range(80)]
    results = [model(case) for case in cases]
    executes = [instruction for case in cases for instruction in case.instructions if isinstance(instruction, Execute)]
    stores = [instruction for case in cases for instruction in case.instructions if isinstance(instruction, Store)]
    assert {execute.tile for execute in executes} == {0, 2, 4}
    assert {(store.tile, store.pool) for store in stores} >= {(0, 0), (0, 2), (0, 3), (2, 0), (2, 2), (4, 0), (4, 2)}
    assert min(execute.count for execute in executes) == 1
    assert any(len({e.tile for e in case.instructions if isinstance(e, Execute)}) > 1 for case in cases), (
        "sources switch"
    )
    assert min(case.timing.latency for case in cases) == 1
    assert max(case.timing.latency for case in cases) > 150
    bridges = [case.timing.bridge for case in cases if case.timing.bridge]
    assert len(bridges) > len(cases) / 5
    assert len({(bridge.read_beat, bridge.write_beat) for bridge in bridges}) > 20
    for stall in STALLS:
        assert sum(result[stall] > 0 for result in results) >= 10, stall.name


@pytest.mark.parametrize("name", CONFIGS)
def test_every_cycle_and_byte_is_accounted_for(name: str) -> None:
    for seed in range(30):
        case = timing_case(seed, name)
        counters = model(case)
        assert counters[Counter.CYCLES] == counters[Counter.BUSY] + sum(counters[stall] for stall in STALLS), seed
        vectors = [
            e.blocks if e.sparse else e.count * e.blocks * e.kernel_height * e.kernel_width
            for e in case.instructions
            if type(e) is Execute
        ]
        beats = [load.runs * load.run_beats for load in case.instructions if isinstance(load, Load)]
        loaded = (Counter.BYTES_WEIGHTS, Counter.BYTES_ACTIVATIONS, Counter.BYTES_PARAMETERS)
        assert counters[Counter.BUSY] == sum(vectors), seed
        assert sum(counters[counter] for counter in loaded) == sum(beats) * case.config.bus_bytes, seed
        assert counters[Counter.BYTES_INSTRUCTIONS] == 64 * len(case.instructions), seed


def model(case: TimingCase) -> dict[Counter, int]:
    return simulate(case.config, case.instructions, case.timing, program_address=PROGRAM).counters


def _forget_parameters() -> None:
    """What the gateware said is asked for again."""
    gateware_numbers.cache_clear()
    parameters.cache_clear()


@pytest.mark.rtl
def test_a_latency_comes_from_its_component_and_a_wrong_one_is_found_where_it_matters_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    code = encode_program(group())
    counters, rtl_events = measure(SQUARE, code, TIMING)
    right = simulate(SQUARE, code, TIMING, program_address=PROGRAM, events=True)
    assert difference(code, right, counters, rtl_events) is None
    assert right.cycles == counters[Counter.CYCLES]
    _forget_parameters()
    monkeypatch.setattr(StoreEngine, "parameter_cycles", StoreEngine.parameter_cycles + 2)
    wrong = simulate(SQUARE, code, TIMING, program_address=PROGRAM, events=True)
    _forget_parameters()
    stores = [index for index, instruction in enumerate(group()) if isinstance(instruction, Store)]
    drained = next(int(step["cycle"]) for step in right.events if step["event"] == Event.STORE_DRAINED)
    text = difference(code, wrong, counters, rtl_events)
    assert text is not None
    assert text.startswith(
        f"CYCLES is {counters[Counter.CYCLES] + 2} in the model, {counters[Counter.CYCLES]} on the RTL"
    )
    assert text.endswith(
        f"first instruction {stores[0]} (STORE): STORE_DRAINED in cycle {drained + 2} in the model, "
        f"in cycle {drained} on the RTL"
    )
    assert difference(code, wrong, counters) == text[: text.index("; first")]


def test_the_first_divergence_is_the_earliest_and_may_be_something_that_never_happened() -> None:
    code = encode_program(group())
    events = simulate(SQUARE, code, TIMING, events=True).events
    assert events is not None
    assert first_divergence(code, events, events) is None
    late, missing = events.copy(), events[:-1]
    late["cycle"][[5, 9]] += 3
    found = first_divergence(code, late, events)
    assert found is not None
    assert (found.instruction, found.event) == (events[5]["instruction"], events[5]["event"])
    assert (found.model, found.rtl) == (events[5]["cycle"] + 3, events[5]["cycle"])
    found = first_divergence(code, events, missing)
    assert found is not None
    assert (found.model, found.rtl) == (events[-1]["cycle"], None)
    assert str(found).endswith("in the model, never on the RTL")


def test_events_tell_each_instruction_once_and_in_order() -> None:
    result = simulate(SQUARE, group(), TIMING, events=True)
    assert result.events is not None
    assert result.events.dtype == EVENT
    assert (np.diff(result.events["cycle"]) >= 0).all()
    assert len({(int(event), int(index)) for _, event, index in result.events}) == len(result.events)
    dispatched = result.events[result.events["event"] == Event.DISPATCHED]
    assert dispatched["instruction"].tolist() == list(range(len(group())))
    assert simulate(SQUARE, group(), TIMING).events is None


def test_transfers_are_the_bytes_that_the_counters_count_and_share_one_bus() -> None:
    result = simulate(SQUARE, group(), TIMING, program_address=0x1000, events=True)
    transfers = result.transfers
    assert transfers is not None
    assert (transfers["first"][1:] > transfers["last"][:-1]).all()
    assert (transfers["last"] - transfers["first"] + 1 == transfers["beats"] * SQUARE.bus_bytes // 4).all()
    moved = {
        kind: transfers["beats"][transfers["kind"] == number].sum() * 4 for number, kind in enumerate(TRANSFER_KINDS)
    }
    counters = result.counters
    assert moved["fetch"] == counters[Counter.BYTES_INSTRUCTIONS]
    assert moved["write"] == counters[Counter.BYTES_RESULTS]
    assert sum(moved.values()) == sum(value for counter, value in counters.items() if "BYTES" in counter.name)
    assert transfers["address"][transfers["kind"] == 0].tolist() == [0x1000 + 64 * i for i in range(len(group()))]


@pytest.mark.parametrize("tile", [0, 2, 4])
def test_a_better_memory_never_makes_a_program_without_a_choice_slower(tile: int) -> None:
    cycles = [
        [simulate(SQUARE, group(tile), MemoryTiming(latency, width)).cycles for latency in (1, 3, 10, 40, 200)]
        for width in (4, 3, 2, 1)
    ]
    assert (np.diff(cycles, axis=0) > 0).all(), "less bandwidth costs cycles"
    assert (np.diff(cycles, axis=1) > 0).all(), "more latency costs cycles"


@pytest.mark.parametrize("name", ["4x4", "3x5"])
def test_a_better_memory_never_costs_cycles_where_bursts_come_in_the_same_order(name: str) -> None:
    """In another order they may: then fetch, loads and stores wait for each other at other times."""
    widths = (1, 2, CONFIGS[name].bus_bytes)
    memories = [MemoryTiming(latency, width) for latency in (1, 5, 20, 200) for width in widths]
    pairs = [
        (a, b)
        for a, b in itertools.permutations(range(len(memories)), 2)
        if memories[a].latency <= memories[b].latency and memories[a].bytes_per_cycle >= memories[b].bytes_per_cycle
    ]
    compared = 0
    for seed in range(30):
        case = timing_case(seed, name)
        results = [simulate(case.config, case.instructions, memory, events=True) for memory in memories]
        orders = [order(result) for result in results]
        for better, worse in pairs:
            if orders[better] == orders[worse]:
                compared += 1
                assert results[better].cycles <= results[worse].cycles, (seed, memories[better], memories[worse])
    assert compared >= 100


def order(result: TimingResult) -> tuple[bytes, bytes]:
    """In which order bursts had the bus."""
    assert result.transfers is not None
    return result.transfers["address"].tobytes(), result.transfers["kind"].tobytes()


@pytest.mark.parametrize("name", RTL_CONFIGS)
def test_two_images_take_no_less_than_one(name: str) -> None:
    for seed in range(20):
        random = np.random.default_rng([seed, 7])
        shape = random_convolution(random) if seed % 2 else random_winograd_convolution(random)
        layers = [random_layer(random, dataclasses.replace(shape, images=images)) for images in (1, 2)]
        compiled = [compile_layer(layer, CONFIGS[name], tiles=(4, 2, 0)) for layer in layers]
        one, two = (simulate(layer.config, layer.instructions).cycles for layer in compiled)
        assert two >= one, (seed, shape)


def test_time_to_model_grows_with_instructions_and_taps_but_not_with_cycles() -> None:
    config = AcceleratorConfig(winograd=0, accumulators=1 << 15, input_buffer=1 << 16)
    execute = Execute(signal=mask([Semaphore.SUMS_READY]), count=1 << 15, blocks=1000)
    store = Store(wait=mask([Semaphore.SUMS_READY]), count=1)
    began = time.perf_counter()
    result = simulate(config, [execute, store])
    seconds = time.perf_counter() - began
    assert result.counters[Counter.BUSY] == 1000 << 15
    assert seconds < 0.5, "32 million cycles, a thousand taps"


@pytest.mark.parametrize(
    ("program", "message"),
    [
        (b"", "a program of 0 bytes is not one or more whole instructions"),
        (bytes(65), "a program of 65 bytes is not one or more whole instructions"),
        (encode_program([Load()]) + bytes(64), "instruction 1 is illegal"),
        ([Execute(count=0)], "instruction 0 is illegal"),
        ([Store(tile=3)], "instruction 0 is illegal"),
        ([Load(buffer=3)], "instruction 0 is illegal"),
        ([Load(runs=0)], "instruction 0 is illegal"),
        ([Store(table=1)], "instruction 0 is illegal"),
        ([Load(buffer=4)], "instruction 0 is illegal"),
        ([Load(buffer=5)], "instruction 0 is illegal"),
        ([Load(buffer=6)], "instruction 0 is illegal"),
        ([Execute(tile=4, coded=1)], "instruction 0 is illegal"),
        ([Store(combination=1)], "instruction 0 is illegal"),
        (
            [Load(), Load(wait=mask([Semaphore.OPERANDS_RELEASED])), Execute(wait=mask([Semaphore.WEIGHTS_LOADED]))],
            "the program comes to a standstill: LOAD 1, EXECUTE 2 cannot start",
        ),
    ],
)
def test_a_program_whose_time_cannot_be_told_is_refused(program: bytes | list[Instruction], message: str) -> None:
    with pytest.raises(ProgramError) as caught:
        simulate(dataclasses.replace(SQUARE, addends=0, decoders=0), program)
    assert str(caught.value) == message


def test_a_tile_that_the_accelerator_does_not_have_is_refused() -> None:
    with pytest.raises(ProgramError, match="instruction 0 is illegal"):
        simulate(dataclasses.replace(SQUARE, winograd=2), [Store(tile=4)])


@pytest.mark.slow
def test_the_library_is_built_once_and_says_so(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WINGRID_CACHE", str(tmp_path))
    heard: list[str] = []
    assert build.library(heard.append) == build.library(heard.append)
    assert heard == ["compiling the timing model"]
    monkeypatch.setattr(build, "FLAGS", (*build.FLAGS, "-DNO_SUCH(", "-Werror"))
    with pytest.raises(tools.BuildError, match=r"^the compiler on model.cpp failed"):
        build.library()


def test_what_the_gateware_says_is_kept_and_depends_on_the_accelerator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once by asking the components, which writes nothing down in this process, and once as another process would."""
    monkeypatch.setenv("WINGRID_CACHE", str(tmp_path))
    configs = [SQUARE, dataclasses.replace(SQUARE, decoders=0, winograd=0), dataclasses.replace(SQUARE, queue_depth=2)]
    asked = [gateware.numbers(config) for config in configs]
    gateware_numbers.cache_clear()
    assert [gateware_numbers(config) for config in configs] == asked
    assert not list(tmp_path.iterdir())
    monkeypatch.delitem(sys.modules, gateware.__name__)
    for config, numbers in zip(configs, asked, strict=True):
        gateware_numbers.cache_clear()
        assert gateware_numbers(config) == numbers
        monkeypatch.delitem(sys.modules, gateware.__name__, raising=False)
    assert len(list(tmp_path.rglob("*.json"))) == len({str(numbers) for numbers in asked}) == len(configs)
    monkeypatch.setattr(f"{gateware_numbers.__module__}._told", None)
    gateware_numbers.cache_clear()
    assert [gateware_numbers(config) for config in configs] == asked
    gateware_numbers.cache_clear()
