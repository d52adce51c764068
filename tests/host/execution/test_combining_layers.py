"""Layers that combine their results with another tensor on their way out: whatever the algorithm, the pooling and the
cut, golden's result."""

from __future__ import annotations

import copy
import dataclasses

import numpy as np
import pytest
from layer_cases import (
    CONFIGS,
    RTL_CONFIGS,
    SQUARE,
    TINY,
    WIDE,
    pooled_layer,
    random_addend,
    random_case,
    random_combination,
    random_layer,
    random_winograd_convolution,
    run_functional,
    with_lookup,
)

from wingrid.host.compiler.compile_layer import CompiledLayer, compile_layer
from wingrid.host.compiler.sparse_streams import SparseShape
from wingrid.host.execution.driver import run_on_rtl
from wingrid.host.execution.layer_run import timing_difference
from wingrid.host.networks.golden import golden
from wingrid.host.networks.layer import (
    Combination,
    Convolution,
    Layer,
    LayerError,
    Lookup,
    Operands,
    Pool,
    fully_connected,
)
from wingrid.host.reports.traffic import program_bytes
from wingrid.hw.config import AcceleratorConfig, ConfigError
from wingrid.hw.encoding import ProgramError, encode_program
from wingrid.hw.isa import ADDITION_FRACTION_BITS, Buffer, Combining, Load, Semaphore, Store
from wingrid.sim.memory import MemoryTiming

ONE = 1 << ADDITION_FRACTION_BITS
SPARSE = dataclasses.replace(SQUARE, sparse=1)
KINDS = ("direct", "winograd2", "winograd4", "pooled", "pooled winograd", "depthwise", "wide strips")


def adding(random: np.random.Generator, layer: Layer) -> Layer:
    factors = (int(factor) for factor in random.integers(-ONE // 2, 2 * ONE, 2))
    offset = int(random.integers(-64 * ONE, 64 * ONE))
    return dataclasses.replace(layer, combination=Combination(Combining.SUM, *factors, offset))


SUM = Combination(Combining.SUM, ONE, ONE)


def random_adding_layer(random: np.random.Generator, kind: str, config: AcceleratorConfig) -> tuple[Layer, int]:
    """A layer of that kind, and its Winograd tile."""
    tile = {"winograd2": 2, "winograd4": 4, "pooled winograd": int(random.choice([2, 4]))}.get(kind, 0)
    if kind == "pooled":
        layer = pooled_layer(random)
        while layer.pool is None or layer.pool.side != layer.pool.stride:
            layer = pooled_layer(random)
    elif tile:
        shape = random_winograd_convolution(random)
        while kind == "pooled winograd" and min(shape.out_height, shape.out_width) < 2:
            shape = random_winograd_convolution(random)
        layer = random_layer(random, shape)
        layer = dataclasses.replace(layer, pool=Pool(2, 2)) if kind == "pooled winograd" else layer
    elif kind == "depthwise":
        channels = int(random.integers(2, 12))
        layer = random_layer(
            random, Convolution(channels, 9, 7, channels, (3, 3), padding=(1, 1, 1, 1), groups=channels)
        )
    elif kind == "wide strips":
        # Rows that no bank holds, or no input buffer: groups that begin and end anywhere in a strip.
        layer = random_layer(
            random,
            Convolution(3, int(random.integers(1, 6)), int(random.integers(90, 300)), 3, (3, 3), padding=(1, 1, 1, 1)),
        )
    else:
        layer = random_layer(random)
    combination = random_combination(random)
    return dataclasses.replace(with_lookup(random, layer, config), combination=combination), tile


def case(seed: int, kind: str, config: AcceleratorConfig) -> tuple[CompiledLayer, Operands, np.ndarray, np.ndarray]:
    random = np.random.default_rng([seed, KINDS.index(kind)])
    while True:
        layer, tile = random_adding_layer(random, kind, config)
        operands, x = random_case(random, layer)
        addend = random_addend(random, layer)
        assert addend is not None
        try:
            return compile_layer(layer, config, tiles=(tile,)), operands, x, addend
        except LayerError:
            continue


def loads_of_addends(compiled: CompiledLayer) -> list[Load]:
    return [i for i in compiled.instructions if isinstance(i, Load) and i.buffer == Buffer.ADDENDS.value]


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", CONFIGS)
def test_random_layers_equal_golden_whatever_runs_ahead_and_read_each_addend_once(name: str, kind: str) -> None:
    config = CONFIGS[name]
    if "winograd" in kind and not config.winograd:
        return
    for seed in range(6):
        compiled, operands, x, addend = case(seed, kind, config)
        expected = golden(compiled.layer, operands, x, addend)
        output, traffic = run_functional(compiled, operands, x, seed, addend)
        assert np.array_equal(output, expected), (seed, compiled.layer)
        assert traffic == program_bytes(compiled.program, config)
        read = sum(load.runs * load.run_beats for load in loads_of_addends(compiled))
        shape = compiled.layer.shape
        beats = shape.images * compiled.plan.blocking.output_blocks * shape.out_height * shape.out_width
        assert compiled.layer.combination
        if compiled.layer.combination.broadcast:
            beats = shape.images * compiled.plan.blocking.output_blocks
            # Two runs of them may be in each other's way, where there are more than the buffer holds.
            assert read == beats or beats > config.addends
            continue
        assert read <= beats
        if not compiled.layer.pool:
            assert read == beats


@pytest.mark.rtl
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", RTL_CONFIGS)
def test_random_layers_on_the_rtl_equal_golden_and_timing_model(name: str, kind: str) -> None:
    config = RTL_CONFIGS[name]
    for seed in range(100, 105):
        compiled, operands, x, addend = case(seed, kind, config)
        random = np.random.default_rng(seed)
        timing = MemoryTiming(int(random.integers(1, 80)), int(random.integers(1, config.bus_bytes + 1)))
        run = run_on_rtl(compiled, operands, x, addend, timing=timing, seed=seed)
        assert np.array_equal(run.output, golden(compiled.layer, operands, x, addend)), (seed, compiled.layer)
        assert timing_difference(compiled, compiled.program, timing, run.counters, run.events) is None, seed


def test_two_groups_share_the_buffer_so_that_one_arrives_while_the_other_is_used() -> None:
    layer = adding(np.random.default_rng(1), Layer("case", "conv", Convolution(4, 40, 30, 4)))
    config = dataclasses.replace(SQUARE, accumulators=600, addends=512)
    stores = [i for i in compile_layer(layer, config).instructions if isinstance(i, Store)]
    assert 150 < max(store.count for store in stores) <= config.addends // 2
    assert {store.addend_base for store in stores} != {0}


def test_no_semaphore_can_be_left_out() -> None:
    random = np.random.default_rng(3)
    layer = adding(random, random_layer(random, Convolution(4, 40, 30, 4)))
    operands, x = random_case(random, layer)
    addend = random_addend(random, layer)
    compiled = compile_layer(layer, SQUARE)
    expected = golden(layer, operands, x, addend)
    for seed in range(1, 6):
        assert np.array_equal(run_functional(compiled, operands, x, seed, addend)[0], expected)
    for semaphore in (Semaphore.PARAMETERS_LOADED, Semaphore.PARAMETERS_RELEASED):
        instructions = copy.deepcopy(compiled.instructions)
        for instruction in instructions:
            instruction.wait &= ~(1 << semaphore)
            instruction.signal &= ~(1 << semaphore)
        spoilt = dataclasses.replace(compiled, program=encode_program(instructions))
        outputs = [run_functional(spoilt, operands, x, seed, addend)[0] for seed in range(1, 6)]
        assert any(not np.array_equal(output, expected) for output in outputs), semaphore.name


@pytest.mark.parametrize(
    ("config", "pool", "message"),
    [
        (
            dataclasses.replace(SQUARE, addends=0),
            None,
            "layer case takes an addend, and the accelerator has none: set addends=1024",
        ),
        (SQUARE, Pool(3, 2), "layer case takes an addend and pools windows that overlap, which takes two layers"),
    ],
)
def test_what_an_accelerator_cannot_add_is_refused(config: AcceleratorConfig, pool: Pool | None, message: str) -> None:
    layer = Layer("case", "conv", Convolution(4, 9, 9, 4), combination=SUM, pool=pool)
    with pytest.raises(LayerError) as caught:
        compile_layer(layer, config)
    assert str(caught.value) == message


def test_sparse_lanes_leave_an_adding_layer_to_the_mesh() -> None:
    layer = Layer("case", "fc", fully_connected(20, 1, 1, 8))
    assert SparseShape.of(layer, SPARSE) is not None
    assert SparseShape.of(dataclasses.replace(layer, combination=SUM), SPARSE) is None


def test_an_image_in_sections_is_not_added_to() -> None:
    layer = Layer("case", "conv", Convolution(1, 1, 40_000, 1), combination=SUM)
    with pytest.raises(LayerError, match=r"^layer case takes an addend, and its image is too large for one piece$"):
        compile_layer(layer, SQUARE)


def test_buffers_that_hold_no_group_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"^configuration field addends = 64 must hold two Winograd tiles of n \* n"):
        dataclasses.replace(WIDE, addends=64)
    with pytest.raises(
        ConfigError, match=r"^configuration field addends = 24 must be a power of two between 16 and 65536$"
    ):
        dataclasses.replace(TINY, addends=24)


@pytest.mark.parametrize(
    ("store", "message"),
    [
        (Store(combination=3), "STORE combines in a way 3 that there is none of"),
        (Store(combination=1, broadcast=2), "STORE broadcasts in a way 2 that there is none of"),
        (Store(combination=1, addend_base=128), "STORE begins at entry 128 of 128 addends"),
        (Store(combination=1, factor=1 << 24), "STORE combines with a factor of more than 25 bits"),
    ],
)
def test_the_specification_refuses_what_the_decoder_does(store: Store, message: str) -> None:
    layer = adding(np.random.default_rng(1), Layer("case", "conv", Convolution(4, 3, 3, 4), lookup=None))
    compiled = compile_layer(layer, SQUARE)
    instructions = compiled.instructions
    (last,) = (i for i in instructions if isinstance(i, Store))
    for name in ("combination", "broadcast", "addend_base", "factor"):
        setattr(last, name, getattr(store, name))
    random = np.random.default_rng(2)
    operands, x = random_case(random, layer)
    with pytest.raises(ProgramError) as caught:
        run_functional(
            dataclasses.replace(compiled, program=encode_program(instructions)),
            operands,
            x,
            1,
            random_addend(random, layer),
        )
    assert str(caught.value) == message


def test_a_table_comes_before_what_is_added() -> None:
    random = np.random.default_rng(4)
    layer = adding(random, dataclasses.replace(random_layer(random, Convolution(3, 5, 5, 3)), lookup=Lookup.LAYER))
    operands, x = random_case(random, layer)
    addend = random_addend(random, layer)
    output, _ = run_functional(compile_layer(layer, WIDE), operands, x, 1, addend)
    before = golden(dataclasses.replace(layer, combination=None), operands, x)
    assert layer.combination is not None
    total = layer.combination.factor * before.astype(int) + layer.combination.addend_factor * addend.astype(int)
    # NumPy rounds halves to even, and float64 holds the sums.
    np.testing.assert_array_equal(output, np.clip(np.round((total + layer.combination.offset) / ONE), -128, 127))
