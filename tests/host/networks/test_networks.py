"""The built-in networks have the published sizes, and their seeded weights keep activations alive."""

import numpy as np
import pytest

from wingrid.host.errors import UserError
from wingrid.host.execution.network_jobs import by_image, for_layer, network_jobs
from wingrid.host.networks.built_in import BUILT_IN, find
from wingrid.host.networks.inputs import network_input
from wingrid.host.networks.layer import LayerError, Pool
from wingrid.host.networks.network import RELU_ZERO, Connect, Convolve, MaxPool, Network
from wingrid.host.networks.seeded_operands import seeded_operands
from wingrid.host.networks.vgg16 import VGG16

SMALL = Network(
    "small",
    "for tests",
    3,
    32,
    32,
    (
        *(node for stage in range(3) for node in (
            Convolve(f"a{stage}", 16 << stage, kernel=3, padding=1),
            Convolve(f"b{stage}", 16 << stage, kernel=3, padding=1),
            Convolve(f"c{stage}", 16 << stage, kernel=3, padding=1),
            MaxPool(f"pool{stage}"),
        )),
        Connect("hidden", 100),
        Connect("classes", 10),
    ),
)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "layers", "macs", "weights"),
    [
        # Weights without biases, as the papers' tables give them; MACs by each layer's output size.
        ("vgg16", 16, 15_470_264_320, 138_344_128),
        ("vgg16-conv", 13, 15_346_630_656, 14_710_464),
        ("alexnet", 8, 724_406_816, 60_954_656),
        ("vgg16-compressed", 16, 15_470_264_320, 138_344_128),
        ("alexnet-compressed", 8, 724_406_816, 60_954_656),
    ],
)
def test_sizes_are_the_published_ones(name: str, layers: int, macs: int, weights: int) -> None:
    network = find(name)
    found = network.layers()
    assert len(found) == layers
    assert sum(layer.shape.macs for layer in found) == macs
    assert sum(layer.shape.weight_bytes for layer in found) == weights


def test_vgg16_shrinks_as_its_table_says() -> None:
    sizes = {layer.name: (layer.shape.channels, layer.shape.height, layer.shape.kernels) for layer in VGG16.layers()}
    assert sizes["conv1_1"] == (3, 224, 64)
    assert sizes["conv3_2"] == (256, 56, 256)
    assert sizes["conv5_3"] == (512, 14, 512)
    assert sizes["fc6"] == (512, 7, 4096)
    assert sizes["fc8"] == (4096, 1, 1000)


def test_compressed_networks_have_weights_of_the_published_densities_and_few_values() -> None:
    for name, layer_name, density, values in (
        ("vgg16-compressed", "fc8", 0.23, 15),
        ("alexnet-compressed", "fc8", 0.25, 15),
    ):
        network = find(name)
        layer = next(layer for layer in network.layers() if layer.name == layer_name)
        weights = network.operands(layer).weights
        assert abs(np.mean(weights != 0) - density) < 0.001
        assert len(np.unique(weights)) == values + 1
        assert network.weights == "seeded, at published densities"


def test_an_unknown_network_is_refused() -> None:
    with pytest.raises(
        UserError,
        match=r"^unknown network 'vgg'; built in are vgg16, vgg16-conv, alexnet, gabor96, vgg16-compressed, "
        r"alexnet-compressed, digits, digits-compressed, waifu2x, vgg16-imagenet$",
    ):
        find("vgg")


def test_activations_neither_vanish_nor_saturate() -> None:
    x = network_input(SMALL, None, 2)
    for job in network_jobs(SMALL, x, [layer.name for layer in SMALL.layers()]):
        assert job.expected is not None
        zero = job.layer.y_zero_point
        values = job.expected.astype(int) - zero
        alive = np.mean(values != 0)
        saturated = np.mean(np.abs(job.expected.astype(int)) >= 127) if zero == 0 else np.mean(values == 255)
        assert alive > 0.25, job.layer.name
        assert saturated < 0.1, job.layer.name
        assert np.abs(values).max() > (15 if zero == 0 else 30), job.layer.name


def test_relu_is_the_saturation_of_its_zero_point() -> None:
    layers = SMALL.layers()
    assert {layer.y_zero_point for layer in layers[:-1]} == {RELU_ZERO}
    assert layers[-1].y_zero_point == 0
    assert [layer.x_zero_point for layer in layers[1:]] == [layer.y_zero_point for layer in layers[:-1]]


def test_weights_depend_on_name_and_seed_alone() -> None:
    layer = SMALL.layers()[0]
    first, again, other = seeded_operands(layer), seeded_operands(layer), seeded_operands(layer, seed=1)
    assert all(np.array_equal(getattr(first, name), getattr(again, name)) for name in ("weights", "bias", "scales"))
    assert not np.array_equal(first.weights, other.weights)


def test_jobs_of_a_selection_are_those_of_the_whole_network() -> None:
    x = network_input(SMALL, None, 1)
    whole = {job.layer.name: job for job in network_jobs(SMALL, x, SMALL.select())}
    chosen = list(network_jobs(SMALL, x, SMALL.select(["hidden", "b1"])))
    assert [job.layer.name for job in chosen] == ["b1", "hidden"]
    for job in chosen:
        assert np.array_equal(job.x, whole[job.layer.name].x)
        assert np.array_equal(job.expected, whole[job.layer.name].expected)


def test_a_batch_is_its_images_one_by_one() -> None:
    x = network_input(SMALL, None, 3)
    names = SMALL.select()
    together = list(network_jobs(SMALL, x, names))
    last = by_image(together[-1].layer, together[-1].expected, 3)
    for index in range(3):
        alone = list(network_jobs(SMALL, x[index : index + 1], names))[-1]
        assert np.array_equal(last[index : index + 1], by_image(alone.layer, alone.expected, 1))


def test_images_of_a_fully_connected_layer_stand_below_each_other() -> None:
    layer = next(layer for layer in SMALL.layers(2) if layer.name == "hidden")
    x = np.arange(2 * 64 * 4 * 4).reshape(2, 64, 4, 4).astype(np.int8)
    tall = for_layer(layer, x)
    assert tall.shape == (1, 64, 8, 4)
    assert np.array_equal(tall[0, :, 4:], x[1])


def test_poolings_are_part_of_the_convolutions_before_them() -> None:
    pools = {layer.name: layer.pool for layer in VGG16.layers() if layer.pool}
    assert pools == dict.fromkeys(("conv1_2", "conv2_2", "conv3_3", "conv4_3", "conv5_3"), Pool(2, 2))
    assert find("vgg16-conv").layers()[-1].output_shape == (1, 512, 7, 7)
    overlapping = {layer.name: layer.output_shape for layer in find("alexnet").layers() if layer.pool == Pool(3, 2)}
    assert overlapping == {"conv1": (1, 96, 27, 27), "conv2": (1, 256, 13, 13), "conv5": (1, 256, 6, 6)}


@pytest.mark.parametrize("before", [(), (Connect("fc", 3),), (Convolve("conv", 3, 3), MaxPool("pool"))])
def test_a_pooling_that_follows_no_convolution_is_refused(before: tuple) -> None:
    network = Network("odd", "for tests", 3, 9, 9, (*before, MaxPool("late")))
    with pytest.raises(LayerError, match=r"^pooling late of network odd does not follow a convolution$"):
        network.layers()


def test_an_unknown_layer_is_refused() -> None:
    with pytest.raises(UserError, match=r"^network small has no layer 'x', 'y'; it has a0, b0"):
        SMALL.select(["a0", "x", "y"])


@pytest.mark.parametrize("name", BUILT_IN)
def test_input_is_a_photograph_of_the_right_size(name: str) -> None:
    network = find(name)
    x = network_input(network, None, 2)
    assert x.shape == (2, network.channels, network.height, network.width)
    assert x.std() > 30
    assert not np.array_equal(x[0], x[1])
