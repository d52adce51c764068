"""VGG-16 and AlexNet with seeded weights as dense as pruning left them, and as few values as their layers share.

Densities are those of Han, Mao and Dally, Deep Compression (ICLR 2016), tables 4 and 5: per cent of weights that are
not zero. Fully connected layers share 15 values besides zero, which 4 bits tell apart. Where the zeros are nobody
published: here it is chance.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from wingrid.host.networks.alexnet import ALEXNET
from wingrid.host.networks.layer import Layer, Operands
from wingrid.host.networks.network import Network
from wingrid.host.networks.seeded_operands import SEEDED, Pruning, seeded_operands
from wingrid.host.networks.vgg16 import VGG16

SHARED_VALUES = 15

VGG16_DENSITIES = {
    "conv1_1": 58, "conv1_2": 22, "conv2_1": 34, "conv2_2": 36, "conv3_1": 53, "conv3_2": 24, "conv3_3": 42,
    "conv4_1": 32, "conv4_2": 27, "conv4_3": 34, "conv5_1": 35, "conv5_2": 29, "conv5_3": 36,
    "fc6": 4, "fc7": 4, "fc8": 23,
}  # fmt: skip

ALEXNET_DENSITIES = {
    "conv1": 84, "conv2": 38, "conv3": 35, "conv4": 37, "conv5": 37, "fc6": 9, "fc7": 9, "fc8": 25,
}  # fmt: skip


def _compressed(network: Network, densities: Mapping[str, int]) -> Network:
    def operands(layer: Layer) -> Operands:
        values = SHARED_VALUES if layer.operator == "fc" else None
        return seeded_operands(layer, pruning=Pruning(densities[layer.name] / 100, values))

    return dataclasses.replace(
        network,
        name=f"{network.name}-compressed",
        source=f"{network.source}; densities of Han et al., ICLR 2016",
        operands=operands,
        weights=f"{SEEDED}, at published densities",
    )


VGG16_COMPRESSED = _compressed(VGG16, VGG16_DENSITIES)
ALEXNET_COMPRESSED = _compressed(ALEXNET, ALEXNET_DENSITIES)
