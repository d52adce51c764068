"""Networks as lists of nodes, and the layers that they become for a batch of images."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from wingrid.host.errors import UserError
from wingrid.host.networks.layer import Convolution, Layer, LayerError, Operands, Pool, fully_connected
from wingrid.host.networks.response_normalisation import ResponseNormalisation
from wingrid.host.networks.seeded_operands import SEEDED, seeded_operands

RELU_ZERO = -128
"""Zero point of what a ReLU leaves: all 256 values are for positive numbers, and saturation is the ReLU."""


@dataclass(frozen=True)
class Convolve:
    """A convolution with bias and, unless it is the last node, ReLU."""

    name: str
    kernels: int
    kernel: int
    stride: int = 1
    padding: int = 0
    groups: int = 1


@dataclass(frozen=True)
class MaxPool:
    """Max pooling without padding; windows that overhang the image are left out.

    It becomes part of the layer of the convolution before it, as the accelerator pools what it stores.
    """

    name: str
    kernel: int = 2
    stride: int = 2


@dataclass(frozen=True)
class Normalise:
    """Local response normalisation of what a convolution, or the pooling behind it, leaves; the host does it."""

    name: str
    how: ResponseNormalisation = dataclasses.field(default_factory=ResponseNormalisation)


@dataclass(frozen=True)
class Connect:
    """A fully connected layer with bias and, unless it is the last node, ReLU."""

    name: str
    outputs: int


Node = Convolve | MaxPool | Normalise | Connect


@dataclass(frozen=True)
class Network:
    """A chain of nodes over images of ``channels`` x ``height`` x ``width``."""

    name: str
    source: str
    """Where the list of layers was published."""
    channels: int
    height: int
    width: int
    nodes: tuple[Node, ...]
    operands: Callable[[Layer], Operands] = seeded_operands
    """Weights, bias and scales of one of its layers."""
    weights: str = SEEDED
    """Where these come from."""

    @property
    def classifies(self) -> bool:
        """Whether it ends in a fully connected layer, whose outputs are taken for the logits of classes."""
        return isinstance(self.nodes[-1], Connect)

    def select(self, names: Sequence[str] | None = None) -> list[str]:
        """The names of the layers to run, see ``select_layers``."""
        return select_layers(self.name, [layer.name for layer in self.layers()], names)

    def layers(self, images: int = 1) -> list[Layer]:
        """The layers with their sizes for a batch, each from the output of the one before.

        Raises ``LayerError`` for a pooling that does not follow a convolution, and a normalisation that follows
        neither a convolution nor a pooling.
        """
        layers: list[Layer] = []
        channels, height, width = self.channels, self.height, self.width
        zero_point = 0
        for position, node in enumerate(self.nodes):
            if isinstance(node, MaxPool):
                if position == 0 or not isinstance(self.nodes[position - 1], Convolve):
                    raise LayerError(f"pooling {node.name} of network {self.name} does not follow a convolution")
                layers[-1] = dataclasses.replace(layers[-1], pool=Pool(node.kernel, node.stride))
                _, _, height, width = layers[-1].output_shape
                continue
            if isinstance(node, Normalise):
                if position == 0 or not isinstance(self.nodes[position - 1], Convolve | MaxPool):
                    raise LayerError(f"normalisation {node.name} of network {self.name} follows no convolution")
                layers[-1] = dataclasses.replace(layers[-1], normalisation=node.how)
                continue
            if isinstance(node, Convolve):
                shape = Convolution(
                    channels,
                    height,
                    width,
                    node.kernels,
                    kernel=(node.kernel, node.kernel),
                    stride=(node.stride, node.stride),
                    padding=(node.padding,) * 4,
                    groups=node.groups,
                    images=images,
                )
                channels, height, width = node.kernels, shape.out_height, shape.out_width
            else:
                shape = fully_connected(channels, height, width, node.outputs, images)
                channels, height, width = node.outputs, 1, 1
            operator = "conv" if isinstance(node, Convolve) else "fc"
            y_zero_point = RELU_ZERO if position < len(self.nodes) - 1 else 0
            layers.append(Layer(node.name, operator, shape, zero_point, y_zero_point, prepared=not layers))
            zero_point = y_zero_point
        return layers


def select_layers(network: str, known: Sequence[str], names: Sequence[str] | None) -> list[str]:
    """The layers among ``known`` to run, in the network's order: those of these names, or all of them for ``None``.

    Raises ``UserError`` naming what the network does not have.
    """
    if names is None:
        return list(known)
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise UserError(
            f"network {network} has no layer {', '.join(map(repr, unknown)) or 'of that name'}; "
            f"it has {', '.join(known)}"
        )
    return [name for name in known if name in names]
