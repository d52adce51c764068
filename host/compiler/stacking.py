"""Channel blocks below each other as rows of one image: how an average over whole images comes to fill the mesh.

A convolution over the whole image has one output, so that each weight tile meets a single vector and the mesh waits for
its weights. Where all channels are computed alike, as in an average, the blocks of all channels, and of all images of a
batch, have the same weight tiles. They lie one behind the other in memory, which is how the rows of one tall image of
so few channels lie; the kernel steps from one to the next, and each weight tile meets all of them. All taps of an
average being equal, a row of them is loaded once, and serves for each row of pixels.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

from wingrid.host.networks.layer import Convolution, Layer, Lookup, Operands
from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.isa import LARGEST_POSITION, LARGEST_STRIDE


@dataclass(frozen=True)
class Stacking:
    """A layer of ``shape`` as one of ``lanes`` channels: as many as a block has."""

    shape: Convolution
    lanes: int

    @classmethod
    def of(cls, layer: Layer, config: AcceleratorConfig) -> Stacking | None:
        """How the layer's blocks can be stacked, if they can."""
        shape, found = layer.shape, cls(layer.shape, min(config.rows, layer.shape.channels))
        whole = shape.kernel == (shape.height, shape.width) and not any(shape.padding)
        plain = layer.lookup is not Lookup.CHANNEL and not (layer.combination or layer.pool or layer.surface)
        reachable = shape.height <= LARGEST_STRIDE and found.blocks * shape.height <= LARGEST_POSITION
        each = shape.groups == shape.channels == shape.kernels
        # With several blocks, outputs have to lie in memory as inputs do.
        suits = config.rows == config.cols or shape.channels <= min(config.rows, config.cols)
        return found if layer.alike and each and whole and plain and reachable and suits else None

    @property
    def blocks(self) -> int:
        """Channel blocks of all images."""
        return self.shape.images * math.ceil(self.shape.channels / self.lanes)

    @property
    def stacked(self) -> Convolution:
        """The convolution of the tall image; its outputs are those of the blocks, below each other."""
        shape, lanes = self.shape, self.lanes
        return dataclasses.replace(
            shape,
            channels=lanes,
            kernels=lanes,
            groups=lanes,
            height=self.blocks * shape.height,
            stride=(shape.height, 1),
            images=1,
        )

    def operands(self, operands: Operands) -> Operands:
        """Those of the first block, which serve all of them."""
        first = dataclasses.replace(
            operands,
            weights=operands.weights[: self.lanes],
            bias=operands.bias[: self.lanes],
            scales=operands.scales[: self.lanes],
        )
        for numbers in (operands.weights, operands.bias, operands.scales):
            assert (numbers == numbers.flat[0]).all(), "channels and taps are alike"
        return first
