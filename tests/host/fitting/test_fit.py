"""The search finds what exhaustion finds, says what binds, and refuses what cannot be in a sentence."""

import dataclasses
import functools

import numpy as np
import pytest

from wingrid.host.errors import UserError
from wingrid.host.estimates.estimate import estimator
from wingrid.host.execution.layer_times import time_layers
from wingrid.host.execution.network_result import NetworkResult
from wingrid.host.execution.setup import Setup
from wingrid.host.fitting.area_model import predicted_area
from wingrid.host.fitting.fit import ROOM, Objective, Wanted, describe, fitted
from wingrid.host.fitting.space import LADDERS, meshes, steps
from wingrid.host.networks.layer import Convolution, Layer, Operands
from wingrid.host.reports.report import Report
from wingrid.host.silicon.target import find_target
from wingrid.hw.config import AcceleratorConfig
from wingrid.sim.memory import MemoryTiming

TARGET = find_target("ecp5-45k-6")
SMALL = AcceleratorConfig(
    rows=2,
    cols=2,
    input_buffer=4096,
    weight_buffer=1152,
    accumulators=256,
    parameter_blocks=64,
    output_buffer=64,
    burst_beats=32,
)
MESH = frozenset({"rows", "cols", "winograd", "bus_bytes", "burst_beats"})
EVERYTHING = frozenset(field.name for field in dataclasses.fields(AcceleratorConfig))

by_model = estimator("digits", None, None)


def estimate(setup: Setup) -> NetworkResult:
    return by_model(setup, None)


@pytest.fixture(scope="module")
def layers() -> list:
    return [result.layer for result in estimate(Setup("timing", SMALL, MemoryTiming(40, 4))).layers]


@pytest.fixture(scope="module")
def exhausted() -> list[tuple[AcceleratorConfig, int, float, float]]:
    """Every mesh with these buffers that fits: cycles, energy and largest share."""
    found = []
    for config in meshes(SMALL, MESH):
        share = predicted_area(config, TARGET.family).share(TARGET)
        if all(part <= ROOM[name] for name, part in share.items()):
            timing = MemoryTiming.for_bus(config.bus_bytes)
            total = Report(estimate(Setup("timing", config, timing))).as_dict()["total"]
            found.append((config, total["cycles"], total["energy_uj"]["total"], max(share.values())))
    return found


@pytest.mark.parametrize("objective", Objective)
def test_the_best_mesh_is_that_of_exhaustion(layers: list, exhausted: list, objective: Objective) -> None:
    fit = fitted(estimate, layers, Wanted(TARGET, objective, mhz=100, fixed=SMALL, free=MESH))
    number = {Objective.THROUGHPUT: 1, Objective.ENERGY: 2}
    if objective is Objective.AREA:
        best = min(exhausted, key=lambda entry: entry[1] * entry[3])
    else:
        best = min(exhausted, key=lambda entry: entry[number[objective]])
    assert fit.candidates[0].config == best[0]
    assert fit.candidates[0].cycles == best[1]
    assert fit.meshes == len(exhausted)
    assert fit.left == 0
    assert fit.bounded + fit.timed == len(exhausted)


def test_so_many_images_per_second_take_the_smallest_mesh_that_makes_them(layers: list, exhausted: list) -> None:
    fps = 1e8 / sorted(cycles for _, cycles, _, _ in exhausted)[len(exhausted) // 2]
    fit = fitted(estimate, layers, Wanted(TARGET, fps=fps, mhz=100, fixed=SMALL, free=MESH))
    enough = [entry for entry in exhausted if 1e8 / entry[1] >= fps]
    assert max(fit.candidates[0].share.values()) == min(share for *_, share in enough)
    assert all(candidate.images_per_second >= fps for candidate in fit.candidates)


def test_buffers_are_enlarged_until_that_gains_nothing(layers: list) -> None:
    wanted = Wanted(TARGET, mhz=100, fixed=SMALL, free=frozenset(LADDERS) | {"burst_beats"})
    fit = fitted(estimate, layers, wanted)
    best = fit.candidates[0]
    assert (best.config.rows, best.config.cols, best.config.winograd) == (2, 2, 4)
    for config in steps(best.config, wanted.free):
        share = predicted_area(config, TARGET.family).share(TARGET)
        if all(part <= ROOM[name] for name, part in share.items()):
            cycles = Report(estimate(Setup("timing", config, best.timing))).as_dict()["total"]["cycles"]
            assert cycles >= best.cycles * 0.999


def test_what_is_out_of_reach_is_said_with_what_binds(layers: list) -> None:
    wanted = Wanted(TARGET, fps=1e6, mhz=100, fixed=SMALL, free=MESH)
    with pytest.raises(UserError, match=r"--fps 1e\+06 is out of reach on ecp5-45k-6: .* images per second at 100 MHz"):
        fitted(estimate, layers, wanted)


def test_frames_per_second_need_a_clock(layers: list) -> None:
    wanted = Wanted(find_target("xc7z020"), fps=10, fixed=SMALL, free=MESH)
    with pytest.raises(UserError, match="--fps needs a clock: Wingrid has no tool that places and routes"):
        fitted(estimate, layers, wanted)


def test_a_chip_without_room_is_refused(layers: list) -> None:
    tiny = dataclasses.replace(TARGET, name="tiny", logic=4000)
    with pytest.raises(UserError, match=r"tiny has no room: the smallest accelerator takes .* of its logic"):
        fitted(estimate, layers, Wanted(tiny, mhz=100, free=EVERYTHING))


def test_what_is_reserved_is_left(layers: list) -> None:
    alone = fitted(estimate, layers, Wanted(TARGET, mhz=100, fixed=SMALL, free=MESH)).candidates[0]
    others = {"logic": 10_000, "multipliers": 20, "memories": 60}
    beside = fitted(estimate, layers, Wanted(TARGET, mhz=100, fixed=SMALL, free=MESH, reserved=others)).candidates[0]
    assert beside.area.multipliers < alone.area.multipliers
    for name, count in others.items():
        available = getattr(TARGET, name)
        assert beside.share[name] == pytest.approx((getattr(beside.area, name) + count) / available)
        assert beside.share[name] <= ROOM[name]


def time_convolution(spread: float, setup: Setup) -> NetworkResult:
    """Few pixels and many weights, which take fewer bytes the less they spread."""
    layer = Layer("case", "conv", Convolution(64, 12, 12, 64, (3, 3), padding=(1, 1, 1, 1)))
    weights = np.clip(np.rint(np.random.default_rng(1).laplace(0, spread, (64, 64, 3, 3))), -127, 127).astype(np.int8)
    operands = Operands(weights, np.zeros(64, np.int32), np.ones(64, np.float32))
    return NetworkResult("case", setup, time_layers([(layer, lambda: operands)], setup), 1, 0.0)


@pytest.mark.parametrize(("spread", "bytes_per_cycle", "decoders"), [(2, 1, 2), (60, 1, 0), (2, 8, 0)])
def test_decoders_are_for_compressible_weights_that_are_waited_for(
    spread: float, bytes_per_cycle: int, decoders: int
) -> None:
    fixed = dataclasses.replace(SMALL, rows=8, cols=8, bus_bytes=8, accumulators=900)
    by_spread = functools.partial(time_convolution, spread)
    layers = [result.layer for result in by_spread(Setup("timing", fixed, MemoryTiming(40, 8))).layers]
    wanted = Wanted(
        find_target("ecp5-85k-6"), mhz=100, fixed=fixed, free=frozenset({"decoders"}),
        timing=MemoryTiming(40, bytes_per_cycle),
    )  # fmt: skip
    best = fitted(by_spread, layers, wanted).candidates[0]
    assert best.config == dataclasses.replace(fixed, decoders=decoders)
    assert describe(best.config) == "8x8 with F(4x4)" + (f", {decoders} decoders" if decoders else "")
    kept = fitted(by_spread, layers, dataclasses.replace(wanted, free=frozenset())).candidates[0]
    assert kept.config == fixed
    assert best.cycles < 0.95 * kept.cycles if decoders else best.cycles == kept.cycles
