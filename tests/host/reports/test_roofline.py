"""What bounds a layer, its roof, its energy, and what a program does: by hand, and tied to the counters."""

import math

import numpy as np
import pytest
from layer_cases import SQUARE, WIDE
from small_networks import SMALL_ALEXNET, SMALL_VGG16

from wingrid.host.execution.measurement import Activity, Measurement
from wingrid.host.execution.network_time import time_network
from wingrid.host.execution.setup import Setup
from wingrid.host.reports.energy import (
    ADD_32,
    BUFFER_64,
    Energy,
    buffer_bit_energy,
    buffer_traffic,
    layer_energy,
    multiply_add_energy,
)
from wingrid.host.reports.report import Report
from wingrid.host.reports.roofline import Bound, attainable, bound_by, demands, gain
from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.encoding import encode_program
from wingrid.hw.isa import Execute, Load, Store
from wingrid.hw.winograd.code_lane import CLASS
from wingrid.sim.memory import MemoryTiming

BYTES = {"instructions": 64, "weights": 32, "activations": 40, "parameters": 32, "results": 24}
PROGRAM = [
    Load(),
    Execute(blocks=3, kernel_height=2, kernel_width=5, count=7),
    Execute(tile=4, blocks=2, kernel_height=6, kernel_width=6, count=3),
    Execute(tile=2, blocks=1, kernel_height=4, kernel_width=4, count=2),
    Store(count=11),
    Store(count=5, pool=3, pool_stride=2),
    Store(count=3, tile=4, pool=2, pool_stride=2),
]
ACTIVITY = Activity(
    vectors=30 * 7 + 72 * 3 + 16 * 2,
    transformed=72 * 3 + 16 * 2,
    weight_tiles=30 + 72 + 16,
    raw_tiles=30 + 18 + 9,
    drained=11 + 5 * 9 + 3 * 36,
    stores=3,
)


def measured(cycles: int, busy: int, moved: dict[str, int] = BYTES) -> Measurement:
    return Measurement(cycles, busy, {"weights": cycles - busy}, moved)


def test_what_a_program_does_is_read_off_its_instructions() -> None:
    assert Activity.of(encode_program(PROGRAM)) == ACTIVITY
    assert Activity.of(encode_program([Load()])) == Activity(0, 0, 0, 0, 0, 0)


def test_codes_are_read_as_often_as_their_tiles_and_a_ring_ahead() -> None:
    # Three kernels of 3x3 weight tiles lie in 50 entries, and are read twice in two EXECUTEs each.
    program = [Execute(tile=4, coded=1, blocks=blocks, count=3) for blocks in (2, 1, 2, 1)]
    activity = Activity.of(encode_program(program), (50, 3))
    assert (activity.raw_tiles, activity.decoded_tiles, activity.code_entries) == (0, 54, 100 + 4 * 31)
    traffic = buffer_traffic(activity, measured(1000, 458), SQUARE)
    # Entries of two words, and symbols of four rows and columns that each look at two words, a class and a byte.
    assert traffic["weights"] == (120 * 4, (8 + 224) * 32)
    assert traffic["code rings"] == (64, 2 * (224 * 2 + 54 * 16) * 16)
    assert traffic["code classes"] == (48, 54 * 16 * CLASS.size)
    assert traffic["code symbols"] == (256, 54 * 16 * 8)


def test_sparse_lanes_read_entries_inputs_and_codebooks() -> None:
    program = [Execute(sparse=1, blocks=90, count=4), Execute(sparse=1, blocks=10, count=4, accumulate=1)]
    activity = Activity.of(encode_program(program))
    assert (activity.vectors, activity.sparse_entries, activity.sparse_vectors) == (0, 100, 4)
    traffic = buffer_traffic(activity, measured(1000, 100), WIDE)
    assert traffic["weights"] == (50 * 3, (8 + 100) * 24)
    assert traffic["inputs"] == (64 * 2, (10 + 100) * 16)
    assert traffic["codebooks"] == (32, 100 * 2 * 8)
    assert traffic["accumulators"] == (100 * 3 * 34 / 8, 4 * 3 * 34)


def test_decoders_bind_where_they_take_longer_than_the_mesh() -> None:
    # 16 weight tiles of F(2x2) for nine that are decoded, each row of those in two cycles.
    activity = Activity(40, 40, 16, 0, 0, 0, decoded_tiles=9)
    assert demands(measured(100, 40), activity, SQUARE, MemoryTiming(40, 4))[Bound.WEIGHTS] == 9 * 4 * 2


@pytest.mark.parametrize("network", [SMALL_VGG16, SMALL_ALEXNET], ids=lambda network: network.name)
@pytest.mark.parametrize("config", [SQUARE, WIDE], ids=["4x4", "2x3"])
def test_counters_and_activity_tie_out(network: object, config: AcceleratorConfig) -> None:
    estimated = time_network(network, Setup("timing", config, MemoryTiming(9, 3)))
    for result, layer in zip(estimated.layers, Report(estimated).as_dict()["layers"], strict=True):
        measurement, activity = result.measurement, result.activity
        assert measurement.cycles == measurement.busy + sum(measurement.stalls.values())
        assert activity.vectors == measurement.busy
        assert activity.transformed == (0 if layer["algorithm"] == "direct" else activity.vectors)
        asked = demands(measurement, activity, config, estimated.setup.timing)
        assert all(0 < asked[bound] <= measurement.cycles for bound in Bound if bound != Bound.LATENCY)
        assert 0 <= asked[Bound.LATENCY] < measurement.cycles
        assert 0 < layer["macs_per_cycle"] <= layer["attainable_macs_per_cycle"]


@pytest.mark.parametrize(
    ("cycles", "busy", "tiles", "bound"),
    [
        (100, 80, 5, Bound.COMPUTE),
        (100, 50, 5, Bound.COMPUTE),  # as many cycles as LATENCY has: the first one counts
        (100, 49, 5, Bound.LATENCY),
        (100, 40, 13, Bound.WEIGHTS),
        (100, 40, 12, Bound.LATENCY),
        (100, 60, 15, Bound.COMPUTE),
        (96, 40, 10, Bound.BANDWIDTH),
        (97, 40, 12, Bound.LATENCY),
    ],
)
def test_a_layer_is_bound_by_what_is_in_use_most(cycles: int, busy: int, tiles: int, bound: Bound) -> None:
    # 192 bytes at 4 a cycle hold the bus for 48 cycles; a weight tile takes 4 cycles.
    activity = Activity(busy, 0, tiles, tiles, 0, 0)
    found = demands(measured(cycles, busy), activity, SQUARE, MemoryTiming(40, 4))
    assert found[Bound.BANDWIDTH] == 48
    assert found[Bound.WEIGHTS] == 4 * tiles
    assert found[Bound.LATENCY] == cycles - max(busy, 48, 4 * tiles)
    assert bound_by(measured(cycles, busy), activity, SQUARE, MemoryTiming(40, 4)) == bound


def test_the_roof_is_bandwidth_then_multipliers() -> None:
    timing = MemoryTiming(40, 4)
    assert [gain(tile) for tile in (0, 2, 4)] == [1, 2.25, 4]
    assert attainable(1.5, 0, SQUARE, timing) == 6
    assert attainable(100, 0, SQUARE, timing) == 16
    assert attainable(100, 4, SQUARE, timing) == 64
    assert attainable(15, 4, SQUARE, timing) == 60


def test_energies_are_those_cited_and_lie_between_them() -> None:
    for size, energy in BUFFER_64:
        assert math.isclose(64 * buffer_bit_energy(size), energy)
    sizes = np.geomspace(1 << 10, 1 << 23, 50)
    energies = [buffer_bit_energy(size) for size in sizes]
    assert energies == sorted(energies)
    assert math.isclose(64 * buffer_bit_energy(2 << 10), 5)
    # 3.1 pJ are cited for a multiplication of 32 bits by 32.
    assert math.isclose(multiply_add_energy(0), 0.2 + ADD_32)
    assert math.isclose(multiply_add_energy(4), 0.2 * 15 * 14 / 64 + ADD_32 * 34 / 32)


def test_a_layers_energy_is_what_it_does_times_what_that_takes() -> None:
    energy = layer_energy(ACTIVITY, measured(1000, 458), 4, SQUARE)
    transformed, direct = ACTIVITY.transformed, 210
    assert math.isclose(energy.multiply_add, 16 * (direct * 0.3 + transformed * multiply_add_energy(4)))
    assert math.isclose(energy.dram, 192 / 4 * 640)
    traffic = buffer_traffic(ACTIVITY, measured(1000, 458), SQUARE)
    # Entries of 4 lanes, loaded a beat of 4 bytes each; accumulators have 34 bits, transformed pixels 15.
    assert traffic == {
        "inputs": (256 * 4, (10 + 458) * 32),
        "transformed": (117 * 4 * 15 / 8, 2 * 248 * 4 * 15),
        "weights": (120 * 4, (8 + 57 * 4) * 32),
        "accumulators": (117 * 4 * 34 / 8, (2 * 458 + 164) * 4 * 34),
        "parameters": (4 * 8 * 4, (8 + 3 * 8) * 32),
        "outputs": (32 * 4, 2 * 24 * 8),
        "code rings": (64, 0),
        "code classes": (48, 0),
        "code symbols": (256, 0),
    }
    assert math.isclose(energy.buffers, sum(bits * buffer_bit_energy(size) for size, bits in traffic.values()))
    assert math.isclose(energy.total, energy.multiply_add + energy.buffers + energy.dram)
    assert Energy(1, 2, 3) + Energy(10, 20, 30) == Energy(22, 44, 66).shared(2)
