"""What must hold between estimates: a better memory never costs cycles, a larger batch never saves any."""

import itertools
from dataclasses import dataclass

import numpy as np
import pytest
from layer_cases import CONFIGS, RTL_CONFIGS, pooled_layer, random_layer, random_winograd_convolution
from small_networks import SMALL_ALEXNET, SMALL_VGG16

from wingrid.host.compiler.algorithms import TILES
from wingrid.host.compiler.compile_layer import CompiledLayer, compile_layer
from wingrid.host.execution.layer_times import play
from wingrid.host.execution.network_time import time_network
from wingrid.host.execution.setup import Setup
from wingrid.host.networks.layer import Layer, LayerError
from wingrid.host.networks.network import Network
from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.registers import Counter
from wingrid.sim.memory import MemoryTiming

LATENCIES = (1, 2, 5, 17, 40, 150)
SEEDS = range(6)
NETWORKS = pytest.mark.parametrize("network", [SMALL_VGG16, SMALL_ALEXNET], ids=lambda network: network.name)


def random_layers(seed: int) -> list[Layer]:
    random = np.random.default_rng(seed)
    return [random_layer(random), random_layer(random, random_winograd_convolution(random)), pooled_layer(random)]


def programs(config: AcceleratorConfig) -> list[CompiledLayer]:
    """Random layers by each algorithm that this accelerator and the layer allow."""
    found = []
    for seed in SEEDS:
        for layer, tile in itertools.product(random_layers(seed), TILES.values()):
            if tile in (0, *config.tiles):
                try:
                    found.append(compile_layer(layer, config, tiles=(tile,)))
                except LayerError:
                    continue
    return found


@dataclass(frozen=True)
class Run:
    """What a program took, and in which order its bursts had memory's bus."""

    counters: dict[Counter, int]
    order: list[tuple[int, int]]

    @classmethod
    def of(cls, layer: CompiledLayer, program: bytes, timing: MemoryTiming) -> "Run":
        result = play(layer, program, timing, events=True)
        transfers = result.transfers[np.argsort(result.transfers["first"], kind="stable")]
        return cls(result.counters, list(zip(transfers["kind"].tolist(), transfers["address"].tolist(), strict=True)))


@pytest.mark.slow
@pytest.mark.parametrize("config", CONFIGS.values(), ids=list(CONFIGS))
def test_a_better_memory_never_costs_cycles_and_moves_the_same_bytes(config: AcceleratorConfig) -> None:
    """As long as bursts have the bus in the same order: where a read gets ahead of a write, another one may suffer."""
    print("seeds", SEEDS)
    compiled, alike, compared = programs(config), 0, 0
    for layer in compiled:
        program = layer.program
        runs = {
            (latency, bandwidth): Run.of(layer, program, MemoryTiming(latency, bandwidth))
            for latency in LATENCIES
            for bandwidth in range(1, config.bus_bytes + 1)
        }
        for (latency, bandwidth), run in runs.items():
            parts = [run.counters[counter] for counter in Counter if counter.name.startswith("STALL_")]
            assert run.counters[Counter.CYCLES] == run.counters[Counter.BUSY] + sum(parts)
            lower = [(shorter, bandwidth) for shorter in LATENCIES if shorter < latency]
            for better in (runs[memory] for memory in [*lower, (latency, bandwidth + 1)] if memory in runs):
                same = [counter for counter in Counter if counter.name.startswith(("BUSY", "BYTES_"))]
                assert [better.counters[counter] for counter in same] == [run.counters[counter] for counter in same]
                compared += 1
                if better.order == run.order:
                    alike += 1
                    assert better.counters[Counter.CYCLES] <= run.counters[Counter.CYCLES], layer.layer
    print(f"{alike} of {compared} pairs of {len(compiled)} programs in the same order")
    assert alike > 100


@pytest.mark.slow
@NETWORKS
@pytest.mark.parametrize("config", RTL_CONFIGS.values(), ids=list(RTL_CONFIGS))
def test_a_larger_batch_never_takes_less(network: Network, config: AcceleratorConfig) -> None:
    setup = Setup("timing", config, MemoryTiming.for_bus(config.bus_bytes))
    one, two, four = (
        [result.measurement.cycles for result in time_network(network, setup, images=images).layers]
        for images in (1, 2, 4)
    )
    assert all(first <= second <= third for first, second, third in zip(one, two, four, strict=True))
