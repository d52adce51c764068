"""The layers of a network as jobs: golden walks the whole chain, the accelerator runs the layers asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from wingrid.host.execution.layer_run import Job
from wingrid.host.networks.golden import golden
from wingrid.host.networks.layer import Layer
from wingrid.host.networks.network import Network


def network_jobs(network: Network, x: npt.NDArray[np.int8], selected: Sequence[str]) -> Iterator[Job]:
    """The selected layers, each with its golden input and output, in order."""
    images, left = len(x), set(selected)
    for layer in network.layers(images):
        if not left:
            return
        operands = network.operands(layer)
        x = for_layer(layer, x)
        expected = golden(layer, operands, x)
        if layer.name in left:
            left.remove(layer.name)
            yield Job(layer, operands, x, expected)
        x = by_image(layer, layer.handed_on(expected), images)


def for_layer(layer: Layer, x: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
    """A batch [images, C, H, W] as the layer takes it: a fully connected one wants the images below each other."""
    if layer.shape.images == len(x):
        return x
    images, channels, height, width = x.shape
    return x.transpose(1, 0, 2, 3).reshape(1, channels, images * height, width)


def by_image(layer: Layer, y: npt.NDArray[np.int8], images: int) -> npt.NDArray[np.int8]:
    """The inverse of ``for_layer`` for outputs: one row of the tall image belongs to each image."""
    if layer.shape.images == images:
        return y
    return y[0].transpose(1, 0, 2)[..., None]
