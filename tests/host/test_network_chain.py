"""A whole network in one memory: in place where layouts allow it, and right everywhere."""

import dataclasses

import numpy as np
import pytest
from layer_cases import SQUARE, WIDE

import host.network_chain
from host.compiler import CompiledLayer
from host.network_chain import compile_chain, run_chain, walk_chain
from host.network_run import network_input, network_jobs, select_layers
from host.networks.network import Connect, Convolve, MaxPool, Network
from host.runner import Job, Machine, run_layers
from host.runtime import load_input, read_output
from hw.config import AcceleratorConfig
from sim.functional import FunctionalMachine
from sim.memory import MemoryTiming

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
TRANSFORMS = dataclasses.replace(SQUARE, winograd=4, accumulators=128, weight_buffer=256)


def on(config: AcceleratorConfig) -> Machine:
    return Machine("rtl", config, MemoryTiming.for_bus(config.bus_bytes), 200.0, jobs=1)


def jobs_for(images: int) -> list[Job]:
    return list(network_jobs(SMALL, network_input(SMALL, None, images), select_layers(SMALL, None)))


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
    compiled = compile_chain(jobs, on(config))
    machine = FunctionalMachine(config, max(layer.memory_bytes for layer in compiled))
    inputs = []

    def noted(memory: np.ndarray, layer: CompiledLayer, x: np.ndarray) -> None:
        inputs.append(layer.layer.name)
        load_input(memory, layer, x)

    def run(job: Job, layer: CompiledLayer) -> np.ndarray:
        machine.run(layer.memory.program, len(layer.instructions))
        return read_output(machine.memory, layer)

    monkeypatch.setattr(host.network_chain, "load_input", noted)
    for job, output in zip(jobs, walk_chain(machine.memory, jobs, compiled, images, run), strict=True):
        assert np.array_equal(output, job.expected), job.layer.name
    assert inputs == laid_out


def test_regions_do_not_overlap() -> None:
    for job, layer in zip(jobs := jobs_for(2), compile_chain(jobs, on(SQUARE)), strict=True):
        regions = layer.memory
        beats = layer.config.bus_bytes
        taken = -(-job.layer.shape.channels // 4) * job.x[:, 0].size * beats
        left = -(-job.layer.shape.kernels // 4) * np.prod(job.expected[:, 0].shape) * beats
        first, second = sorted([(regions.inputs, taken), (regions.outputs, left)])
        assert first[0] + first[1] <= second[0]
        assert second[0] + second[1] <= regions.weights < regions.parameters < regions.program


def test_a_layer_starts_from_what_the_one_before_left_not_from_golden() -> None:
    jobs = jobs_for(1)
    compiled = compile_chain(jobs, on(SQUARE))
    machine = FunctionalMachine(SQUARE, max(layer.memory_bytes for layer in compiled))

    def run(job: Job, layer: CompiledLayer) -> bool:
        machine.run(layer.memory.program, len(layer.instructions))
        right = np.array_equal(read_output(machine.memory, layer), job.expected)
        if job.layer.name == "b":
            machine.memory[layer.memory.outputs] ^= 0x40
        return right

    assert list(walk_chain(machine.memory, jobs, compiled, 1, run)) == [True, True, False, False, False]


def test_on_the_rtl_a_chain_equals_layers_side_by_side() -> None:
    jobs = jobs_for(1)
    chained = list(run_chain(jobs, on(SQUARE), images=1))
    apart = list(run_layers(jobs, dataclasses.replace(on(SQUARE), jobs=2)))
    assert all(result.exact for result in chained)
    assert [result.layer.name for result in chained] == ["a", "b", "c", "d", "e"]
    assert [result.measurement for result in chained] == [result.measurement for result in apart]
