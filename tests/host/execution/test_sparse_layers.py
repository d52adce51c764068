"""Layers on sparse lanes equal golden, on the executable specification and on the RTL; what damage does to them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from damaged_runs import damaged_run
from layer_cases import WIDE, run_functional
from sparse_layers import CONFIGS, compile_sparse, random_sparse_layer
from timing_cases import TALL

from wingrid.host.compiler.compile_layer import CompiledLayer, compile_exactly
from wingrid.host.execution.driver import MachineFault, run_on_rtl
from wingrid.host.execution.layer_run import timing_difference
from wingrid.host.networks.golden import golden
from wingrid.host.networks.layer import Layer, Operands, fully_connected
from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.encoding import ProgramError
from wingrid.hw.isa import SPARSE_FORMATS, Execute, SparseFormat
from wingrid.sim.golden.sparse import SparseLanes, WindowOverflow
from wingrid.sim.memory import MemoryTiming

LARGE = {
    "32x32": AcceleratorConfig(rows=32, cols=32, winograd=0, sparse=1),
    "16x12": AcceleratorConfig(rows=16, cols=12, winograd=0, sparse=1),
    "8x12": AcceleratorConfig(rows=8, cols=12, winograd=0, sparse=1, accumulators=4),
}
SQUARE = CONFIGS["4x4"]


@pytest.mark.slow
@pytest.mark.parametrize("name", [*CONFIGS, *LARGE])
def test_random_layers_equal_golden(name: str) -> None:
    config = {**CONFIGS, **LARGE}[name]
    for seed in range(24):
        form = SPARSE_FORMATS[seed % len(SPARSE_FORMATS)]
        layer, operands, x = random_sparse_layer(np.random.default_rng([seed, config.rows]), config, form)
        compiled = compile_sparse(layer, operands, config, form)
        output, _ = run_functional(compiled, operands, x, seed)
        assert np.array_equal(output, golden(layer, operands, x)), (seed, layer)


@pytest.mark.rtl
@pytest.mark.parametrize(
    "config", [pytest.param(WIDE, id="2x3"), pytest.param(TALL, id="20x2", marks=pytest.mark.long)]
)
def test_the_rtl_gives_golden_in_the_models_time(config: AcceleratorConfig) -> None:
    for seed in range(12):
        form = SPARSE_FORMATS[seed % len(SPARSE_FORMATS)]
        layer, operands, x = random_sparse_layer(np.random.default_rng([seed, config.rows]), config, form)
        compiled = compile_sparse(layer, operands, config, form)
        timing = MemoryTiming(latency=1 + 3 * seed, bytes_per_cycle=1 + seed % config.bus_bytes)
        run = run_on_rtl(compiled, operands, x, timing=timing, seed=seed + 1)
        assert np.array_equal(run.output, golden(layer, operands, x)), (seed, layer)
        assert timing_difference(compiled, compiled.program, timing, run.counters, run.events) is None, (seed, layer)


def connected(outputs: int = 30) -> tuple[Layer, Operands, npt.NDArray[np.int8]]:
    """A layer whose streams are several hundred entries."""
    random = np.random.default_rng(4)
    layer = Layer("case", "fc", fully_connected(40, 1, 1, outputs))
    weights = np.where(random.random((outputs, 40, 1, 1)) < 0.3, random.integers(1, 6, (outputs, 40, 1, 1)), 0)
    operands = Operands(weights.astype(np.int8), np.zeros(outputs, np.int32), np.full(outputs, 0.02, np.float32))
    return layer, operands, random.integers(-128, 128, (1, 40, 1, 1)).astype(np.int8)


@pytest.mark.rtl
def test_damaged_streams_take_the_same_time_and_write_nowhere_else() -> None:
    layer, operands, x = connected()
    compiled = compile_sparse(layer, operands, WIDE)
    whole, _ = damaged_run(compiled, operands, x, lambda _: None)
    outputs = []
    for seed in range(6):
        random = np.random.default_rng(seed)

        def damage(streams: npt.NDArray[np.uint8], random: np.random.Generator = random) -> None:
            # The same in all lanes, which so end their rows together.
            places = random.random(len(streams) // WIDE.bus_bytes) < 0.2
            streams.reshape(-1, WIDE.bus_bytes)[places] = random.integers(0, 256, (int(places.sum()), 1))

        counters, output = damaged_run(compiled, operands, x, damage)
        assert counters == whole
        outputs.append(output)
    assert any(not np.array_equal(output, golden(layer, operands, x)) for output in outputs)


def overflowing(compiled: CompiledLayer, damage: Callable[[npt.NDArray[np.uint8]], None]) -> int:
    """The instruction in which a lane leaves its window, by numpy."""
    assert compiled.streams is not None
    streams = compiled.streams.packed(compiled.config)
    damage(streams)
    entries = streams.reshape(-1, compiled.config.bus_bytes)[:, : compiled.config.rows]
    inputs = np.zeros((compiled.config.input_buffer, compiled.config.rows), np.int8)
    first = 0
    for number, instruction in enumerate(compiled.instructions):
        if isinstance(instruction, Execute):
            if not instruction.accumulate:
                lanes = SparseLanes(compiled.config.rows)
            try:
                lanes.feed(entries[first : first + instruction.blocks], SparseFormat(instruction.sparse), inputs, 0)
            except WindowOverflow:
                return number
            first += instruction.blocks
    raise AssertionError("no lane leaves its window")


@pytest.mark.rtl
def test_a_lane_beyond_its_window_is_a_fault_of_its_instruction_and_is_forgotten_after_a_reset() -> None:
    layer, operands, x = connected(60)
    compiled = compile_sparse(layer, operands, WIDE)
    assert compiled.streams is not None
    run = compiled.streams.runs[0]
    form = compiled.streams.form
    end = (1 << form.gap_bits) - 1 << form.value_bits
    # A lane that ends a row with each entry from here on, while the others do not.
    entry = run.start + run.entries // 2

    def damage(streams: npt.NDArray[np.uint8]) -> None:
        streams.reshape(-1, WIDE.bus_bytes)[entry : entry + 40, 1] = end

    number = overflowing(compiled, damage)
    with pytest.raises(MachineFault, match=rf"stopped with ADDRESS_OUT_OF_BUFFER at instruction {number} "):
        damaged_run(compiled, operands, x, damage)

    broken = dataclasses.replace(
        compiled, streams=dataclasses.replace(compiled.streams, entries=compiled.streams.entries.copy())
    )
    assert broken.streams is not None
    broken.streams.entries[entry : entry + 40, 1] = end
    with pytest.raises(ProgramError, match=r"^EXECUTE: a lane is more than 16 rows ahead of another one$"):
        run_functional(broken, operands, x)


def test_the_cheapest_form_is_taken_from_the_weights_alone() -> None:
    random = np.random.default_rng(2)
    layer = Layer("case", "fc", fully_connected(256, 1, 1, 64))

    def algorithm(density: float, values: int, config: AcceleratorConfig = SQUARE) -> tuple[str, SparseFormat | None]:
        chosen = np.where(random.random((64, 256, 1, 1)) < density, random.integers(1, values + 1, (64, 256, 1, 1)), 0)
        operands = Operands(chosen.astype(np.int8), np.zeros(64, np.int32), np.ones(64, np.float32))
        compiled = compile_exactly(layer, lambda: operands, config)
        return compiled.algorithm, compiled.streams.form if compiled.streams else None

    assert algorithm(0.05, 7) == ("sparse", SparseFormat.GAP5_VALUE3)
    assert algorithm(0.2, 15) == ("sparse", SparseFormat.GAP4_VALUE4)
    assert algorithm(0.2, 31) == ("sparse", SparseFormat.GAP3_VALUE5)
    assert algorithm(0.2, 100) == ("sparse", SparseFormat.LITERAL)
    assert algorithm(1, 100) == ("direct", None)
    assert algorithm(0.2, 15, dataclasses.replace(SQUARE, sparse=0)) == ("direct", None)


def test_layers_that_lanes_cannot_compute_are_direct() -> None:
    random = np.random.default_rng(2)
    weights = np.zeros((8, 300, 1, 1), np.int8)
    weights[0, 0] = 1
    layer = Layer("case", "fc", fully_connected(300, 1, 1, 8))
    operands = Operands(weights, np.zeros(8, np.int32), np.ones(8, np.float32))
    x = random.integers(-128, 128, (1, 300, 1, 1)).astype(np.int8)
    assert compile_exactly(layer, lambda: operands, SQUARE, "sparse").algorithm == "direct"  # 75 blocks, 64 entries
    larger = dataclasses.replace(SQUARE, input_buffer=128)
    compiled = compile_exactly(layer, lambda: operands, larger, "sparse")
    assert compiled.algorithm == "sparse"
    assert np.array_equal(run_functional(compiled, operands, x)[0], golden(layer, operands, x))


def test_a_layer_that_the_mesh_would_unfold_is_computed_as_it_is() -> None:
    random = np.random.default_rng(5)
    layer = Layer("case", "fc", fully_connected(1, 6, 6, 8), prepared=True)
    weights = np.where(random.random((8, 1, 6, 6)) < 0.1, 3, 0).astype(np.int8)
    operands = Operands(weights, np.zeros(8, np.int32), np.full(8, 0.1, np.float32))
    x = random.integers(-128, 128, (1, 1, 6, 6)).astype(np.int8)
    assert compile_exactly(layer, lambda: operands, SQUARE, "direct").unfolding is not None
    compiled = compile_exactly(layer, lambda: operands, SQUARE, "sparse")
    assert (compiled.algorithm, compiled.unfolding) == ("sparse", None)
    assert np.array_equal(run_functional(compiled, operands, x)[0], golden(layer, operands, x))


def test_a_batch_brings_the_streams_once_if_all_samples_fit() -> None:
    layer, operands, _ = connected()
    batch = dataclasses.replace(layer, shape=fully_connected(40, 1, 1, 30, images=6))
    x = np.random.default_rng(3).integers(-128, 128, (1, 40, 6, 1)).astype(np.int8)
    compiled = compile_sparse(batch, operands, SQUARE)
    output, traffic = run_functional(compiled, operands, x)
    assert np.array_equal(output, golden(batch, operands, x))
    assert compiled.streams is not None
    assert traffic["weights"] == compiled.streams.bytes(SQUARE)
