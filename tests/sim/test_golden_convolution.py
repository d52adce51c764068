from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from onnx_judge import run_operator
from random_convolutions import RandomConvolution, cases

from wingrid.sim.golden import workspace
from wingrid.sim.golden.convolution import check_exact, convolve, convolve_direct, matrix_product
from wingrid.sim.golden.requantise import requantise, requantise_scale

CASES = list(cases(240, seed=2))


def judged(case: RandomConvolution) -> np.ndarray:
    constants = {
        "x_scale": case.x_scale,
        "x_zero": np.int8(case.x_zero_point),
        "w": case.weights,
        "w_scale": case.w_scales,
        "w_zero": np.zeros(case.kernels, np.int8),
        "y_scale": case.y_scale,
        "y_zero": np.int8(case.y_zero_point),
        "bias": case.bias,
    }
    inputs = "x x_scale x_zero w w_scale w_zero y_scale y_zero bias"
    return run_operator(
        "QLinearConv",
        case.x[None],
        constants,
        inputs,
        kernel_shape=list(case.kernel),
        strides=list(case.stride),
        pads=list(case.padding),
        dilations=list(case.dilation),
        group=case.groups,
    )[0]


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.seed))
def test_convolution_and_requantisation_equal_onnx_runtime(case: RandomConvolution) -> None:
    expected = judged(case)
    assert expected.shape == case.output_shape
    assert np.array_equal(case.golden(), expected), str(case)


def test_random_cases_cover_what_they_promise() -> None:
    assert {size for case in CASES for size in case.kernel} == set(range(1, 12))
    assert {step for case in CASES for step in case.stride} == {1, 2, 3, 4}
    assert sum(len(set(case.padding)) > 2 for case in CASES) > 50
    assert sum(1 < case.groups < case.channels for case in CASES) > 20
    assert sum(1 < case.groups == case.channels for case in CASES) > 20
    assert sum(case.dilation != (1, 1) for case in CASES) > 30
    assert sum(case.channels % 4 != 0 and case.kernels % 4 != 0 for case in CASES) > 50
    assert sum(case.x_zero_point != 0 and case.y_zero_point != 0 for case in CASES) > 50
    outputs = np.concatenate([case.golden().ravel() for case in CASES])
    assert np.mean(np.abs(outputs.astype(int)) < 127) > 0.5
    assert [case.seed for case in cases(3, seed=2)] == [case.seed for case in CASES[:3]]
    assert all(np.array_equal(a.x, b.x) for a, b in zip(cases(3, seed=2), CASES, strict=False))


@pytest.mark.parametrize("size", [1 << 25, 1 << 12], ids=["whole", "in bands"])
def test_direct_loops_give_the_same_sums(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workspace, "WORKSPACE_BYTES", size)
    for case in cases(60, seed=3):
        arguments = {
            "x_zero_point": case.x_zero_point,
            "stride": case.stride,
            "padding": case.padding,
            "dilation": case.dilation,
            "groups": case.groups,
        }
        sums = convolve(case.x, case.weights, **arguments)
        assert sums.dtype == np.int64
        assert np.array_equal(sums, convolve_direct(case.x, case.weights, **arguments)), str(case)


@pytest.mark.parametrize("function", [convolve, convolve_direct])
def test_sums_are_those_worked_out_by_hand(function: Callable[..., np.ndarray]) -> None:
    x = np.array([[[1, 2, 3], [4, 5, 6]]], np.int8)
    weights = np.array([[[[1, 10]]]], np.int8)
    assert function(x, weights).tolist() == [[[21, 32], [54, 65]]]
    assert function(x, weights, x_zero_point=1, padding=(0, 1, 0, 0), stride=(2, 2)).tolist() == [[[0, 21]]]
    assert function(x, weights, dilation=(1, 2)).tolist() == [[[31], [64]]]


@pytest.mark.parametrize("function", [convolve, convolve_direct])
def test_largest_products_are_exact(function: Callable[..., np.ndarray]) -> None:
    x = np.full((512, 3, 3), -128, np.int8)
    weights = np.full((1, 512, 3, 3), -128, np.int8)
    assert function(x, weights, x_zero_point=127).item() == 512 * 9 * 255 * 128


@pytest.mark.parametrize("function", [convolve, convolve_direct])
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x": np.zeros((4, 5, 5), np.int16)}, "x must be a non-empty int8 array of 3 dimensions, not int16 of shape"),
        ({"weights": np.zeros((4, 3, 3), np.int8)}, "weights must be a non-empty int8 array of 4 dimensions"),
        ({"groups": 3}, "3 groups do not fit 4 input channels and weights of shape"),
        ({"x_zero_point": 128}, "x_zero_point 128 must lie between -128 and 127"),
        ({"dilation": (3, 1)}, "a kernel of 3 with dilation 3 does not fit into 5 elements with padding"),
        ({"stride": (1, 0)}, "stride 0, dilation 1 must be at least 1"),
        ({"padding": (0, 0, -1, 0)}, "padding \\(0, -1\\) at least 0"),
    ],
)
def test_operands_that_do_not_fit_are_refused(
    function: Callable[..., np.ndarray], changes: dict[str, Any], message: str
) -> None:
    arguments = {"x": np.zeros((4, 5, 5), np.int8), "weights": np.zeros((4, 4, 3, 3), np.int8), **changes}
    with pytest.raises(ValueError, match=message):
        function(**arguments)


def test_sums_beyond_float64_are_refused() -> None:
    most = (2**53 - 1) // (255 * 128)
    check_exact(most)
    with pytest.raises(ValueError, match=f"sums of up to {(most + 1) * 255 * 128} could leave the integers"):
        check_exact(most + 1)


def fully_connected() -> list[dict[str, Any]]:
    generator = np.random.default_rng(11)
    layers = []
    for _ in range(40):
        vectors, channels, kernels = (int(generator.integers(1, limit)) for limit in (9, 600, 70))
        layers.append(
            {
                "x": generator.integers(-128, 127, (vectors, channels), dtype=np.int8, endpoint=True),
                "w": generator.integers(-128, 127, (kernels, channels), dtype=np.int8, endpoint=True),
                "x_scale": np.float32(generator.uniform(0.001, 0.1)),
                "w_scale": generator.uniform(1e-4, 1e-2, kernels).astype(np.float32),
                "y_scale": np.float32(generator.uniform(0.05, 2) * channels**0.5),
                "x_zero": generator.integers(-128, 127, dtype=np.int8, endpoint=True),
                "y_zero": generator.integers(-128, 127, dtype=np.int8, endpoint=True),
                "w_zero": np.zeros(kernels, np.int8),
                "bias": generator.integers(-90000, 90000, kernels, dtype=np.int32),
            }
        )
    return layers


def outputs_of(layer: dict[str, Any], bias: np.ndarray | int) -> np.ndarray:
    sums = matrix_product(layer["x"], layer["w"], x_zero_point=int(layer["x_zero"])) + bias
    scales = requantise_scale(layer["x_scale"], layer["w_scale"], layer["y_scale"])
    return requantise(sums.T, scales, zero_point=int(layer["y_zero"])).T


@pytest.mark.parametrize("layer", fully_connected(), ids=lambda layer: "x".join(map(str, layer["w"].shape)))
def test_fully_connected_layers_equal_onnx_runtime(layer: dict[str, Any]) -> None:
    constants = {name: value for name, value in layer.items() if name != "x"}
    gemm = run_operator(
        "QGemm",
        layer["x"],
        constants,
        "x x_scale x_zero w w_scale w_zero bias y_scale y_zero",
        domain="com.microsoft",
        transB=1,
    )
    assert np.array_equal(outputs_of(layer, layer["bias"]), gemm)
    del constants["bias"]
    constants["w"] = np.ascontiguousarray(layer["w"].T)
    product = run_operator("QLinearMatMul", layer["x"], constants, "x x_scale x_zero w w_scale w_zero y_scale y_zero")
    assert np.array_equal(outputs_of(layer, 0), product)


def test_matrix_product_in_parts_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = fully_connected()[0]
    expected = (layer["x"].astype(int) - 5) @ layer["w"].astype(int).T
    assert np.array_equal(matrix_product(layer["x"], layer["w"], x_zero_point=5), expected)
    monkeypatch.setattr(workspace, "WORKSPACE_BYTES", 1 << 12)
    assert np.array_equal(matrix_product(layer["x"], layer["w"], x_zero_point=5), expected)


def test_matrix_product_refuses_channels_that_differ() -> None:
    with pytest.raises(ValueError, match="differ in channels"):
        matrix_product(np.zeros((2, 3), np.int8), np.zeros((2, 4), np.int8))
