"""The trace of a run: every instruction in its engine's track, nothing side by side."""

from __future__ import annotations

import json

import numpy as np
import pytest
from layer_cases import SQUARE, random_case, random_layer

from wingrid.host.compiler.compile_layer import compile_layer
from wingrid.host.execution.layer_run import Job, run_layer
from wingrid.host.execution.setup import Setup
from wingrid.host.execution.trace import BUS, TRACKS, chrome_trace
from wingrid.host.networks.layer import Convolution
from wingrid.hw.isa import Execute, Load, Store
from wingrid.sim.memory import MemoryTiming
from wingrid.sim.timing.model import simulate

pytestmark = pytest.mark.rtl

TIMING = MemoryTiming(40, 4)
SHAPE = Convolution(9, 14, 13, 9, kernel=(3, 3), padding=(1, 1, 1, 1))


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """The trace of a Winograd layer on the RTL."""
    path = tmp_path_factory.mktemp("trace") / "trace.json"
    random = np.random.default_rng(4)
    layer = random_layer(random, SHAPE)
    operands, x = random_case(random, layer)
    result = run_layer(Job(layer, operands, x), Setup("rtl", SQUARE, TIMING, algorithm="winograd2", trace=path))
    assert result.exact
    return json.loads(path.read_text())


def tracks(trace: dict) -> dict[str, list[dict]]:
    names = {entry["tid"]: entry["args"]["name"] for entry in trace["traceEvents"] if entry["name"] == "thread_name"}
    slices = [entry for entry in trace["traceEvents"] if entry["ph"] == "X"]
    return {name: [entry for entry in slices if entry["tid"] == number] for number, name in names.items()}


def test_each_engine_has_a_slice_for_each_of_its_instructions(traced: dict) -> None:
    layer = random_layer(np.random.default_rng(4), SHAPE)
    program = compile_layer(layer, SQUARE, tiles=(2,)).instructions
    kinds = {"load": Load, "weights": Execute, "patches": Execute, "vectors": Execute, "store": Store}
    assert set(kinds) == set(TRACKS)
    for track, slices in tracks(traced).items():
        if track == BUS:
            continue
        numbers = [index for index, instruction in enumerate(program) if isinstance(instruction, kinds[track])]
        assert [entry["args"]["instruction"] for entry in slices] == numbers, track
        assert all(entry["name"].split()[1] == str(entry["args"]["instruction"]) for entry in slices)


def test_slices_of_a_track_follow_each_other_and_have_a_duration(traced: dict) -> None:
    for track, slices in tracks(traced).items():
        assert slices, track
        ends = [entry["ts"] + entry["dur"] for entry in slices]
        assert all(entry["dur"] > 0 for entry in slices), track
        assert all(entry["ts"] >= end for entry, end in zip(slices[1:], ends, strict=False)), track


def test_the_bus_carries_the_program_and_all_that_is_loaded_and_stored(traced: dict) -> None:
    assert {entry["name"] for entry in tracks(traced)[BUS]} == {"fetch", "load", "write"}
    program = len([entry for entry in tracks(traced)[BUS] if entry["name"] == "fetch"])
    assert program == sum(len(tracks(traced)[track]) for track in ("load", "weights", "store"))


def test_the_model_s_trace_is_the_rtl_s(traced: dict) -> None:
    layer = random_layer(np.random.default_rng(4), SHAPE)
    compiled = compile_layer(layer, SQUARE, tiles=(2,))
    result = simulate(SQUARE, compiled.instructions, TIMING, program_address=compiled.memory.program, events=True)
    assert result.events is not None
    assert json.loads(chrome_trace(layer.name, compiled.instructions, result.events, result.transfers)) == traced
    without_bus = json.loads(chrome_trace(layer.name, compiled.instructions, result.events))
    assert not tracks(without_bus)[BUS]
