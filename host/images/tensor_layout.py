"""Where each element of a tensor lies in memory: a formula of few numbers, without network or compiler."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt


def _number(meaning: str, *, compare: bool = True) -> Any:  # noqa: ANN401 (what dataclasses.field claims to be)
    return field(metadata={"meaning": meaning}, compare=compare)


@dataclass(frozen=True)
class TensorLayout:
    """The bytes [image][block][row][column][lane] of a tensor in memory, and the host's element behind each of them.

    A pixel of a channel block takes a beat of ``beat_bytes``, of which the first ``lanes`` are in use. The byte at
    (i, b, y, x, lane) belongs to memory's channel c = b * lanes + lane. What stands there is found as follows, all
    divisions rounding down:

        per   = layer_channels / groups
        group = c / (taps_y * taps_x * per)
        tap   = c / per % (taps_y * taps_x)
        ty    = tap / taps_x;  tx = tap % taps_x
        layer_channel = group * per + c % per
        section = i % (sections_y * sections_x);  image = i / (sections_y * sections_x)
        row    = (y + section / sections_x * section_y) * stride_y + ty * dilation_y - top
        column = (x + section % sections_x * section_x) * stride_x + tx * dilation_x - left
        if tall: image = row / height;  row = row % height
        element = image * image_stride + channel_map[layer_channel] * channel_stride
                  + row * row_stride + column * column_stride

    It is the host's ``element`` (in C order), if c is below ``memory_channels``, row and column lie within ``height``
    and ``width``, image below ``images`` and element below ``elements``; else it is ``fill``. An empty ``channel_map``
    stands for the layer's channels as they are. Where a tensor is only read, each element occurs once.
    """

    images: int = _number("the host's tensor as [images][channels][height][width]")
    channels: int = _number("of the host's tensor")
    height: int = _number("rows of an image of the host's tensor")
    width: int = _number("columns of an image of the host's tensor")
    elements: int = _number("elements of the host's tensor")
    image_stride: int = _number("elements from one image of the host's tensor to the next")
    channel_stride: int = _number("elements from one channel to the next")
    row_stride: int = _number("elements from one row to the next")
    column_stride: int = _number("elements from one column to the next")
    memory_images: int = _number("the tensor in memory as [image][block][row][column][lane]")
    memory_blocks: int = _number("channel blocks of an image in memory")
    memory_rows: int = _number("rows of a channel block in memory")
    memory_columns: int = _number("pixels of a row in memory")
    lanes: int = _number("bytes of a beat that are in use, a channel each")
    beat_bytes: int = _number("bytes from one pixel to the next")
    memory_channels: int = _number("channels in memory: lanes beyond them hold the fill")
    layer_channels: int = _number("channels before taps were made channels")
    groups: int = _number("runs of channels that are multiplied by their taps apart from each other")
    taps_y: int = _number("rows of a kernel's taps that are channels in memory")
    taps_x: int = _number("columns of a kernel's taps that are channels in memory")
    stride_y: int = _number("the host's rows from one row in memory to the next")
    stride_x: int = _number("the host's columns from one pixel in memory to the next")
    dilation_y: int = _number("the host's rows from one tap to the next")
    dilation_x: int = _number("the host's columns from one tap to the next")
    top: int = _number("rows of padding above the host's image")
    left: int = _number("columns of padding left of the host's image")
    sections_y: int = _number("sections that an image is cut into, one below the other")
    sections_x: int = _number("sections side by side")
    section_y: int = _number("rows in memory from one section's start to the next one's")
    section_x: int = _number("columns in memory from one section's start to the next one's")
    tall: int = _number("1: the images of a batch stand below each other, 0: one after the other")
    fill: int = _number("what stands where no element does", compare=False)
    channel_map: tuple[int, ...] = ()
    """The host's channel behind each of the layer's, if they are not the same."""

    @classmethod
    def numbers(cls) -> list[tuple[str, str]]:
        """Name and meaning of each number, all but the map of channels."""
        return [(item.name, item.metadata["meaning"]) for item in dataclasses.fields(cls) if item.metadata]

    @property
    def bytes(self) -> int:
        """What the tensor takes in memory."""
        return self.memory_images * self.memory_blocks * self.memory_rows * self.memory_columns * self.beat_bytes

    def pack(self, values: npt.NDArray[np.int8]) -> npt.NDArray[np.uint8]:
        """The bytes in memory, uint8 [bytes], for the host's int8 values of any shape in C order."""
        flat = np.append(values.reshape(-1), np.int8(self.fill))
        beats = np.full((*self._elements.shape[:-1], self.beat_bytes), self.fill, np.int8)
        beats[..., : self.lanes] = flat[self._elements]
        return beats.view(np.uint8).reshape(-1)

    def unpack(self, content: npt.NDArray[np.uint8]) -> npt.NDArray[np.int8]:
        """The host's values, int8 [elements], from the bytes in memory, uint8 [bytes]."""
        beats = content.view(np.int8).reshape(*self._elements.shape[:-1], self.beat_bytes)
        values = np.zeros(self.elements + 1, np.int8)
        values[self._elements] = beats[..., : self.lanes]
        return values[:-1]

    @cached_property
    def _elements(self) -> npt.NDArray[np.int64]:
        """The host's element behind each byte in use [image, block, row, column, lane]; -1, the last, for the fill."""
        i, b, y, x, lane = np.ogrid[
            : self.memory_images, : self.memory_blocks, : self.memory_rows, : self.memory_columns, : self.lanes
        ]
        c = b * self.lanes + lane
        per, taps = self.layer_channels // self.groups, self.taps_y * self.taps_x
        ty, tx = np.divmod(c // per % taps, self.taps_x)
        layer_channel = np.minimum(c // (taps * per) * per + c % per, self.layer_channels - 1)
        channel = np.array(self.channel_map)[layer_channel] if self.channel_map else layer_channel
        image, section = np.divmod(i, self.sections_y * self.sections_x)
        down, right = np.divmod(section, self.sections_x)
        row = (y + down * self.section_y) * self.stride_y + ty * self.dilation_y - self.top
        column = (x + right * self.section_x) * self.stride_x + tx * self.dilation_x - self.left
        if self.tall:
            image, row = np.divmod(row, self.height)
        element = (
            image * self.image_stride
            + channel * self.channel_stride
            + row * self.row_stride
            + column * self.column_stride
        )
        inside = (c < self.memory_channels) & (row >= 0) & (row < self.height) & (column >= 0) & (column < self.width)
        inside = inside & (image >= 0) & (image < self.images) & (element < self.elements)
        return np.where(inside, element, -1)


def dense(shape: tuple[int, int, int, int]) -> dict[str, int]:
    """Sizes and strides of a host's tensor [images, channels, height, width] in C order."""
    _, channels, height, width = shape
    return host_view(shape, (channels * height * width, height * width, width, 1), math.prod(shape))


def host_view(shape: tuple[int, int, int, int], strides: tuple[int, int, int, int], elements: int) -> dict[str, int]:
    """Sizes and strides of a host's tensor. An axis of one has no stride, so that equal layouts are equal."""
    names = ("image", "channel", "row", "column")
    return {
        **dict(zip(("images", "channels", "height", "width"), shape, strict=True)),
        "elements": elements,
        **{
            f"{name}_stride": stride if size > 1 else 0
            for name, size, stride in zip(names, shape, strides, strict=True)
        },
    }
