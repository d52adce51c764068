"""Pictures as a model takes them: cut and scaled to its size, with the mean and the scale that it was trained with."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from wingrid.host.errors import UserError
from wingrid.host.networks.pictures import fitted, load_picture
from wingrid.host.onnx_models.shapes import OpenType

LAYOUTS = ("nchw", "nhwc")


@dataclass(frozen=True)
class PictureForm:
    """How pixels from 0 to 255 become what a model takes: (pixel - mean) / scale, for each colour."""

    mean: Sequence[float] = (0.0,)
    """One number, or one for each colour, as in ``scale``."""
    scale: Sequence[float] = (255.0,)
    layout: str = "nchw"
    """Whether colours (``nchw``) or rows (``nhwc``) come first."""

    def __post_init__(self) -> None:
        if self.layout not in LAYOUTS:
            raise UserError(f"--layout {self.layout} is none of {', '.join(LAYOUTS)}")
        if not all(map(math.isfinite, (*self.mean, *self.scale))) or 0 in self.scale:
            raise UserError("--mean and --scale take finite numbers, and no scale is 0")

    def picture(self, source: str, name: str, wanted: OpenType) -> npt.NDArray:
        """The picture of a file for the input ``name``: one of a batch, without the batch's axis.

        A size that the model leaves open is the picture's own, or follows from the other in proportion.
        Raises ``UserError`` for an input that takes no pictures, and for what is no picture.
        """
        channels, height, width = self._sizes(name, wanted)
        pixels = load_picture(source)
        tall, wide = pixels.shape[:2]
        if height or width:
            pixels = fitted(
                pixels,
                height or max(1, round(tall * (width or wide) / wide)),
                width or max(1, round(wide * (height or tall) / tall)),
            )
        if channels == 1:
            pixels = np.asarray(Image.fromarray(pixels).convert("L"))[..., None]
        values = self._values(pixels, name, wanted)
        return np.ascontiguousarray(values if self.layout == "nhwc" else values.transpose(2, 0, 1))

    def _sizes(self, name: str, wanted: OpenType) -> tuple[int, int | None, int | None]:
        """Channels, height and width; ``None`` for what is open."""
        shape = wanted.shape if wanted.shape is not None else (None,) * 4
        if len(shape) != 4:
            raise UserError(f"input {name} takes no pictures: it is {wanted}, and pictures have four axes")
        channels, height, width = shape[1:] if self.layout == "nchw" else (shape[3], *shape[1:3])
        if not isinstance(channels, int):
            channels = 3
        if channels not in (1, 3):
            raise UserError(
                f"input {name} takes no pictures: it is {wanted}, and with --layout {self.layout} "
                f"that makes {channels} channels, not 3 or 1"
            )
        return channels, height if isinstance(height, int) else None, width if isinstance(width, int) else None

    def _values(self, pixels: npt.NDArray[np.uint8], name: str, wanted: OpenType) -> npt.NDArray:
        if wanted.dtype == np.uint8:
            return pixels
        if not np.issubdtype(wanted.dtype, np.floating):
            raise UserError(f"input {name} takes no pictures: it is {wanted}, neither float nor uint8")
        channels = pixels.shape[2]
        for option, numbers in (("--mean", self.mean), ("--scale", self.scale)):
            if len(numbers) not in (1, channels):
                raise UserError(f"{option} has {len(numbers)} numbers, and input {name} has {channels} colours")
        mean, scale = np.array(self.mean, np.float32), np.array(self.scale, np.float32)
        return (pixels.astype(np.float32) - mean) / scale


AS_THEY_ARE = PictureForm()
"""Pixels from 0 to 1."""
