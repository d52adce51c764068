"""Random convolution layers, the same for a seed wherever they are used: golden model, RTL and timing."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from wingrid.sim.golden.convolution import convolve
from wingrid.sim.golden.requantise import requantise, requantise_scale
from wingrid.sim.golden.window import Padding, Pair, output_size


@dataclass(frozen=True)
class RandomConvolution:
    """A quantised convolution layer; its tensors follow from the seed and the sizes."""

    seed: int
    channels: int
    height: int
    width: int
    kernels: int
    kernel: Pair
    stride: Pair
    padding: Padding
    dilation: Pair
    groups: int
    x_zero_point: int
    y_zero_point: int
    extreme: bool
    """Whether x and the weights take only the smallest and the largest of their values."""

    def __str__(self) -> str:
        fields = dataclasses.asdict(self).items()
        return " ".join(f"{name}={value}".replace(" ", "") for name, value in fields)

    @property
    def output_shape(self) -> tuple[int, int, int]:
        """Channels, rows, columns."""
        top, left, bottom, right = self.padding
        rows = output_size(
            self.height, self.kernel[0], stride=self.stride[0], padding=(top, bottom), dilation=self.dilation[0]
        )
        columns = output_size(
            self.width, self.kernel[1], stride=self.stride[1], padding=(left, right), dilation=self.dilation[1]
        )
        return self.kernels, rows, columns

    @cached_property
    def x(self) -> npt.NDArray[np.int8]:
        return self._int8(0, (self.channels, self.height, self.width))

    @cached_property
    def weights(self) -> npt.NDArray[np.int8]:
        return self._int8(1, (self.kernels, self.channels // self.groups, *self.kernel))

    @cached_property
    def bias(self) -> npt.NDArray[np.int32]:
        spread = int(3000 * self._fan_in**0.5)
        return self._generator(2).integers(-spread, spread, self.kernels, dtype=np.int32, endpoint=True)

    @cached_property
    def x_scale(self) -> np.float32:
        return np.float32(self._generator(3).uniform(0.001, 0.1))

    @cached_property
    def w_scales(self) -> npt.NDArray[np.float32]:
        """One for each output channel, spread over two orders of magnitude."""
        return np.float32(10.0) ** self._generator(4).uniform(-4, -2, self.kernels).astype(np.float32)

    @cached_property
    def y_scale(self) -> np.float32:
        """Such that a channel of middling weight scale uses int8 well, and a large one saturates now and then."""
        return np.float32(self.x_scale * 1e-3 * 120 * self._fan_in**0.5)

    @property
    def scales(self) -> npt.NDArray[np.float32]:
        """From sums to outputs, one for each output channel."""
        return requantise_scale(self.x_scale, self.w_scales, self.y_scale)

    def golden(self) -> npt.NDArray[np.int8]:
        """The output, int8 of ``output_shape``, by the golden model."""
        sums = convolve(
            self.x,
            self.weights,
            x_zero_point=self.x_zero_point,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            groups=self.groups,
        )
        return requantise(sums + self.bias[:, None, None], self.scales, zero_point=self.y_zero_point)

    @property
    def _fan_in(self) -> int:
        return self.channels // self.groups * self.kernel[0] * self.kernel[1]

    def _generator(self, tensor: int) -> np.random.Generator:
        return np.random.default_rng((self.seed, tensor))

    def _int8(self, tensor: int, shape: tuple[int, ...]) -> npt.NDArray[np.int8]:
        generator = self._generator(tensor)
        if self.extreme:
            return generator.choice(np.array([-128, 127], np.int8), shape)
        return generator.integers(-128, 127, shape, dtype=np.int8, endpoint=True)


def cases(count: int, seed: int) -> Iterator[RandomConvolution]:
    """``count`` layers; the first n are the same for every count of at least n.

    Kernels 1 to 11, strides 1 to 4, padding that differs on the four sides, a third grouped (half of
    these depthwise), a quarter dilated, up to 40 channels (60 if grouped)
    and 20 x 20 pixels, or what a larger kernel spans.
    """
    for index in range(count):
        # random.Random keeps its sequences from version to version, which numpy's generators do not promise.
        yield _case(random.Random(f"{seed}/{index}"), seed * 1_000_000 + index)


def _case(chance: random.Random, seed: int) -> RandomConvolution:
    kernel = (chance.choice((1, 2, 3, 3, 4, 5, 7, 9, 11)), chance.choice((1, 2, 3, 3, 4, 5, 6, 8, 10, 11)))
    if chance.random() < 0.5:
        kernel = (kernel[0], kernel[0])
    dilation = (chance.randint(1, 3), chance.randint(1, 3)) if chance.random() < 0.25 else (1, 1)
    top, left, bottom, right = (chance.randint(0, kernel[side % 2] // 2 + 1) for side in range(4))
    padding = (top, left, bottom, right)
    height, width = (
        _image_size(chance, (kernel[axis] - 1) * dilation[axis] + 1 - padding[axis] - padding[axis + 2])
        for axis in range(2)
    )
    groups, channels, kernels = 1, chance.randint(1, 40), chance.randint(1, 40)
    if chance.random() < 1 / 3:
        groups = chance.randint(2, 12)
        depthwise = chance.random() < 0.5
        channels = groups * (1 if depthwise else chance.randint(2, 5))
        kernels = groups * chance.choice((1, 1, 2) if depthwise else (1, 2, 3))
    return RandomConvolution(
        seed=seed,
        channels=channels,
        height=height,
        width=width,
        kernels=kernels,
        kernel=kernel,
        stride=(chance.randint(1, 4), chance.randint(1, 4)) if chance.random() < 0.6 else (1, 1),
        padding=padding,
        dilation=dilation,
        groups=groups,
        x_zero_point=chance.choice((0, -128, 127, chance.randint(-127, 126))),
        y_zero_point=chance.choice((0, -128, 127, chance.randint(-127, 126))),
        extreme=chance.random() < 0.15,
    )


def _image_size(chance: random.Random, smallest: int) -> int:
    return chance.randint(max(1, smallest), max(20, smallest))
