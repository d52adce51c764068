"""Taps of a kernel as channels: how a layer with few input channels comes to fill the array's rows."""

from __future__ import annotations

import dataclasses
import itertools
import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from wingrid.host.compiler.framing import framed
from wingrid.host.networks.layer import Convolution, Layer, Operands, Pair


@dataclass(frozen=True)
class Unfolding:
    """A convolution in which ``taps`` (vertical, horizontal) neighbouring taps of each channel are channels themselves.

    Pixel (y, x) of the unfolded image holds, for its place in the stride's grid, channel (group, ty, tx, c): the
    original's pixel under tap (ty, tx) there, padding included. Taps of the remaining, smaller kernel are ``taps``
    apart. With ``taps`` equal to the stride this is known as space to depth, with the whole kernel as im2col. Sums are
    the same, so whatever follows is.
    """

    shape: Convolution
    taps: Pair

    @staticmethod
    def candidates(shape: Convolution) -> list[Unfolding]:
        """All unfoldings by single strides or by the whole kernel along each axis.

        A single tap along both is among them where it does something: pixels between strides are left out.
        """
        axes = [
            sorted({taps for taps in (stride, size) if taps == size or (taps < size and taps * step % stride == 0)})
            for size, stride, step in zip(shape.kernel, shape.stride, shape.dilation, strict=True)
        ]
        return [
            Unfolding(shape, (down, right))
            for down, right in itertools.product(*axes)
            if (down, right) != (1, 1) or shape.stride != (1, 1)
        ]

    @cached_property
    def kernel(self) -> Pair:
        """Taps that remain along each axis."""
        down, right = (math.ceil(size / taps) for size, taps in zip(self.shape.kernel, self.taps, strict=True))
        return down, right

    @cached_property
    def unfolded(self) -> Convolution:
        """The convolution of the unfolded image, of the same sums: at stride 1, and without padding."""
        shape = self.shape
        down, right = (
            taps * step // stride if left > 1 else 1
            for taps, step, stride, left in zip(self.taps, shape.dilation, shape.stride, self.kernel, strict=True)
        )
        return dataclasses.replace(
            shape,
            channels=shape.channels * math.prod(self.taps),
            height=shape.out_height + (self.kernel[0] - 1) * down,
            width=shape.out_width + (self.kernel[1] - 1) * right,
            kernel=self.kernel,
            stride=(1, 1),
            padding=(0, 0, 0, 0),
            dilation=(down, right),
        )

    def layer(self, layer: Layer) -> Layer:
        """The layer that the accelerator computes in place of ``layer``."""
        return dataclasses.replace(layer, shape=self.unfolded, prepared=False)

    def operands(self, operands: Operands) -> Operands:
        """The unfolded layer's operands: weights [K, C, kh, kw] become [K, C * taps, ...], zero beyond the kernel."""
        (down, right), (height, width) = self.taps, self.kernel
        kernels, channels, rows, columns = operands.weights.shape
        whole = np.zeros((kernels, channels, height * down, width * right), np.int8)
        whole[:, :, :rows, :columns] = operands.weights
        split = whole.reshape(kernels, channels, height, down, width, right)
        weights = split.transpose(0, 3, 5, 1, 2, 4).reshape(kernels, -1, height, width)
        return dataclasses.replace(operands, weights=np.ascontiguousarray(weights))

    def pixels(self, x: npt.NDArray[np.int8], zero_point: int) -> npt.NDArray[np.int8]:
        """The unfolded layer's input, int8 [images, C * taps, H', W'], from int8 [images, C, H, W].

        Padding holds the zero point.
        """
        shape, unfolded = self.shape, self.unfolded
        top, left, _, _ = shape.padding
        spans = [
            ((size - 1) * stride + (taps - 1) * step + 1)
            for size, stride, taps, step in zip(
                (unfolded.height, unfolded.width), shape.stride, self.taps, shape.dilation, strict=True
            )
        ]
        padded = framed(x, top, left, (spans[0], spans[1]), zero_point)
        lanes = []
        for down, right in np.ndindex(self.taps):
            first_row, first_column = down * shape.dilation[0], right * shape.dilation[1]
            last_row = first_row + (unfolded.height - 1) * shape.stride[0]
            last_column = first_column + (unfolded.width - 1) * shape.stride[1]
            rows = slice(first_row, last_row + 1, shape.stride[0])
            columns = slice(first_column, last_column + 1, shape.stride[1])
            lane = padded[:, :, rows, columns]
            lanes.append(lane.reshape(len(x), shape.groups, -1, *lane.shape[2:]))
        return np.concatenate(lanes, axis=2).reshape(len(x), -1, unfolded.height, unfolded.width)
