"""ONNX models in one memory: every layer from what others left, every bit ONNX Runtime's, every cycle the model's."""

from __future__ import annotations

import numpy as np
import pytest
from image_cases import ImageCase, digits_case, random_graph_case
from layer_cases import SQUARE

from wingrid.host.execution.setup import Setup
from wingrid.host.images import tensor_memory
from wingrid.host.images.chained_run import run_chained, runner_for
from wingrid.host.onnx_models.bundled import DIGITS
from wingrid.host.onnx_models.judge import difference
from wingrid.host.onnx_models.model_run import WholeRun, run_model
from wingrid.host.onnx_models.sizes import Sizes
from wingrid.sim.memory import MemoryTiming

pytestmark = [pytest.mark.rtl, pytest.mark.slow]

SETUP = Setup("rtl", SQUARE, MemoryTiming.for_bus(SQUARE.bus_bytes), jobs=1)


def ran(case: ImageCase) -> WholeRun:
    assert case.graph is not None
    return run_chained(case.graph, case.inputs, SETUP)


def wrong(case: ImageCase, run: WholeRun) -> list[str]:
    """What failed: layers against golden and timing model, outputs against ONNX Runtime."""
    assert case.graph is not None
    failures = [text for layer in run.layers for text in layer.failures()]
    judged = difference(case.graph, case.inputs, run.outputs)
    return [*failures, judged] if judged else failures


def test_digits_give_onnxruntimes_bits() -> None:
    case = digits_case(2)
    run = ran(case)
    assert len(run.layers) == 8
    assert wrong(case, run) == []
    assert 0 < run.memory.peak < run.memory.total


@pytest.mark.parametrize("seed", range(0, 24, 5))
def test_random_graphs_give_onnxruntimes_bits(seed: int) -> None:
    """Half of them with branches, whose tensors others need later, and most with work for the host in between."""
    case = random_graph_case(seed)
    run = ran(case)
    assert [layer.layer.name for layer in run.layers] == [step.name for step in run.graph.accelerated]
    assert wrong(case, run) == [], f"seed {seed}"
    assert run.memory.peak <= run.memory.total


def test_tensors_in_the_same_place_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensor_memory, "placed", lambda needs: ([0] * len(needs), max(need.bytes for need in needs)))
    case = digits_case(2)
    assert wrong(case, ran(case))


def test_a_run_with_one_job_is_chained_and_says_what_its_tensors_take() -> None:
    assert runner_for(SETUP) is run_chained
    assert runner_for(Setup("rtl", SQUARE, SETUP.timing, jobs=2)) is None
    result = run_model(DIGITS, SETUP, sizes=Sizes({}, 1), runner=runner_for(SETUP))
    assert list(result.failures()) == []
    assert result.judgement is not None
    assert result.judgement.onnxruntime_equal
    assert result.tensor_memory is not None
    places = result.tensor_memory.tensors
    assert max(place.start + place.bytes for place in places) <= result.tensor_memory.peak
    assert (places[0].first, places[-1].last) == (0, 7)
    assert result.placement is not None
    assert result.placement.segments == 1
    assert [layer.output.dtype for layer in result.layers if layer.output is not None] == [np.int8] * 8
