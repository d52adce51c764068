"""What a layer is: its geometry and quantisation, apart from its weights, so that estimates need no tensors."""

from __future__ import annotations

import dataclasses
import enum
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wingrid.host.errors import UserError
from wingrid.host.networks.response_normalisation import ResponseNormalisation
from wingrid.hw.isa import LARGEST_POSITION, Combining

Pair = tuple[int, int]
"""Vertical, then horizontal."""


class LayerError(UserError):
    """A layer that cannot be computed; the message says why."""


@dataclass(frozen=True)
class Convolution:
    """Geometry of a (grouped, dilated) convolution over a batch of images.

    ``padding`` is (top, left, bottom, right); where it is negative, so many pixels of the image are left out. Fully
    connected layers and matrix products take this form too, see ``fully_connected`` and ``matrix_product``.
    """

    channels: int
    height: int
    width: int
    kernels: int
    kernel: Pair = (1, 1)
    stride: Pair = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1
    images: int = 1

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            for number in value if isinstance(value, tuple) else (value,):
                if number < 1 and field.name != "padding":
                    raise LayerError(f"a convolution's {field.name} = {value} must be at least 1")
        top, left, bottom, right = (min(0, pixels) for pixels in self.padding)
        if self.height + top + bottom < 1 or self.width + left + right < 1:
            raise LayerError(f"padding of {self.padding} leaves nothing of {self.height}x{self.width} pixels")
        if self.channels % self.groups or self.kernels % self.groups:
            raise LayerError(
                f"{self.groups} groups do not divide {self.channels} input and {self.kernels} output channels evenly"
            )
        if min(self.out_height, self.out_width) < 1:
            raise LayerError(
                f"a kernel of {self.kernel[0]}x{self.kernel[1]} with dilation {self.dilation[0]}x{self.dilation[1]} "
                f"does not fit into {self.height}x{self.width} pixels with padding {self.padding}"
            )

    @property
    def out_height(self) -> int:
        top, _, bottom, _ = self.padding
        return (self.height + top + bottom - self.dilation[0] * (self.kernel[0] - 1) - 1) // self.stride[0] + 1

    @property
    def out_width(self) -> int:
        _, left, _, right = self.padding
        return (self.width + left + right - self.dilation[1] * (self.kernel[1] - 1) - 1) // self.stride[1] + 1

    @property
    def macs(self) -> int:
        """Multiplications of the layer itself, padding included, lanes that the array leaves idle not."""
        taps = self.kernel[0] * self.kernel[1]
        return self.images * self.kernels * self.out_height * self.out_width * (self.channels // self.groups) * taps

    @property
    def input_bytes(self) -> int:
        return self.images * self.channels * self.height * self.width

    @property
    def weight_bytes(self) -> int:
        return self.kernels * (self.channels // self.groups) * self.kernel[0] * self.kernel[1]


@dataclass(frozen=True)
class Pool:
    """Max pooling over ``side`` x ``side`` pixels, ``stride`` apart; no padding, windows that overhang are left out."""

    side: int
    stride: int

    def __post_init__(self) -> None:
        if self.side < 2 or self.stride < 1:
            raise LayerError(f"a pooling window's side {self.side} must be at least 2, its stride {self.stride} 1")

    def __str__(self) -> str:
        return f"{self.side}x{self.side}/{self.stride}"

    def outputs(self, pixels: int) -> int:
        """Windows along an axis."""
        return (pixels - self.side) // self.stride + 1

    def span(self, start: int, stop: int) -> tuple[int, int]:
        """Pixels along an axis, from start to stop, under the windows from start to stop."""
        return start * self.stride, (stop - 1) * self.stride + self.side


def output_size(shape: Convolution, pool: Pool | None) -> Pair:
    """Height and width of what a convolution with max pooling behind it leaves.

    Raises ``LayerError`` if no pooling window fits into the convolution's output.
    """
    if pool is None:
        return shape.out_height, shape.out_width
    if pool.side > min(shape.out_height, shape.out_width):
        raise LayerError(
            f"a pooling window of {pool.side}x{pool.side} does not fit into {shape.out_height}x{shape.out_width} pixels"
        )
    return pool.outputs(shape.out_height), pool.outputs(shape.out_width)


class Lookup(enum.Enum):
    """What, besides a result, the table of a layer depends on that maps each of its results to another byte."""

    LAYER = "layer"
    """Nothing: all channels have the same table."""
    CHANNEL = "channel"


@dataclass(frozen=True)
class Combination:
    """What another tensor, the addend, does to a layer's results: see ``wingrid.sim.golden.combination``."""

    kind: Combining
    factor: int
    addend_factor: int = 0
    offset: int = 0
    result_zero: int = 0
    addend_zero: int = 0
    broadcast: bool = False
    """Whether the addend has one number for all pixels of a channel, and not one for each."""

    @property
    def numbers(self) -> dict[str, int]:
        """The integers, by the names that a STORE and the golden model have for them."""
        names = ("factor", "addend_factor", "offset", "result_zero", "addend_zero")
        return {name: getattr(self, name) for name in names}

    @property
    def swapped(self) -> Combination:
        """The same with the addend for the result and the result for the addend."""
        first, second = self.factor, self.addend_factor
        factors = (second, first) if self.kind is Combining.SUM else (first, second)
        zeros = self.addend_zero, self.result_zero
        return Combination(self.kind, *factors, self.offset, *zeros, broadcast=self.broadcast)

    @property
    def fields(self) -> dict[str, int]:
        """Of the STOREs that combine so."""
        return {"combination": self.kind.value, "broadcast": int(self.broadcast), **self.numbers}


@dataclass(frozen=True)
class Surface:
    """The pixels of a channel of a larger tensor, in which a layer leaves its results.

    Its rows of results lie ``row_step`` rows apart, their columns ``column_step`` columns.
    """

    height: int
    width: int
    row_step: int = 1
    column_step: int = 1

    def __post_init__(self) -> None:
        if min(self.height, self.width, self.row_step, self.column_step) < 1:
            raise LayerError(
                f"a surface of {self.height}x{self.width} pixels, rows {self.row_step} apart and columns "
                f"{self.column_step}, is none"
            )

    @property
    def pixels(self) -> int:
        return self.height * self.width

    @property
    def row_pixels(self) -> int:
        """From a row of results to the next."""
        return self.row_step * self.width


@dataclass(frozen=True)
class Layer:
    """A convolution with the integers of its quantisation; ReLU is a ``minimum`` at the output's zero point.

    Where there is a ``lookup``, each requantised and clamped result is replaced by what a table has for it. Where there
    is a ``combination``, another tensor is added to them or multiplied by them, and where there is a ``pool``, max
    pooling follows.
    """

    name: str
    operator: str
    """``conv``, ``fc`` or ``matmul``: how reports call it."""
    shape: Convolution
    x_zero_point: int = 0
    y_zero_point: int = 0
    minimum: int = -128
    maximum: int = 127
    lookup: Lookup | None = None
    combination: Combination | None = None
    pool: Pool | None = None
    normalisation: ResponseNormalisation | None = None
    """What the host does with the output before the next layer takes it."""
    surface: Surface | None = None
    """Where it leaves its results, if not as a tensor of their own."""
    alike: bool = False
    """Whether each channel is made of its own, with one weight for all taps, one bias and one scale: an average."""
    prepared: bool = False
    """Whether the host prepares its input and may therefore lay it out as suits the array best."""

    def __post_init__(self) -> None:
        height, width = output_size(self.shape, self.pool)
        surface = self.surface
        if surface and (
            (height - 1) * surface.row_step >= surface.height or (width - 1) * surface.column_step >= surface.width
        ):
            raise LayerError(f"{height}x{width} results do not fit into {surface.height}x{surface.width} pixels")

    @property
    def column_step(self) -> int:
        """Pixels in memory from a column of its results to the next."""
        return self.surface.column_step if self.surface else 1

    @property
    def output_shape(self) -> tuple[int, int, int, int]:
        """[images, kernels, height, width] of what the layer leaves, pooled if it pools."""
        return (self.shape.images, self.shape.kernels, *output_size(self.shape, self.pool))

    @property
    def output_bytes(self) -> int:
        return math.prod(self.output_shape)

    @property
    def addend_shape(self) -> tuple[int, int, int, int]:
        """[images, kernels, height, width] of what results are combined with, where there is something."""
        shape = self.shape
        size = (1, 1) if self.combination and self.combination.broadcast else (shape.out_height, shape.out_width)
        return shape.images, shape.kernels, *size

    def handed_on(self, y: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
        """The accelerator's output as the next layer takes it."""
        return self.normalisation.apply(y, self.y_zero_point) if self.normalisation else y


@dataclass(frozen=True)
class Operands:
    """What a layer computes with: weights [kernels, channels // groups, kh, kw], bias and scale per kernel.

    ``table`` holds, of a layer with a ``lookup``, what each result is replaced by: [256], or [kernels, 256] where it is
    by channel. Entry i is that for the result whose bits, as an unsigned number, are i.
    """

    weights: npt.NDArray[np.int8]
    bias: npt.NDArray[np.int32]
    scales: npt.NDArray[np.float32]
    table: npt.NDArray[np.int8] | None = None


OperandSource = Callable[[], Operands]
"""Returns a layer's operands on demand; timing a layer rarely needs them."""


def fully_connected(channels: int, height: int, width: int, outputs: int, images: int = 1) -> Convolution:
    """A fully connected layer over flattened [channels, height, width] activations.

    It is a convolution whose kernel is as large as the image, so activations keep their layout. The
    images of a batch stand below each other as one tall image, and the kernel strides from one to the
    next: all of them share each weight that crosses the bus.
    """
    return Convolution(
        channels, images * height, width, outputs, kernel=(height, width), stride=(height if images > 1 else 1, 1)
    )


def matrix_product(rows: int, inner: int, columns: int) -> Convolution:
    """[rows, inner] times [inner, columns] as a 1x1 convolution with ``rows`` pixels.

    Pixels stand below each other; with more rows than an image may have, they are folded into columns,
    the last row padded.
    """
    width = -(-rows // LARGEST_POSITION)
    return Convolution(inner, math.ceil(rows / width), width, columns)
