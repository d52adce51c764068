"""AlexNet: Krizhevsky, Sutskever and Hinton, ImageNet Classification with Deep Networks (NIPS 2012), section 3.5.

With the two groups of its second, fourth and fifth convolution, and 227x227 pixels, the input size
that its sizes add up with. Local response normalisation follows the first two poolings, as in CaffeNet, where
the paper has it before them: so pooling stays with the convolution on the accelerator, and the host
normalises what is left.
"""

from __future__ import annotations

from wingrid.host.networks.network import Connect, Convolve, MaxPool, Network, Normalise

ALEXNET = Network(
    "alexnet",
    "Krizhevsky et al., NIPS 2012, pooling before normalisation",
    3,
    227,
    227,
    (
        Convolve("conv1", 96, kernel=11, stride=4),
        MaxPool("pool1", kernel=3, stride=2),
        Normalise("norm1"),
        Convolve("conv2", 256, kernel=5, padding=2, groups=2),
        MaxPool("pool2", kernel=3, stride=2),
        Normalise("norm2"),
        Convolve("conv3", 384, kernel=3, padding=1),
        Convolve("conv4", 384, kernel=3, padding=1, groups=2),
        Convolve("conv5", 256, kernel=3, padding=1, groups=2),
        MaxPool("pool5", kernel=3, stride=2),
        Connect("fc6", 4096),
        Connect("fc7", 4096),
        Connect("fc8", 1000),
    ),
)
