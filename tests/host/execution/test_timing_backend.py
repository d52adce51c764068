"""The timing model beside the RTL: the same counters and events for every layer, and a clear word where they differ."""

import dataclasses
import json
import re
from typing import Any

import pytest
from layer_cases import RTL_CONFIGS, SQUARE
from small_networks import SMALL_ALEXNET, SMALL_VGG16

from wingrid.host.commands.app import main
from wingrid.host.execution.layer_result import LayerResult
from wingrid.host.execution.layer_run import Job, run_layer
from wingrid.host.execution.layer_times import time_layer
from wingrid.host.execution.network_chain import run_chain
from wingrid.host.execution.network_jobs import network_jobs
from wingrid.host.execution.parallel import run_layers
from wingrid.host.execution.setup import Setup
from wingrid.host.networks.built_in import BUILT_IN
from wingrid.host.networks.inputs import network_input
from wingrid.host.networks.layer import Convolution, Layer, Operands
from wingrid.host.networks.network import Network
from wingrid.host.networks.seeded_operands import seeded_operands
from wingrid.hw.encoding import ProgramError
from wingrid.sim.memory import MemoryTiming
from wingrid.sim.timing.model import TimingResult, simulate

pytestmark = pytest.mark.rtl

SMALL = [f"--set={name}={value}" for name, value in vars(SQUARE).items() if name != "bus_bytes"]


def setup_for(backend: str, array: str = "4x4", latency: int = 40, bytes_per_cycle: int = 4) -> Setup:
    return Setup(backend, RTL_CONFIGS[array], MemoryTiming(latency, bytes_per_cycle), jobs=1)


def jobs_for(network: Network) -> list[Job]:
    return list(network_jobs(network, network_input(network, None, 1), network.select()))


def call(*arguments: object) -> int:
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    assert isinstance(caught.value.code, int)
    return caught.value.code


@pytest.fixture
def built_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """The small networks as commands find them."""
    for network in (SMALL_VGG16, SMALL_ALEXNET):
        monkeypatch.setitem(BUILT_IN, network.name, network)


@pytest.fixture
def slow_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model whose memory answers a cycle later than the RTL's."""

    def late(config: object, program: bytes, timing: MemoryTiming, **options: Any) -> TimingResult:  # noqa: ANN401
        return simulate(config, program, dataclasses.replace(timing, latency=timing.latency + 1), **options)

    monkeypatch.setattr("wingrid.host.execution.layer_times.simulate", late)


@pytest.mark.parametrize("network", [SMALL_VGG16, SMALL_ALEXNET], ids=lambda network: network.name)
@pytest.mark.parametrize(
    ("array", "latency", "bytes_per_cycle"), [("4x4", 40, 4), ("4x4", 1, 1), ("2x3", 7, 3), ("2x3", 100, 4)]
)
def test_every_layer_takes_as_long_as_the_model_says(
    network: Network, array: str, latency: int, bytes_per_cycle: int
) -> None:
    jobs = jobs_for(network)
    setup = setup_for("rtl", array, latency, bytes_per_cycle)
    apart = list(run_layers(jobs, setup))
    assert [result.layer.name for result in apart] == network.select()
    for result in apart:
        assert list(result.failures()) == []
        assert (result.exact, result.timing_equal) == (True, True)
    for job, result in zip(jobs, apart, strict=True):
        estimated = run_layer(job, dataclasses.replace(setup, backend="timing"))
        same = ("layer", "algorithm", "measurement", "activity", "unfolded", "sections")
        assert [getattr(estimated, name) for name in same] == [getattr(result, name) for name in same]
        assert (estimated.output, estimated.exact, estimated.timing_equal) == (None, None, None)


def test_layers_of_a_chain_are_compared_too() -> None:
    setup = setup_for("rtl", "2x3")
    results = list(run_chain(jobs_for(SMALL_ALEXNET), setup, images=1))
    assert len(results) == 8
    assert all(result.exact and result.timing_equal for result in results)


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_difference_names_layer_counters_and_instruction(
    jobs: int, built_in: None, slow_model: None, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["run", "small-alexnet", "--jobs", jobs, "--bytes-per-cycle", 4, "--json", "-", *SMALL]
    assert call(*arguments) == 1
    output, error = capsys.readouterr()
    found = json.loads(output)["layers"]
    assert [(layer["exact"], layer["timing_equal"]) for layer in found] == [(True, False)] * 8
    lines = error.splitlines()
    assert len(lines) == 8
    cycles = found[0]["cycles"]
    assert lines[0].startswith("wingrid: layer conv1: the timing model differs from the RTL: CYCLES is ")
    assert f" in the model, {cycles} on the RTL; " in lines[0]
    assert "BYTES" not in error
    # The very first thing that memory answers is the first instruction.
    ending = r"; first instruction 0 \(LOAD\): DISPATCHED in cycle (\d+) in the model, in cycle (\d+) on the RTL"
    parted = re.search(f"{ending}$", lines[0])
    assert parted
    assert int(parted[1]) == int(parted[2]) + 1


def test_events_alone_are_a_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    def shifted(*arguments: Any, **options: Any) -> TimingResult:  # noqa: ANN401
        result = simulate(*arguments, **options)
        assert result.events is not None
        events = result.events.copy()
        events["cycle"][-1] += 1
        return dataclasses.replace(result, events=events)

    monkeypatch.setattr("wingrid.host.execution.layer_times.simulate", shifted)
    [result] = run_layers(jobs_for(SMALL_ALEXNET)[-1:], setup_for("rtl"))
    assert (result.exact, result.timing_equal) == (True, False)
    [line] = result.failures()
    assert line.startswith("layer fc8: the timing model differs from the RTL: first instruction ")
    assert "(STORE): STORE_ENDED in cycle " in line


def test_a_program_that_the_model_cannot_play_is_a_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **options: object) -> TimingResult:
        raise ProgramError("it comes to a standstill")

    monkeypatch.setattr("wingrid.host.execution.layer_times.simulate", refuse)
    [result] = run_layers(jobs_for(SMALL_ALEXNET)[-1:], setup_for("rtl"))
    assert result.timing_equal is False
    assert list(result.failures()) == [
        "layer fc8: the timing model differs from the RTL: "
        "it cannot tell the time of the program: it comes to a standstill"
    ]


@pytest.mark.parametrize("memory", [[], ["--dram", "--latency", 25]], ids=["ideal", "dram"])
def test_the_timing_backend_reports_what_the_rtl_does(
    memory: list[object], built_in: None, capsys: pytest.CaptureFixture[str]
) -> None:
    reports = []
    for backend in ("rtl", "timing"):
        assert call("run", "small-vgg16", "--backend", backend, "--json", "-", *memory, *SMALL) == 0
        reports.append(json.loads(capsys.readouterr().out))
    rtl, timing = reports
    assert (rtl.pop("backend"), timing.pop("backend")) == ("rtl", "timing")
    assert len(rtl.pop("guesses")[0]) == 5
    assert timing.pop("guesses") is None
    assert rtl["host_operations"].pop() == {"operation": "softmax", "after": "fc8"}
    for layers, checks in ((rtl["layers"], (True, True)), (timing["layers"], (None, None))):
        assert [(layer.pop("exact"), layer.pop("timing_equal")) for layer in layers] == [checks] * 16
    for report in reports:
        report["total"].pop("wall_seconds")
    assert rtl["total"].pop("rtl_cycles_per_second") > 0
    assert timing["total"].pop("rtl_cycles_per_second") is None
    assert rtl == timing
    assert (rtl["memory"]["dram"] is not None) == bool(memory)


def test_a_matrix_product_can_be_timed(capsys: pytest.CaptureFixture[str]) -> None:
    found = []
    for backend in ("rtl", "timing"):
        assert call("matmul", 9, 10, 11, "--backend", backend, "--json", "-", *SMALL) == 0
        found.append(json.loads(capsys.readouterr().out)["layers"][0])
    assert found[0]["timing_equal"] is True
    assert [found[0][name] for name in ("cycles", "busy", "stalls", "bytes")] == [
        found[1][name] for name in ("cycles", "busy", "stalls", "bytes")
    ]


def timed(channels: int) -> tuple[LayerResult, int]:
    """A layer's result from the model, and how often it asked for the weights; they are as large as int8 goes."""
    layer = Layer("wide", "conv", Convolution(channels, 6, 6, 4, kernel=(3, 3)))
    asked = 0

    def operands() -> Operands:
        nonlocal asked
        asked += 1
        found = seeded_operands(layer)
        found.weights[:] = -128
        return found

    setup = setup_for("timing")
    # Where weights may be compressed they are looked at in any case.
    config = dataclasses.replace(setup.config, decoders=0)
    return time_layer(layer, operands, dataclasses.replace(setup, config=config, algorithm="winograd4")), asked


def test_weights_are_only_looked_at_where_the_algorithm_depends_on_them() -> None:
    result, asked = timed(512)
    assert (result.algorithm, asked) == ("winograd4", 0)
    result, asked = timed(1024)
    assert (result.algorithm, asked) == ("direct", 1)
