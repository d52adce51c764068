"""No bound is above what the exact timing model finds, on random accelerators, memories and layers."""

import random
from collections.abc import Iterator
from functools import partial

import numpy as np

from wingrid.host.execution.layer_result import LayerResult
from wingrid.host.execution.layer_times import time_layers
from wingrid.host.execution.setup import Setup
from wingrid.host.fitting.bound import least
from wingrid.host.fitting.designs import Designs
from wingrid.host.networks.layer import Convolution, Layer, LayerError, Pool, fully_connected
from wingrid.host.networks.seeded_operands import seeded_operands
from wingrid.host.networks.vgg16 import VGG16
from wingrid.host.reports.efficiency import layer_limits
from wingrid.hw.config import AcceleratorConfig, ConfigError
from wingrid.sim.memory import Bridge, Dram, MemoryTiming

SEED, CASES = 20, 200
MICROJOULES_ROUNDED = 0.0006
"""Reports round to a thousandth."""


def power(rng: random.Random, low: int, high: int) -> int:
    return 1 << rng.randint(low, high)


def random_config(rng: random.Random) -> AcceleratorConfig:
    return AcceleratorConfig(
        rows=rng.choice([2, 3, 4, 5, 8, 12, 16]),
        cols=rng.choice([2, 3, 4, 5, 8, 12, 16]),
        winograd=rng.choice([0, 2, 4]),
        bus_bytes=rng.choice([0, 0, 16, 32]),
        input_buffer=power(rng, 5, 13),
        weight_buffer=rng.randint(16, 3000),
        accumulators=rng.choice([8, 20, 72, 100, 256, 900]),
        parameter_blocks=power(rng, 1, 5),
        output_buffer=power(rng, 5, 9),
        queue_depth=power(rng, 1, 4),
        fetch_ahead=power(rng, 1, 5),
        burst_beats=power(rng, 0, 6),
        reads_in_flight=power(rng, 0, 4),
        writes_in_flight=power(rng, 0, 4),
    )


def random_shape(rng: random.Random) -> Convolution:
    channels = rng.choice([1, 3, 4, 7, 16, 24, 32, 64])
    if rng.random() < 0.15:
        return fully_connected(channels, rng.randint(1, 6), rng.randint(1, 6), rng.choice([10, 64, 200]), 2)
    groups = rng.choice([1, 1, 1, 1, channels])
    kernel = rng.choice([1, 2, 3, 3, 3, 5])
    return Convolution(
        channels,
        rng.choice([4, 7, 9, 14, 20, 33]),
        rng.choice([4, 7, 9, 14, 20, 33]),
        groups * rng.choice([1, 2, 5, 8, 16]),
        kernel=(kernel, rng.choice([kernel, kernel, 1])),
        stride=(rng.choice([1, 1, 2, 3]),) * 2 if rng.random() < 0.4 else (1, 1),
        padding=(rng.randint(0, 2),) * 4,
        dilation=(rng.choice([1, 1, 2]),) * 2 if rng.random() < 0.3 else (1, 1),
        groups=groups,
        images=rng.choice([1, 1, 2]),
    )


def random_memory(rng: random.Random, bus_bytes: int) -> MemoryTiming:
    latency, kind = rng.choice([1, 8, 40, 100]), rng.random()
    if kind < 0.2:
        bridge = Bridge(rng.randint(1, 4), rng.randint(1, 4))
        return MemoryTiming(latency, bus_bytes, write_latency=rng.randint(1, 5), bridge=bridge)
    width = rng.choice([1, 2, 3, 4, bus_bytes])
    return MemoryTiming(latency, width, dram=Dram() if kind < 0.35 else None)


def exact_cases() -> Iterator[tuple[Layer, AcceleratorConfig, MemoryTiming, LayerResult]]:
    rng = random.Random(SEED)
    left = CASES
    while left:
        try:
            config = random_config(rng)
            pool = rng.choice([None, None, Pool(2, 2), Pool(3, 2), Pool(2, 3)])
            layer = Layer("layer", "conv", random_shape(rng), pool=pool, prepared=rng.random() < 0.4)
            timing = random_memory(rng, config.bus_bytes)
            setup = Setup("timing", config, timing)
            yield layer, config, timing, time_layers([(layer, partial(seeded_operands, layer))], setup)[0]
            left -= 1
        except (ConfigError, LayerError):
            continue


def test_no_bound_is_above_what_is_exact() -> None:
    ratios = []
    for layer, config, timing, result in exact_cases():
        bound = least([layer], Designs.of(config), timing)
        energy = layer_limits(result, Setup("timing", config, timing))["energy_uj"]["total"]
        assert result.measurement is not None
        exact = (result.measurement.cycles, result.measurement.dram_bytes, energy)
        low = (bound.cycles[0], bound.dram_bytes[0], bound.microjoules[0] - MICROJOULES_ROUNDED)
        for name, least_of, found in zip(("cycles", "bytes", "microjoules"), low, exact, strict=True):
            assert least_of <= found, f"seed {SEED}: {name} of {layer} on {config} with {timing}"
        ratios.append([found / least_of for least_of, found in zip(low, exact, strict=True)])
    # These layers are small, so that most of their time is that of starting.
    assert np.all(np.median(ratios, axis=0) < (2.5, 1.5, 1.5))


def test_no_bound_is_above_an_average_over_stacked_blocks() -> None:
    rng = random.Random(SEED)
    config = AcceleratorConfig(rows=4, cols=4, winograd=0, input_buffer=1024, weight_buffer=256, accumulators=64)
    setup = Setup("timing", config, MemoryTiming.for_bus(config.bus_bytes))
    for _ in range(20):
        channels, height, width = rng.randint(1, 60), rng.randint(1, 8), rng.randint(1, 8)
        shape = Convolution(channels, height, width, channels, (height, width), groups=channels)
        layer = Layer("average", "avgpool", shape, alike=True)
        (result,) = time_layers([(layer, partial(seeded_operands, layer))], setup)
        bound = least([layer], Designs.of(config), setup.timing)
        assert result.measurement is not None
        assert bound.cycles[0] <= result.measurement.cycles, layer
        assert bound.dram_bytes[0] <= result.measurement.dram_bytes, layer


def test_of_a_large_network_bounds_are_near() -> None:
    config = AcceleratorConfig(rows=16, cols=16)
    timing = MemoryTiming.for_bus(config.bus_bytes)
    layers = VGG16.layers()
    found = time_layers([(layer, partial(seeded_operands, layer)) for layer in layers], Setup("timing", config, timing))
    cycles = sum(result.measurement.cycles for result in found if result.measurement)
    bound = least(layers, Designs.of(config), timing)
    assert 0.95 * cycles < bound.cycles[0] <= cycles


def test_of_many_designs_each_has_the_bound_that_it_has_alone() -> None:
    mesh = AcceleratorConfig(rows=4, cols=4)
    sizes = {"input_buffer": [256, 1024, 4096], "weight_buffer": [144, 600, 4704], "accumulators": [72, 256, 900]}
    designs = Designs(mesh, sizes)
    timing = MemoryTiming.for_bus(mesh.bus_bytes)
    layers = VGG16.layers()[:5]
    together = least(layers, designs, timing)
    for index in range(len(designs)):
        alone = least(layers, Designs.of(designs.config(index)), timing)
        assert together.cycles[index] == alone.cycles[0]
        assert together.microjoules[index] == alone.microjoules[0]


def test_designs_are_legal_where_a_configuration_can_be() -> None:
    mesh = AcceleratorConfig(rows=4, cols=4)
    sizes = [7, 8, 72, 100, 1 << 16]
    designs = Designs(mesh, {"accumulators": sizes, "output_buffer": [16, 32, 64, 48, 64], "burst_beats": 16})
    for index, legal in enumerate(designs.legal):
        try:
            config = designs.config(index)
        except ConfigError:
            assert not legal
        else:
            assert legal
            assert designs.on_chip_bytes[index] == config.on_chip_bytes
