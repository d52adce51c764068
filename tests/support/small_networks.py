"""The built-in networks cut down: their kinds of layers in their order, on small images and with few channels."""

from __future__ import annotations

import dataclasses

from wingrid.host.networks.alexnet import ALEXNET
from wingrid.host.networks.network import Connect, Convolve, Network
from wingrid.host.networks.vgg16 import VGG16


def cut_down(network: Network, size: int, kernels: int, outputs: int) -> Network:
    """The network on ``size`` x ``size`` pixels, its kernels and its connected outputs so many times fewer."""
    nodes = []
    for node in network.nodes:
        if isinstance(node, Convolve):
            node = dataclasses.replace(node, kernels=node.kernels // kernels)
        elif isinstance(node, Connect):
            node = dataclasses.replace(node, outputs=node.outputs // outputs)
        nodes.append(node)
    return dataclasses.replace(network, name=f"small-{network.name}", height=size, width=size, nodes=tuple(nodes))


SMALL_VGG16 = cut_down(VGG16, 32, kernels=16, outputs=64)
SMALL_ALEXNET = cut_down(ALEXNET, 67, kernels=16, outputs=64)
