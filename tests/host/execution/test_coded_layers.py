"""Layers with compressed weights equal golden, on the executable specification and on the RTL; what damage does."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt
import pytest
from coded_layers import CONFIGS, compile_coded, planned_coded, random_coded_layer
from damaged_runs import damaged_run
from layer_cases import SQUARE, run_functional

from wingrid.host.compiler import coded_weights
from wingrid.host.compiler.compile_layer import compile_exactly
from wingrid.host.compiler.lowering import Lowering
from wingrid.host.compiler.synchronise import synchronise
from wingrid.host.execution.driver import run_on_rtl
from wingrid.host.execution.layer_run import timing_difference
from wingrid.host.networks.golden import golden
from wingrid.host.networks.layer import Convolution, Layer, Operands
from wingrid.hw.config import AcceleratorConfig, ConfigError
from wingrid.hw.encoding import encode_program
from wingrid.sim.memory import MemoryTiming

SIZES = {
    "32x32": AcceleratorConfig(rows=32, cols=32, decoders=8),
    "8x8": AcceleratorConfig(rows=8, cols=8, decoders=4),
    "16x12": AcceleratorConfig(rows=16, cols=12, bus_bytes=32, decoders=3, sparse=1),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_random_layers_equal_golden_and_the_cpp_writes_the_same_program(name: str) -> None:
    for seed in range(3):
        planned, operands, x = random_coded_layer(np.random.default_rng([seed, 3]), CONFIGS[name])
        compiled = planned.compiled()
        output, _ = run_functional(compiled, operands, x, seed)
        assert np.array_equal(output, golden(planned.layer, operands, x)), (seed, planned.layer)
        schedule = Lowering(planned.layer, planned.plan, planned.memory, planned.coded).emit()
        synchronise(schedule.instructions, schedule.dependencies)
        assert encode_program(schedule.instructions) == compiled.program


@pytest.mark.rtl
def test_the_rtl_gives_golden_in_the_models_time() -> None:
    for seed in range(8):
        random = np.random.default_rng([seed, 3])
        planned, operands, x = random_coded_layer(random, SQUARE)
        timing = MemoryTiming(int(random.integers(1, 100)), int(random.integers(1, SQUARE.bus_bytes + 1)))
        compiled = planned.compiled()
        run = run_on_rtl(compiled, operands, x, timing=timing, seed=seed + 1)
        assert np.array_equal(run.output, golden(planned.layer, operands, x)), (seed, planned.layer)
        difference = timing_difference(compiled, compiled.program, timing, run.counters, run.events)
        assert difference is None, (seed, planned.layer, difference)


def convolution(kernels: int = 12, channels: int = 12, size: int = 9) -> tuple[Layer, Operands, npt.NDArray[np.int8]]:
    """A layer whose weights are a little random."""
    random = np.random.default_rng(4)
    layer = Layer("case", "conv", Convolution(channels, size, size, kernels, (3, 3), padding=(1, 1, 1, 1)))
    weights = np.rint(random.laplace(0, 2, (kernels, channels, 3, 3))).astype(np.int8)
    operands = Operands(weights, np.zeros(kernels, np.int32), np.full(kernels, 0.02, np.float32))
    return layer, operands, random.integers(-128, 128, (1, channels, size, size)).astype(np.int8)


@pytest.mark.rtl
def test_damaged_codes_and_tables_take_the_same_time_and_write_nowhere_else() -> None:
    layer, operands, x = convolution()
    compiled = compile_coded(layer, operands, SQUARE)
    whole, _ = damaged_run(compiled, operands, x, lambda _: None)
    wrong = 0
    for seed in range(6):
        random = np.random.default_rng(seed)

        def damage(weights: npt.NDArray[np.uint8], random: np.random.Generator = random, seed: int = seed) -> None:
            tables = SQUARE.code_entries * SQUARE.bus_bytes
            part = weights[:tables] if seed % 2 else weights[tables:]
            places = random.random(len(part)) < 0.2
            part[places] = random.integers(0, 256, int(places.sum()))

        counters, output = damaged_run(compiled, operands, x, damage)
        assert counters == whole
        wrong += not np.array_equal(output, golden(layer, operands, x))
    assert wrong > 3


def test_weights_are_compressed_where_that_is_cheaper_by_the_weights_alone() -> None:
    config = AcceleratorConfig(rows=8, cols=8, decoders=2)
    layer, operands, x = convolution(64, 64, 12)
    compiled = compile_exactly(layer, lambda: operands, config)
    assert compiled.coded is not None
    output, traffic = run_functional(compiled, operands, x)
    assert np.array_equal(output, golden(layer, operands, x))
    assert traffic["weights"] == len(compiled.packed_weights(operands)) < 0.7 * operands.weights.size
    noise = np.random.default_rng(1).integers(-128, 128, operands.weights.shape).astype(np.int8)
    assert compile_exactly(layer, lambda: dataclasses.replace(operands, weights=noise), config).coded is None
    assert compile_exactly(layer, lambda: operands, dataclasses.replace(config, decoders=0)).coded is None
    assert compile_exactly(layer, lambda: operands, config, "direct").coded is None


@pytest.mark.parametrize("name", SIZES)
def test_other_arrays_take_compressed_weights_too(name: str) -> None:
    layer, operands, x = convolution(40, 40, 6)
    compiled = compile_coded(layer, operands, SIZES[name])
    assert np.array_equal(run_functional(compiled, operands, x)[0], golden(layer, operands, x))


def test_weights_too_uneven_for_lanes_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    config = AcceleratorConfig(rows=8, cols=8, decoders=2)
    layer, operands, _ = convolution(64, 64, 12)
    assert planned_coded(layer, operands, config, 4) is not None
    # No weights are known that 24 words do not suffice for: columns go round at the pace that suits them.
    monkeypatch.setattr(coded_weights, "CODE_WORDS_APART", 1)
    assert planned_coded(layer, operands, config, 4) is None
    assert compile_exactly(layer, lambda: operands, config).coded is None


@pytest.mark.parametrize(("decoders", "winograd", "rule"), [(3, 4, "a half or a quarter"), (4, 0, "a Winograd")])
def test_decoders_have_two_columns_or_four_and_a_transform_behind_them(decoders: int, winograd: int, rule: str) -> None:
    with pytest.raises(ConfigError, match=rf"^configuration field decoders = {decoders} .*{rule}"):
        AcceleratorConfig(decoders=decoders, winograd=winograd)
