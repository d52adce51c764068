"""Integers for additions: ONNX Runtime's result for every pair of bytes, or none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper

from wingrid.host.onnx_models import addition_proof
from wingrid.host.onnx_models.addition_proof import QuantisedSum
from wingrid.host.onnx_models.graph import as_type, signed
from wingrid.sim.golden.addition import added

NODE = helper.make_node("QLinearAdd", ["a", "as", "az", "b", "bs", "bz", "s", "z"], ["o"], domain="com.microsoft")
LIKE = helper.make_model(
    helper.make_graph([], "empty", [], []),
    opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)],
    ir_version=8,
)
EVERY = np.arange(-128, 128).astype(np.int8)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WINGRID_CACHE", str(tmp_path))


def random_sum(seed: int) -> QuantisedSum:
    """Scales as networks have them: neither tensor's is more than four times the sum's."""
    random = np.random.default_rng(seed)
    total = 10 ** random.uniform(-3, 0)
    scales = [float(np.float32(total * factor)) for factor in (*np.exp(random.uniform(-2, 1.3, 2)), 1)]
    zeros = [int(random.choice([-128, 0, 127, random.integers(-128, 128)])) for _ in range(3)]
    return QuantisedSum(
        (scales[0], scales[1], scales[2]), (zeros[0], zeros[1], zeros[2]), np.dtype([np.uint8, np.int8][seed % 2])
    )


def onnxruntimes(total: QuantisedSum, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """By a session of this test's own."""
    kind = helper.np_dtype_to_tensor_dtype(total.dtype)
    constants = []
    for name, scale, zero in zip(("a", "b", ""), total.scales, total.zero_points, strict=True):
        constants.append(helper.make_tensor(f"{name}s", onnx.TensorProto.FLOAT, [], [scale]))
        byte = int(as_type(np.array([zero], np.int8), total.dtype)[0])
        constants.append(helper.make_tensor(f"{name}z", kind, [], [byte]))
    inputs = [helper.make_tensor_value_info(name, kind, None) for name in ("a", "b")]
    outputs = [helper.make_tensor_value_info("o", kind, None)]
    model = helper.make_model(
        helper.make_graph([NODE], "sum", inputs, outputs, constants), opset_imports=LIKE.opset_import, ir_version=8
    )
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return signed(session.run(None, {"a": as_type(a, total.dtype), "b": as_type(b, total.dtype)})[0])


@pytest.mark.parametrize("seed", range(12))
def test_all_pairs_are_onnxruntimes_wherever_they_lie(seed: int) -> None:
    total = random_sum(seed)
    found = total.proven(NODE, LIKE)
    assert found is not None, total
    random = np.random.default_rng(seed)
    numbers = found.factor, found.addend_factor, found.offset
    order = random.permutation(1 << 16)
    a, b = EVERY[order >> 8], EVERY[order & 255]
    np.testing.assert_array_equal(added(a, b, *numbers), onnxruntimes(total, a, b))
    shapes = [(3, 5, 7), (1, 2, 31), (2, 64, 9, 9)]
    for shape in shapes:
        a, b = (random.integers(-128, 128, shape, np.int8) for _ in range(2))
        np.testing.assert_array_equal(added(a, b, *numbers), onnxruntimes(total, a, b))


def test_ties_go_to_even_bytes() -> None:
    """Halves of sums: one pair in two is a tie, which goes to the even byte, whatever the zero point."""
    for zero in (0, 1, -127, -128):
        total = QuantisedSum((0.5, 0.5, 1.0), (3, -5, zero), np.dtype(np.int8))
        found = total.proven(NODE, LIKE)
        assert found is not None
        np.testing.assert_array_equal(
            added(EVERY[:, None], EVERY, found.factor, found.addend_factor, found.offset),
            onnxruntimes(total, EVERY[:, None], EVERY[None]),
        )


def test_factors_that_the_accelerator_does_not_have_are_none() -> None:
    assert QuantisedSum((0.5, 0.1, 0.1), (0, 0, 0), np.dtype(np.uint8)).proven(NODE, LIKE) is None


def test_an_answer_that_no_integers_give_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = QuantisedSum._asked

    def spoilt(self: QuantisedSum, node: onnx.NodeProto, like: onnx.ModelProto) -> np.ndarray:
        answers = asked(self, node, like)
        answers[130, 140] += 1
        return answers

    monkeypatch.setattr(QuantisedSum, "_asked", spoilt)
    assert random_sum(1).proven(NODE, LIKE) is None


def test_results_that_depend_on_where_they_lie_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    compute, asked = addition_proof.compute, []

    def at_times(session: onnxruntime.InferenceSession, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        found = compute(session, inputs)
        asked.append(found)
        if len(asked) == 40:
            found["sum"].reshape(-1)[-1] ^= 1
        return found

    monkeypatch.setattr(addition_proof, "compute", at_times)
    assert random_sum(1).proven(NODE, LIKE) is None


def test_what_is_proven_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    total = random_sum(2)
    found = total.proven(NODE, LIKE)
    monkeypatch.setattr(QuantisedSum, "_asked", lambda *_: pytest.fail("it is known"))
    assert total.proven(NODE, LIKE) == found
