"""Whole layers on the RTL: every bit as golden computes it, every byte as the program spells it out."""

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
from layer_cases import (
    RTL_CONFIGS,
    SQUARE,
    judged_case,
    random_addend,
    random_case,
    random_layer,
    run_functional,
    with_combination,
    with_lookup,
)
from random_convolutions import cases

from wingrid.host.compiler.algorithms import usable_tiles
from wingrid.host.compiler.compile_layer import compile_layer
from wingrid.host.execution.driver import MachineFault, run_on_rtl
from wingrid.host.execution.layer_run import timing_difference
from wingrid.host.networks.golden import golden
from wingrid.host.networks.layer import Convolution, Layer, Operands, fully_connected, matrix_product
from wingrid.hw.encoding import encode_program
from wingrid.sim.memory import MemoryTiming
from wingrid.sim.rtl.simulator import RtlSimulator

pytestmark = pytest.mark.rtl

JUDGED = list(cases(240, seed=2))[::8]
"""A sample of the layers whose golden outputs onnxruntime confirms (see tests/sim)."""


@pytest.mark.parametrize("name", RTL_CONFIGS)
def test_random_layers_on_the_rtl_equal_golden(name: str) -> None:
    config = RTL_CONFIGS[name]
    for seed in range(60):
        random = np.random.default_rng([seed, 99])
        layer = with_combination(random, with_lookup(random, random_layer(random), config), config)
        operands, x = random_case(random, layer)
        addend = random_addend(random, layer)
        timing = MemoryTiming(int(random.integers(1, 80)), int(random.integers(1, config.bus_bytes + 1)))
        compiled = compile_layer(layer, config)
        run = run_on_rtl(compiled, operands, x, addend, timing=timing, seed=seed + 1)
        measured = run.measurement
        assert np.array_equal(run.output, golden(layer, operands, x, addend)), (seed, layer)
        assert timing_difference(compiled, compiled.program, timing, run.counters, run.events) is None, (seed, layer)
        assert measured.cycles == measured.busy + sum(measured.stalls.values()), seed
        if seed % 10 == 0:
            _, traffic = run_functional(compiled, operands, x, addend=addend)
            assert measured.bytes == traffic, seed


@pytest.mark.parametrize("name", RTL_CONFIGS)
def test_layers_that_onnxruntime_judged_come_out_of_the_rtl_with_the_same_bits(name: str) -> None:
    config = RTL_CONFIGS[name]
    for case in JUDGED:
        layer, operands, x = judged_case(case)
        compiled = compile_layer(layer, config, tiles=usable_tiles(layer, operands, config))
        run = run_on_rtl(compiled, operands, x, seed=case.seed % 1000 + 1)
        assert np.array_equal(run.output[0], case.golden()), str(case)


def test_the_judged_layers_are_of_many_kinds() -> None:
    assert len(JUDGED) == 30
    assert {1, 2, 3, 5, 11} <= {size for case in JUDGED for size in case.kernel}
    assert (11, 11) in {case.kernel for case in JUDGED}
    assert {1, 2, 3, 4} == {step for case in JUDGED for step in case.stride}
    assert any(case.groups == case.channels > 1 for case in JUDGED)
    assert any(1 < case.groups < case.channels for case in JUDGED)
    assert any(case.dilation != (1, 1) for case in JUDGED)
    assert any(case.kernel == (3, 3) and case.stride == (1, 1) and case.dilation == (1, 1) for case in JUDGED)


@pytest.mark.parametrize(
    "shape",
    [
        Convolution(20, 16, 16, 12, kernel=(3, 3), padding=(1, 1, 1, 1)),
        Convolution(3, 31, 29, 8, kernel=(11, 11), stride=(4, 4)),
        Convolution(24, 9, 9, 24, kernel=(3, 3), padding=(1, 1, 1, 1), groups=24),
        fully_connected(20, 5, 5, 33, images=3),
        matrix_product(50, 70, 30),
    ],
)
def test_time_and_results_are_the_same_twice_and_whatever_the_buffers_hold_at_first(shape: Convolution) -> None:
    random = np.random.default_rng(8)
    layer = random_layer(random, shape)
    operands, x = random_case(random, layer)
    compiled = compile_layer(layer, SQUARE)
    runs = [run_on_rtl(compiled, operands, x, seed=seed) for seed in (1, 1, 77)]
    expected = golden(layer, operands, x)
    assert all(np.array_equal(run.output, expected) for run in runs)
    assert runs[0].measurement == runs[1].measurement == runs[2].measurement


def test_time_does_not_depend_on_data() -> None:
    random = np.random.default_rng(9)
    layer = random_layer(random, Convolution(9, 12, 12, 7, kernel=(3, 3)))
    operands, x = random_case(random, layer)
    compiled = compile_layer(layer, SQUARE)
    zeros = Operands(np.zeros_like(operands.weights), np.zeros_like(operands.bias), operands.scales)
    first = run_on_rtl(compiled, operands, x)
    second = run_on_rtl(compiled, zeros, np.zeros_like(x))
    assert first.measurement == second.measurement


def _too_far(program: list) -> None:
    program[0].source = 1 << 30


def _unknown_bank(program: list) -> None:
    next(instruction for instruction in program if hasattr(instruction, "accumulate")).bank = 2


@pytest.mark.parametrize(
    ("damage", "message"),
    [(_too_far, "stopped with READ_ERROR at instruction 0"), (_unknown_bank, "stopped with ILLEGAL_INSTRUCTION at")],
)
def test_a_broken_program_ends_with_a_fault(damage: Callable[[list], None], message: str) -> None:
    layer = Layer("case", "conv", Convolution(4, 4, 4, 4))
    operands, x = random_case(np.random.default_rng(1), layer)
    compiled = compile_layer(layer, SQUARE)
    damage(compiled.instructions)
    compiled = dataclasses.replace(compiled, program=encode_program(compiled.instructions))
    with pytest.raises(MachineFault, match=message):
        run_on_rtl(compiled, operands, x)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("rows=3", "the program is for rows = 3, the device has 4"),
        ("cols=8", "the program is for cols = 8, the device has 4"),
        ("bus_bytes=8", "the program is for bus_bytes = 8, the device has 4"),
        ("input_buffer=128", "the program is for input_buffer = 128, the device has 256"),
        ("weight_buffer=64", "the program is for weight_buffer = 64, the device has 120"),
        ("accumulators=118", "the program is for accumulators = 118, the device has 117"),
        ("parameter_blocks=2", "the program is for parameter_blocks = 2, the device has 4"),
    ],
)
def test_a_device_that_a_program_does_not_fit_is_refused(
    setting: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = Layer("case", "conv", Convolution(4, 4, 4, 4))
    operands, x = random_case(np.random.default_rng(1), layer)
    compiled = compile_layer(layer, SQUARE.override([setting]))
    monkeypatch.setattr(
        "wingrid.host.execution.driver.RtlSimulator", lambda _, **arguments: RtlSimulator(SQUARE, **arguments)
    )
    with pytest.raises(MachineFault) as refusal:
        run_on_rtl(compiled, operands, x)
    assert str(refusal.value) == words


def test_a_device_with_more_accumulators_and_other_queues_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = Layer("case", "conv", Convolution(4, 4, 4, 4))
    operands, x = random_case(np.random.default_rng(1), layer)
    compiled = compile_layer(layer, SQUARE.override(["accumulators=80", "queue_depth=2", "reads_in_flight=1"]))
    monkeypatch.setattr(
        "wingrid.host.execution.driver.RtlSimulator", lambda _, **arguments: RtlSimulator(SQUARE, **arguments)
    )
    np.testing.assert_array_equal(run_on_rtl(compiled, operands, x).output, golden(layer, operands, x))
