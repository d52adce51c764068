"""The built-in networks."""

from __future__ import annotations

from host.errors import UserError
from host.networks import alexnet, vgg16
from host.networks.network import Network

BUILT_IN: dict[str, Network] = {
    network.name: network for network in (vgg16.VGG16, vgg16.VGG16_CONVOLUTIONS, alexnet.ALEXNET)
}


def find(name: str) -> Network:
    """The network of that name; raises ``UserError`` naming those that exist."""
    if name not in BUILT_IN:
        raise UserError(f"unknown network {name!r}; built in are {', '.join(BUILT_IN)}")
    return BUILT_IN[name]
