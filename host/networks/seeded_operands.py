"""Seeded weights for layers whose trained ones nobody gave, scaled so that activations stay alive.

Weights are uniform over int8. Where a network was pruned they are what is left of a normal distribution without its
smallest magnitudes, or uniform over a few values where it shares them; zeros are then where chance puts them. The
scale of output channel k makes its outputs spread the same for every layer: with weights that do not depend on the
input, a sum's variance is E[(x - zero point)^2] times the sum of its squared weights. The first factor is known from
how the previous layer was scaled. So no tensor has to be looked at, and the weights are the same for each input.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wingrid.host.networks.layer import Layer, Operands

SEEDED = "seeded"
"""Where weights from a random generator come from: no class that a network finds with them means anything."""

RELU_SPREAD = 64
"""Standard deviation, in steps of int8, of a layer's outputs before ReLU: 4 of them span the 255 above zero."""

LINEAR_SPREAD = 16
"""Standard deviation, in steps of int8, of a layer's outputs without ReLU: 8 of them span the 127 on either side, since
poolings make activations larger than this calculation takes them, and classes should still differ."""

LOGIT_STEP = 1 / LINEAR_SPREAD
"""What a step of a seeded network's last output stands for: its logits have a standard deviation of 1 or more."""

INPUT_SQUARE = 64.0**2
"""Mean square that a network's input (a picture, centred) is taken to have."""


@dataclass(frozen=True)
class Pruning:
    """How many of a layer's weights are not zero, and how many values those have."""

    density: float
    """Between 0 and 1."""
    values: int | None = None
    """``None`` for all that int8 has."""

    def apply(self, weights: npt.NDArray[np.int8], random: np.random.Generator) -> npt.NDArray[np.int8]:
        """Weights of that density in place of those given, (kernels, channels, height, width)."""
        if self.values is None:
            return self._largest(random.standard_normal(weights.shape, dtype=np.float32))
        values = np.setdiff1d(np.arange(-127, 128), [0]).astype(np.int8)
        # The middles of as many equal parts.
        values = values[(2 * np.arange(self.values) + 1) * len(values) // (2 * self.values)]
        chosen = values[weights.view(np.uint8) % len(values)]
        return np.where(random.random(weights.shape, dtype=np.float32) < self.density, chosen, np.int8(0))

    def _largest(self, weights: npt.NDArray[np.float32]) -> npt.NDArray[np.int8]:
        """The largest magnitudes of a layer, each kernel scaled so that its own largest is 127, and zeros.

        Weights of VGG-16's trained convolutions, pruned to the published densities, have 3.10 bits of entropy each;
        these have 3.11, where values spread evenly would have 3.51.
        """
        left = np.where(np.abs(weights) >= np.quantile(np.abs(weights), 1 - self.density), weights, 0)
        largest = np.abs(left).max(axis=(1, 2, 3), keepdims=True)
        return np.rint(left * (127 / np.maximum(largest, np.finfo(np.float32).tiny))).astype(np.int8)


def seeded_operands(layer: Layer, seed: int = 0, pruning: Pruning | None = None) -> Operands:
    """Weights, bias and scales that depend on the layer's name and sizes, on ``seed`` and on ``pruning``, alone."""
    shape = layer.shape
    random = np.random.default_rng([seed, zlib.crc32(layer.name.encode())])
    size = (shape.kernels, shape.channels // shape.groups, *shape.kernel)
    weights = random.integers(-127, 128, size, np.int8)
    if pruning is not None:
        weights = pruning.apply(weights, random)
    # After a ReLU half of a symmetric distribution is left, and with it half of the mean square.
    square = RELU_SPREAD**2 / 2 if layer.x_zero_point == -128 else INPUT_SQUARE
    norms = np.array([math.sqrt(float(np.square(kernel, dtype=np.float32).sum())) for kernel in weights])
    deviations = np.maximum(norms, 1) * math.sqrt(square)
    spread = RELU_SPREAD if layer.y_zero_point == -128 else LINEAR_SPREAD
    bias = np.rint(random.normal(0, 0.1, shape.kernels) * deviations).astype(np.int32)
    return Operands(weights, bias, (spread / deviations).astype(np.float32))
