"""The onnx package's own node tests of convolutions, products and poolings, quantised, against ONNX Runtime."""

import pytest
from imported_graphs import differences, imported, quantised_on
from node_cases import behind_a_convolution, node_cases, with_constants

from wingrid.host.networks.layer import Pool

# Nothing in three dimensions is the accelerator's. ONNX Runtime's quantised average pooling has no dilation.
NOT_IN_SCOPE = ("_3d_", "averagepool_2d_dilations", "maxpool_2d_uint8")


def in_scope(prefix: str) -> list[str]:
    return [name for name in node_cases() if name.startswith(prefix) and not any(part in name for part in NOT_IN_SCOPE)]


@pytest.mark.slow
def test_convolutions_run_on_the_accelerator() -> None:
    names = [*in_scope("test_conv_"), *in_scope("test_basic_conv")]
    assert len(names) == 6
    for name in names:
        model, x, _ = with_constants(node_cases()[name])
        graph = imported(quantised_on(model, x), x)
        assert len(graph.accelerated) == 1, name
        assert differences(graph, x) == [], name


@pytest.mark.slow
def test_poolings_follow_a_convolution() -> None:
    pooled = {}
    names = [*in_scope("test_maxpool"), *in_scope("test_averagepool"), *in_scope("test_globalaveragepool")]
    assert len(names) == 14 + 13 + 2
    for name in names:
        model, x = behind_a_convolution(node_cases()[name])
        graph = imported(quantised_on(model, x), x)
        (step,) = graph.accelerated
        assert differences(graph, x) == [], name
        if step.layer.pool:
            pooled[name] = step.layer.pool
        else:
            assert any("Pool" in step.operator for step in graph.host_steps), name
    assert pooled == {
        "test_maxpool_2d_default": Pool(2, 1),
        "test_maxpool_2d_precomputed_strides": Pool(2, 2),
        "test_maxpool_2d_strides": Pool(5, 3),
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["test_qlinearconv", "test_qlinearmatmul_2D_uint8_float32", "test_qlinearmatmul_2D_int8_float32"]
)
def test_quantised_operators_run_on_the_accelerator(name: str) -> None:
    model, x, _ = with_constants(node_cases()[name])
    graph = imported(model, x)
    assert len(graph.accelerated) == 1
    assert differences(graph, x) == []


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("test_qlinearmatmul_3D_uint8_float32", "the right factor has the shape [2, 4, 3], and is no matrix"),
        ("test_qlinearmatmul_2D_int8_float16", "a scale (InsertedPrecisionFreeCast_a_scale) is no constant"),
    ],
)
def test_other_quantised_operators_are_the_hosts(name: str, reason: str) -> None:
    model, x, _ = with_constants(node_cases()[name])
    graph = imported(model, x)
    assert graph.accelerated == []
    assert reason in " ".join(step.reason for step in graph.host_steps if step.macs)
