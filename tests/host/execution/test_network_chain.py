"""A whole network in one memory: in place where layouts allow it, and right everywhere."""

import dataclasses

import numpy as np
import pytest
from layer_cases import SQUARE, WIDE

from wingrid.host.compiler.compile_layer import CompiledLayer
from wingrid.host.execution.driver import load_input, read_output
from wingrid.host.execution.layer_run import Job
from wingrid.host.execution.network_chain import compile_chain, run_chain, walk_chain
from wingrid.host.execution.network_jobs import network_jobs
from wingrid.host.execution.parallel import run_layers
from wingrid.host.execution.setup import Setup
from wingrid.host.networks.inputs import network_input
from wingrid.host.networks.network import Connect, Convolve, MaxPool, Network, Normalise
from wingrid.hw.config import AcceleratorConfig
from wingrid.sim.functional import FunctionalMachine
from wingrid.sim.memory import MemoryTiming

SMALL = Network(
    "small",
    "for tests",
    3,
    21,
    17,
    (
        Convolve("a", 10, kernel=3, padding=1),
        Convolve("b", 12, kernel=3, padding=1),
        MaxPool("pool1"),
        Convolve("c", 14, kernel=3, padding=1, groups=2),
        MaxPool("pool2", kernel=3, stride=2),
        Connect("d", 30),
        Connect("e", 7),
    ),
)
LIKE_ALEXNET = Network(
    "like-alexnet",
    "for tests: AlexNet's kinds of layers in their order, few channels",
    3,
    67,
    67,
    (
        Convolve("conv1", 12, kernel=11, stride=4),
        MaxPool("pool1", kernel=3, stride=2),
        Normalise("norm1"),
        Convolve("conv2", 16, kernel=5, padding=2, groups=2),
        MaxPool("pool2", kernel=3, stride=2),
        Normalise("norm2"),
        Convolve("conv3", 12, kernel=3, padding=1),
        Convolve("conv4", 12, kernel=3, padding=1, groups=2),
        Connect("fc6", 20),
        Connect("fc7", 10),
    ),
)
TRANSFORMS = dataclasses.replace(SQUARE, winograd=4, accumulators=128, weight_buffer=256)


def setup(config: AcceleratorConfig) -> Setup:
    return Setup("rtl", config, MemoryTiming.for_bus(config.bus_bytes), jobs=1)


def jobs_for(images: int, network: Network = SMALL) -> list[Job]:
    return list(network_jobs(network, network_input(network, None, images), network.select()))


@pytest.mark.parametrize(
    ("config", "images", "laid_out"),
    [
        # The network's input alone; besides it what a batch's first fully connected layer takes; each layer's input.
        (SQUARE, 1, ["a"]),
        (TRANSFORMS, 1, ["a"]),
        (SQUARE, 2, ["a", "d"]),
        (WIDE, 1, ["a", "b", "c", "d", "e"]),
        (WIDE, 3, ["a", "b", "c", "d", "e"]),
    ],
)
def test_layers_hand_their_results_on_in_memory(
    config: AcceleratorConfig, images: int, laid_out: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = jobs_for(images)
    compiled = compile_chain(jobs, setup(config))
    machine = FunctionalMachine(config, max(layer.memory_bytes for layer in compiled))
    inputs = []

    def noted(memory: np.ndarray, layer: CompiledLayer, x: np.ndarray) -> None:
        inputs.append(layer.layer.name)
        load_input(memory, layer, x)

    def run(job: Job, layer: CompiledLayer) -> np.ndarray:
        machine.run(layer.memory.program, layer.length)
        return read_output(machine.memory, layer)

    monkeypatch.setattr("wingrid.host.execution.network_chain.load_input", noted)
    for job, output in zip(jobs, walk_chain(machine.memory, jobs, compiled, images, run), strict=True):
        assert np.array_equal(output, job.expected), job.layer.name
    assert inputs == laid_out


def test_layers_that_are_cut_are_laid_out_by_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wingrid.host.compiler.cutting.LARGEST_POSITION", 7)
    jobs = jobs_for(2)
    compiled = compile_chain(jobs, setup(SQUARE))
    assert any(layer.cutting for layer in compiled[1:])
    machine = FunctionalMachine(SQUARE, max(layer.memory_bytes for layer in compiled))

    def run(job: Job, layer: CompiledLayer) -> np.ndarray:
        machine.run(layer.memory.program, layer.length)
        return read_output(machine.memory, layer)

    for job, output in zip(jobs, walk_chain(machine.memory, jobs, compiled, 2, run), strict=True):
        assert np.array_equal(output, job.expected), job.layer.name


def test_regions_do_not_overlap() -> None:
    for job, layer in zip(jobs := jobs_for(2), compile_chain(jobs, setup(SQUARE)), strict=True):
        regions = layer.memory
        beats = layer.config.bus_bytes
        taken = -(-job.layer.shape.channels // 4) * job.x[:, 0].size * beats
        left = -(-job.layer.shape.kernels // 4) * np.prod(job.expected[:, 0].shape) * beats
        first, second = sorted([(regions.inputs, taken), (regions.outputs, left)])
        assert first[0] + first[1] <= second[0]
        assert second[0] + second[1] <= regions.weights < regions.parameters < regions.program


def test_a_layer_starts_from_what_the_one_before_left_not_from_golden() -> None:
    jobs = jobs_for(1)
    compiled = compile_chain(jobs, setup(SQUARE))
    machine = FunctionalMachine(SQUARE, max(layer.memory_bytes for layer in compiled))

    def run(job: Job, layer: CompiledLayer) -> bool:
        machine.run(layer.memory.program, layer.length)
        right = np.array_equal(read_output(machine.memory, layer), job.expected)
        if job.layer.name == "b":
            machine.memory[layer.memory.outputs : layer.memory.outputs + 64] ^= 0x40
        return right

    assert list(walk_chain(machine.memory, jobs, compiled, 1, run)) == [True, True, False, False, False]


@pytest.mark.rtl
@pytest.mark.parametrize(("network", "images"), [(SMALL, 1), (SMALL, 3), (LIKE_ALEXNET, 1), (LIKE_ALEXNET, 2)])
def test_on_the_rtl_a_chain_equals_layers_side_by_side(network: Network, images: int) -> None:
    jobs = jobs_for(images, network)
    chained = list(run_chain(jobs, setup(SQUARE), images=images))
    apart = list(run_layers(jobs, dataclasses.replace(setup(SQUARE), jobs=2)))
    names = network.select()
    assert [result.layer.name for result in chained] == [result.layer.name for result in apart] == names
    assert all(result.exact for result in (*chained, *apart))
    assert [result.measurement for result in chained] == [result.measurement for result in apart]
    for one, other in zip(chained, apart, strict=True):
        assert np.array_equal(one.output, other.output)


@pytest.mark.rtl
def test_a_normalisation_between_layers_goes_through_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = jobs_for(1, LIKE_ALEXNET)
    inputs = []

    def noted(memory: np.ndarray, layer: CompiledLayer, x: np.ndarray) -> None:
        inputs.append(layer.layer.name)
        load_input(memory, layer, x)

    monkeypatch.setattr("wingrid.host.execution.network_chain.load_input", noted)
    assert all(result.exact for result in run_chain(jobs, setup(SQUARE), images=1))
    assert inputs == ["conv1", "conv2", "conv3"]


@pytest.mark.rtl
@pytest.mark.parametrize("images", [2, 3, 8])
def test_a_batch_reads_fully_connected_weights_once(images: int) -> None:
    one, many = (
        {result.layer.name: result for result in run_chain(jobs_for(count), setup(SQUARE), images=count)}
        for count in (1, images)
    )
    for name in ("d", "e"):
        single, batch = one[name].measurement, many[name].measurement
        assert single is not None
        assert batch is not None
        assert many[name].exact
        assert batch.bytes["weights"] == single.bytes["weights"]
        assert batch.bytes["parameters"] == single.bytes["parameters"]
        assert batch.bytes["activations"] == images * single.bytes["activations"]
        assert batch.cycles < images * single.cycles
