"""Images beyond the positions that instructions express, cut into sections that are images of a batch."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from wingrid.host.compiler.blocking import furthest_position
from wingrid.host.compiler.framing import framed
from wingrid.host.networks.layer import Convolution, LayerError, Pair, Pool, output_size
from wingrid.hw.isa import LARGEST_POSITION


@dataclass(frozen=True)
class Cutting:
    """A convolution, with max pooling behind it or without, over sections of its image.

    Each section gives ``outputs`` (vertical, horizontal) outputs, or pooled ones, of each channel, and brings the halo
    that these need: pixels that neighbouring sections share, and the padding. All are of one size; what the last ones
    compute beyond the layer's own outputs is dropped.
    """

    shape: Convolution
    pool: Pool | None
    outputs: Pair

    @classmethod
    def of(cls, shape: Convolution, pool: Pool | None = None) -> Cutting | None:
        """The fewest sections, of nearly equal size; ``None`` if the image is small enough as it is.

        Raises ``LayerError`` if not even a single output's pixels are.
        """
        if max(furthest_position(shape)) <= LARGEST_POSITION:
            return None
        outputs = []
        for axis, total in enumerate(output_size(shape, pool)):
            reach = shape.dilation[axis] * (shape.kernel[axis] - 1)
            held = (LARGEST_POSITION - reach) // shape.stride[axis] + 1
            held = pool.outputs(held) if pool else held
            if held < 1:
                raise LayerError(
                    f"a window of {shape.kernel[0]}x{shape.kernel[1]} taps at dilation {shape.dilation[0]}x"
                    f"{shape.dilation[1]} spans too many pixels: positions end at {LARGEST_POSITION}"
                )
            outputs.append(math.ceil(total / math.ceil(total / held)))
        return cls(shape, pool, (outputs[0], outputs[1]))

    @cached_property
    def sections(self) -> Pair:
        """Sections that an image is cut into, vertically and horizontally."""
        height, width = output_size(self.shape, self.pool)
        return math.ceil(height / self.outputs[0]), math.ceil(width / self.outputs[1])

    @cached_property
    def cut(self) -> Convolution:
        """The convolution over all sections of all images, without padding."""
        shape = self.shape
        convolved = [self.pool.span(0, count)[1] if self.pool else count for count in self.outputs]
        height, width = (
            (count - 1) * stride + dilation * (kernel - 1) + 1
            for count, stride, dilation, kernel in zip(
                convolved, shape.stride, shape.dilation, shape.kernel, strict=True
            )
        )
        images = shape.images * math.prod(self.sections)
        return dataclasses.replace(shape, images=images, height=height, width=width, padding=(0, 0, 0, 0))

    def pixels(self, x: npt.NDArray[np.int8], zero_point: int) -> npt.NDArray[np.int8]:
        """The sections, int8 [images * sections, C, H', W'], of int8 [images, C, H, W], zero points for padding."""
        shape, cut = self.shape, self.cut
        top, left, _, _ = shape.padding
        down, right = (
            count * stride * (self.pool.stride if self.pool else 1)
            for count, stride in zip(self.outputs, shape.stride, strict=True)
        )
        size = (self.sections[0] - 1) * down + cut.height, (self.sections[1] - 1) * right + cut.width
        whole = framed(x, top, left, size, zero_point)
        windows = np.lib.stride_tricks.sliding_window_view(whole, (cut.height, cut.width), (2, 3))
        sections = windows[:, :, ::down, ::right].transpose(0, 2, 3, 1, 4, 5)
        return sections.reshape(cut.images, cut.channels, cut.height, cut.width)

    def joined(self, y: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
        """The layer's output, int8 [images, K, OH, OW], from that of all sections."""
        shape = self.shape
        height, width = output_size(shape, self.pool)
        parts = y.reshape(shape.images, *self.sections, shape.kernels, *self.outputs).transpose(0, 3, 1, 4, 2, 5)
        down, right = (sections * count for sections, count in zip(self.sections, self.outputs, strict=True))
        return np.ascontiguousarray(parts.reshape(shape.images, shape.kernels, down, right)[:, :, :height, :width])
