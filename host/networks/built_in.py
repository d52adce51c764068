"""The built-in networks."""

from __future__ import annotations

from collections.abc import Mapping

from wingrid.host.errors import UserError
from wingrid.host.networks import alexnet, compressed, gabor96, vgg16
from wingrid.host.networks.network import Network

BUILT_IN: dict[str, Network] = {
    network.name: network
    for network in (
        vgg16.VGG16,
        vgg16.VGG16_CONVOLUTIONS,
        alexnet.ALEXNET,
        gabor96.GABOR96,
        compressed.VGG16_COMPRESSED,
        compressed.ALEXNET_COMPRESSED,
    )
}

ONNX_BUILT_IN = {
    "digits": "trained on MNIST: six 3x3 convolutions, two fully connected layers",
    "digits-compressed": "digits with its fully connected layers pruned to 4 and 23 %, 15 values each, trained again",
    "waifu2x": "vgg_7 of waifu2x, noise level 1: a picture without the traces of JPEG; seven 3x3 convolutions",
    "vgg16-imagenet": "VGG-16's convolutions with ImageNet weights, fetched from the package index",
}
"""Networks that come as ONNX files, and where they come from."""


def is_onnx(name: str) -> bool:
    """Whether a network is an ONNX model: a file, or one of the built-in ones."""
    return name in ONNX_BUILT_IN or name.endswith(".onnx")


def find(name: str) -> Network:
    """The network of that name; raises ``UserError`` naming those that exist."""
    if name not in BUILT_IN:
        raise UserError(f"unknown network {name!r}; built in are {', '.join([*BUILT_IN, *ONNX_BUILT_IN])}")
    return BUILT_IN[name]


def require_no_shapes(name: str, shapes: Mapping[str, tuple[int, ...]] | None) -> None:
    """Raise ``UserError`` if a shape is given for a network that has its own."""
    if shapes:
        raise UserError(f"--shape is for .onnx files, and {name} has its own input shape")
