"""VGG-16: configuration D of Simonyan and Zisserman, Very Deep Convolutional Networks (ICLR 2015), table 1."""

from __future__ import annotations

from wingrid.host.networks.network import Connect, Convolve, MaxPool, Network, Node

_STAGES = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
"""Output channels of the 3x3 convolutions between poolings."""


def _convolutions() -> tuple[Node, ...]:
    nodes: list[Node] = []
    for stage, kernels in enumerate(_STAGES, start=1):
        nodes += [
            Convolve(f"conv{stage}_{position}", count, kernel=3, padding=1)
            for position, count in enumerate(kernels, start=1)
        ]
        nodes.append(MaxPool(f"pool{stage}"))
    return tuple(nodes)


_SOURCE = "Simonyan & Zisserman, ICLR 2015, configuration D"

VGG16 = Network(
    "vgg16",
    _SOURCE,
    3,
    224,
    224,
    (*_convolutions(), Connect("fc6", 4096), Connect("fc7", 4096), Connect("fc8", 1000)),
)

VGG16_CONVOLUTIONS = Network("vgg16-conv", f"{_SOURCE}, convolutions only", 3, 224, 224, _convolutions())
