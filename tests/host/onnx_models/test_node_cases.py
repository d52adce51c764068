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
def test_poolings_are_a_convolutions_or_layers_of_their_own() -> None:
    fused, alone, several, left = {}, {}, {}, {}
    names = [*in_scope("test_maxpool"), *in_scope("test_averagepool"), *in_scope("test_globalaveragepool")]
    assert len(names) == 14 + 13 + 2
    for name in names:
        model, x = behind_a_convolution(node_cases()[name])
        graph = imported(quantised_on(model, x), x)
        convolution, *others = graph.accelerated
        assert differences(graph, x) == [], name
        if convolution.layer.pool:
            fused[name] = convolution.layer.pool
        elif others:
            pooling, *parts = others
            alone[name] = pooling.layer.pool or pooling.layer.shape.kernel
            several |= {name: len(others)} if parts else {}
        else:
            (left[name],) = [step.reason for step in graph.host_steps if "Pool" in step.operator]
    assert fused == {
        "test_maxpool_2d_default": Pool(2, 1),
        "test_maxpool_2d_precomputed_strides": Pool(2, 2),
        "test_maxpool_2d_strides": Pool(5, 3),
    }
    assert alone == {
        "test_maxpool_2d_precomputed_pads": Pool(5, 1),
        "test_maxpool_2d_precomputed_same_upper": Pool(3, 2),
        "test_maxpool_2d_same_upper": Pool(2, 1),
        "test_maxpool_2d_same_lower": Pool(2, 1),
        "test_maxpool_2d_pads": Pool(3, 1),
        "test_maxpool_2d_ceil": Pool(3, 2),
        "test_maxpool_2d_ceil_output_size_reduce_by_one": (1, 1),
        "test_maxpool_1d_default": Pool(2, 1),
        "test_averagepool_1d_default": (1, 2),
        "test_averagepool_2d_precomputed_pads": (5, 5),
        "test_averagepool_2d_precomputed_pads_count_include_pad": (5, 5),
        "test_averagepool_2d_precomputed_same_upper": (3, 3),
        "test_averagepool_2d_precomputed_strides": (2, 2),
        "test_averagepool_2d_pads": (3, 3),
        "test_averagepool_2d_pads_count_include_pad": (3, 3),
        "test_averagepool_2d_default": (2, 2),
        "test_averagepool_2d_same_upper": (2, 2),
        "test_averagepool_2d_same_lower": (2, 2),
        "test_averagepool_2d_strides": (5, 5),
        "test_averagepool_2d_ceil": (3, 3),
        "test_averagepool_2d_ceil_last_window_starts_on_pad": (3, 3),
        "test_globalaveragepool": (5, 5),
        "test_globalaveragepool_precomputed": (3, 3),
    }
    # Windows of several sizes along each axis, each size a layer.
    assert several == {
        "test_averagepool_2d_precomputed_pads": 25,
        "test_averagepool_2d_precomputed_same_upper": 9,
        "test_averagepool_2d_pads": 25,
        "test_averagepool_2d_same_upper": 4,
        "test_averagepool_2d_same_lower": 4,
        "test_averagepool_2d_ceil": 4,
    }
    dilated = "max pooling over windows that are dilated is not the accelerator's"
    argmax = [f"test_maxpool_with_argmax_2d_precomputed_{what}" for what in ("pads", "strides")]
    assert left == {
        "test_maxpool_2d_dilations": dilated,
        **dict.fromkeys(argmax, "pooling of what the host has is the host's"),
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
