"""What goes into an imported model: an array of a file, a picture, or seeded noise."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from wingrid.host.errors import UserError
from wingrid.host.networks.inputs import load_array
from wingrid.host.networks.pictures import load_picture
from wingrid.host.onnx_models.shapes import OpenType
from wingrid.hw.config import ADDRESS_BITS

NOISE_SEED = 1

LARGEST_INPUT = 1 << ADDRESS_BITS
"""Bytes."""


def model_input_values(wanted: OpenType, source: npt.NDArray | str | None, images: int | None) -> npt.NDArray:
    """The input for a model that admits ``wanted``; ``images`` is the batch, taken from the source if ``None``.

    ``source`` is an array, or the name of a .npy file or of a picture, which becomes float32 [1, 3, H, W] from 0 to 1;
    ``None`` stands for seeded noise. Raises ``UserError`` for what the model does not take, for
    NaN and for infinity.
    """
    if source is None:
        return seeded_noise(wanted, images or 1)
    if isinstance(source, str):
        x = _array(source) if source.endswith(".npy") else _picture(source)
    else:
        x, source = source, "the input"
    require_room(x.dtype, x.shape, source)
    if np.issubdtype(wanted.dtype, np.floating) and np.issubdtype(x.dtype, np.floating):
        x = x.astype(wanted.dtype)
    if x.ndim == len(wanted.shape) - 1:
        x = x[None]
    if x.dtype != wanted.dtype or not wanted.admits(x.shape) or not x.size:
        raise UserError(f"{source} must hold {wanted}, not {x.dtype} {list(x.shape)}")
    if images is not None and len(x) != images:
        raise UserError(f"{source} holds {len(x)} images, not a batch of {images}")
    if np.issubdtype(x.dtype, np.floating) and not np.isfinite(x).all():
        raise UserError(f"{source} holds values that are infinite or no numbers")
    return x


def seeded_noise(wanted: OpenType, images: int) -> npt.NDArray:
    """Normally distributed floats, or integers of all values. Raises ``UserError`` if the model's sizes are open."""
    shape = wanted.bound(images)
    if shape is None:
        raise UserError(f"the model takes {wanted}, so its sizes follow from the input: give one with --input")
    if shape[0] != images:
        raise UserError(f"the model takes {wanted}, so it cannot take a batch of {images}")
    require_room(wanted.dtype, shape, "the model's input")
    return noise(wanted.dtype, shape)


def require_room(dtype: np.dtype, shape: Sequence[int], what: str) -> None:
    """Raise ``UserError`` for more bytes than the accelerator can address, before anything is made of them."""
    size = math.prod(shape) * dtype.itemsize
    if size > LARGEST_INPUT:
        raise UserError(f"{what} of {dtype} {list(shape)} takes {size} bytes, and at most {LARGEST_INPUT} can be used")


def noise(dtype: np.dtype, shape: Sequence[int]) -> npt.NDArray:
    """Normally distributed floats, or integers of all values, of a shape; always the same ones."""
    random = np.random.default_rng(NOISE_SEED)
    if np.issubdtype(dtype, np.floating):
        return random.normal(0, 1, shape).astype(dtype)
    if dtype == np.bool_:
        return random.integers(0, 2, shape).astype(np.bool_)
    limits = np.iinfo(dtype)
    return random.integers(limits.min, limits.max, shape, dtype, endpoint=True)


def _picture(source: str) -> npt.NDArray:
    return (load_picture(source).astype(np.float32) / np.float32(255)).transpose(2, 0, 1)[None]


def _array(source: str) -> npt.NDArray:
    x = load_array(source)
    if not isinstance(x, np.ndarray):
        raise UserError(f"{source} is an archive, not a .npy file")
    return x
