"""Local response normalisation, against the paper's formula element by element."""

import numpy as np
import pytest

from wingrid.host.execution.network_jobs import network_jobs
from wingrid.host.networks.built_in import find
from wingrid.host.networks.inputs import network_input
from wingrid.host.networks.layer import Convolution, Layer, LayerError
from wingrid.host.networks.network import Connect, Convolve, MaxPool, Network, Normalise
from wingrid.host.networks.response_normalisation import ResponseNormalisation


@pytest.mark.parametrize("size", [1, 2, 5])
def test_each_element_follows_the_formula(size: int) -> None:
    how = ResponseNormalisation(size=size, alpha=3e-4, beta=0.6, k=1.5)
    y = np.random.default_rng(3).integers(-128, 128, (2, 7, 3, 2), np.int8)
    found = how.apply(y, -128)
    assert (found.shape, found.dtype) == (y.shape, np.int8)
    for image, channel, row, column in np.ndindex(y.shape):
        around = range(max(0, channel - size // 2), min(7, channel - size // 2 + size))
        energy = sum((int(y[image, other, row, column]) + 128) ** 2 for other in around)
        value = (int(y[image, channel, row, column]) + 128) * (1.5 / (1.5 + 3e-4 * energy)) ** 0.6
        assert found[image, channel, row, column] == round(value) - 128


def test_zero_stays_and_nothing_grows() -> None:
    y = np.array([-128, -127, 0, 127], np.int8).reshape(1, 4, 1, 1)
    found = ResponseNormalisation().apply(y, -128)
    assert found.ravel()[0] == -128
    assert (found <= y).all()
    assert found.ravel()[3] < 127


def test_alexnet_normalises_after_its_first_two_poolings() -> None:
    layers = find("alexnet").layers()
    assert [layer.name for layer in layers if layer.normalisation] == ["conv1", "conv2"]
    assert all(layer.normalisation == ResponseNormalisation() for layer in layers[:2])


def test_the_next_layer_takes_normalised_activations() -> None:
    nodes = (Convolve("a", 6, kernel=3), MaxPool("pool"), Normalise("norm"), Convolve("b", 4, kernel=1))
    network = Network("small", "for tests", 3, 12, 12, nodes)
    first, second = network_jobs(network, network_input(network, None, 2), ["a", "b"])
    assert first.expected is not None
    assert np.array_equal(second.x, ResponseNormalisation().apply(first.expected, first.layer.y_zero_point))
    assert not np.array_equal(second.x, first.expected)


@pytest.mark.parametrize("before", [(), (Connect("fc", 3),)])
def test_a_normalisation_that_follows_no_convolution_is_refused(before: tuple) -> None:
    network = Network("odd", "for tests", 3, 9, 9, (*before, Normalise("late")))
    with pytest.raises(LayerError, match=r"^normalisation late of network odd follows no convolution$"):
        network.layers()


def test_a_layer_without_hands_on_its_output_as_it_is() -> None:
    y = np.ones((1, 1, 1, 1), np.int8)
    assert Layer("plain", "conv", Convolution(1, 1, 1, 1)).handed_on(y) is y
