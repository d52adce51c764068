"""Weights with zero points of their own leave int8, and give ONNX Runtime's bits all the same."""

import numpy as np
import pytest
from imported_graphs import differences, imported
from quantised_operators import one_operator, uniform

from wingrid.host.onnx_models.channel_splitting import SplitWeights


@pytest.mark.parametrize("zero", [0, 3, 100, 128, 255])
@pytest.mark.parametrize("groups", [1, 2, 6])
def test_convolutions_of_uint8_weights_with_any_zero_point(zero: int, groups: int) -> None:
    x = uniform(zero, np.uint8, (2, 6, 7, 9))
    weights = uniform(groups, np.uint8, (12, 6 // groups, 3, 3))
    weights[0, 0, 0, 0] = 255  # with a zero point of 0, not even two int8 have that sum
    model = one_operator("QLinearConv", x, weights, np.uint8(zero), 12, group=groups, pads=[1, 0, 2, 1])
    graph = imported(model, x)
    assert differences(graph, x) == []
    (step,) = graph.accelerated
    assert step.layer.prepared
    assert (step.repeats is None) == (zero == 128)
    assert step.macs == 2 * 12 * 8 * 8 * (6 // groups) * 9


@pytest.mark.parametrize(("dtype", "zero"), [(np.int8, -100), (np.int8, 127), (np.int8, 5), (np.uint8, 64)])
def test_a_line_of_weights_with_a_zero_point(dtype: type[np.integer], zero: int) -> None:
    x = uniform(1, np.int8 if dtype == np.int8 else np.uint8, (1, 4, 20))
    weights = uniform(2, dtype, (5, 4, 3))
    graph = imported(one_operator("QLinearConv", x, weights, dtype(zero), 5, strides=[2]), x)
    assert differences(graph, x) == []
    assert graph.accelerated[0].repeats is not None


@pytest.mark.parametrize("operator", ["QLinearMatMul", "QGemm"])
@pytest.mark.parametrize("per_channel", [False, True])
def test_products_of_weights_with_zero_points(operator: str, per_channel: bool) -> None:
    x, weights = uniform(1, np.uint8, (9, 13)), uniform(2, np.uint8, (13, 5))
    zero = uniform(3, np.uint8, (5,)) if per_channel else np.uint8(40)
    graph = imported(one_operator(operator, x, weights, zero, 5), x)
    assert differences(graph, x) == []
    assert graph.accelerated[0].repeats is not None


def test_only_channels_that_leave_int8_are_repeated() -> None:
    weights = np.zeros((4, 5, 1, 1), np.int16)
    weights[:, 3] = np.array([-255, 128, 127, -128])[:, None, None]
    weights[2, 1] = 254
    split = SplitWeights.of(weights, 1)
    assert split.channels == (0, 1, 2, 3, 4, 1, 3)
    sums = np.zeros_like(weights)
    for place, channel in enumerate(split.channels):
        sums[:, channel] += split.weights[:, place]
    np.testing.assert_array_equal(sums, weights)


def test_all_groups_get_as_many_channels() -> None:
    weights = np.zeros((4, 3, 1, 1), np.int16)
    weights[0, 2], weights[2, 0], weights[3, 1] = 200, 255, -129
    split = SplitWeights.of(weights, 2)
    # The third kernel needs one channel three times; the first group is filled up with weights of zero.
    assert split.channels == (0, 1, 2, 2, 0, 2, 3, 4, 5, 3, 4, 3)
    assert split.weights[..., 0, 0].tolist() == [
        [0, 0, 127, 73, 0, 0],
        [0, 0, 0, 0, 0, 0],
        [127, 0, 0, 127, 0, 1],
        [0, -128, 0, 0, -1, 0],
    ]
