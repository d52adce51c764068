"""The order of steps: as few turns between array and host as their dependences allow."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from onnx import helper

from wingrid.host.networks.layer import Convolution, Layer, Operands
from wingrid.host.onnx_models.graph import IMAGES, AcceleratedStep, HostStep, Step
from wingrid.host.onnx_models.scheduling import scheduled, segments
from wingrid.host.onnx_models.shapes import TensorType

TYPE = TensorType(np.dtype(np.int8), (1, 1, 1, 1))
LAYER = Layer("layer", "conv", Convolution(1, 1, 1, 1, kernel=(1, 1)))
OPERANDS = Operands(np.ones((1, 1, 1, 1), np.int8), np.zeros(1, np.int32), np.ones(1, np.float32))


def step(source: str, target: str, *, layer: bool) -> Step:
    if layer:
        return AcceleratedStep(LAYER, OPERANDS, IMAGES, source, target, TYPE, TYPE, (target,))
    return HostStep(helper.make_node("Relu", [source], [target], name=target), "a reason")


def random_steps(seed: int) -> list[Step]:
    """Each takes what one of those before it leaves, or the model's input."""
    random = np.random.default_rng(seed)
    return [step(f"t{random.integers(-1, index)}", f"t{index}", layer=bool(random.integers(2))) for index in range(7)]


def turns(steps: list[Step]) -> int:
    return sum(1 for _ in itertools.groupby(steps, type))


def possible(steps: list[Step] | tuple[Step, ...]) -> bool:
    """Whether each step comes behind the one whose tensor it takes."""
    there = {"t-1"}
    for one in steps:
        taken, left = (one.source, one.target) if isinstance(one, AcceleratedStep) else (one.node.input[0], one.name)
        if taken not in there:
            return False
        there.add(left)
    return True


@pytest.mark.parametrize("seed", range(12))
def test_no_order_has_fewer_turns(seed: int) -> None:
    steps = random_steps(seed)
    found = scheduled(steps)
    assert possible(found)
    assert sorted(map(id, found)) == sorted(map(id, steps))
    assert turns(found) == min(turns(list(order)) for order in itertools.permutations(steps) if possible(order))


def test_segments_are_the_arrays_turns() -> None:
    host, layer = (step("t-1", "t0", layer=kind) for kind in (False, True))
    assert segments([]) == segments([host]) == 0
    assert segments([layer, layer, host, layer]) == 2
