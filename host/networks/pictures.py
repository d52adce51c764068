"""Pictures in and out: 8-bit RGB arrays, int8 activations, and the sample photographs."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from wingrid.host.errors import UserError
from wingrid.host.files import require_writable, write_whole
from wingrid.host.networks.picture_reading import read_picture

SAMPLES = ("china", "flower")
"""scikit-learn's two photographs, 427 x 640 pixels each, in place of a file: ``sample:china``, ``sample:flower``."""

_SAMPLE_PREFIX = "sample:"


def load_picture(source: str | Path) -> npt.NDArray[np.uint8]:
    """A picture as RGB, uint8 [H, W, 3]; ``source`` is a file or ``sample:`` and one of ``SAMPLES``.

    Raises ``UserError`` for a file that cannot be read as a picture, see ``read_picture``.
    """
    if str(source).startswith(_SAMPLE_PREFIX):
        name = str(source).removeprefix(_SAMPLE_PREFIX)
        if name not in SAMPLES:
            raise UserError(f"unknown sample photograph {name!r}; there are {', '.join(SAMPLES)}")
        # Imported here: it takes longer than all other imports together.
        from sklearn.datasets import load_sample_image

        return np.array(load_sample_image(f"{name}.jpg"), np.uint8)
    return read_picture(source)


def require_picture_path(path: Path) -> None:
    """Raise ``UserError`` unless pictures can be written to a file of this name."""
    require_writable(path)
    if Image.registered_extensions().get(path.suffix.lower()) not in Image.SAVE:
        raise UserError(f"cannot write {path}: {path.suffix or 'a name without suffix'} stands for no picture format")


def save_picture(path: Path, pixels: npt.NDArray[np.uint8]) -> None:
    """Write RGB, uint8 [H, W, 3], in the format that the file's suffix stands for."""
    require_picture_path(path)
    content = io.BytesIO()
    try:
        Image.fromarray(pixels).save(content, format=Image.registered_extensions()[path.suffix.lower()])
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"cannot write {path}: {error}") from None
    write_whole(path, content.getvalue())


def to_activations(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.int8]:
    """uint8 [H, W, 3] as int8 [1, 3, H, W], 128 less."""
    return (pixels.astype(np.int16) - 128).astype(np.int8).transpose(2, 0, 1)[None]


def from_activations(x: npt.NDArray[np.int8]) -> npt.NDArray[np.uint8]:
    """The inverse of ``to_activations``."""
    return (x[0].transpose(1, 2, 0).astype(np.int16) + 128).astype(np.uint8)


def fitted(pixels: npt.NDArray[np.uint8], height: int, width: int) -> npt.NDArray[np.uint8]:
    """The largest centred part of the right proportions, scaled to height x width."""
    return np.array(ImageOps.fit(Image.fromarray(pixels), (width, height), Image.Resampling.BILINEAR), np.uint8)


def sample_batch(images: int, height: int, width: int) -> npt.NDArray[np.int8]:
    """int8 [images, 3, height, width]: the sample photographs, then smaller and smaller central parts of them."""
    batch = []
    for index in range(images):
        pixels = load_picture(f"{_SAMPLE_PREFIX}{SAMPLES[index % len(SAMPLES)]}")
        margin = min(index // len(SAMPLES) * 8, 160)
        pixels = pixels[margin : len(pixels) - margin, margin : pixels.shape[1] - margin]
        batch.append(to_activations(fitted(pixels, height, width)))
    return np.concatenate(batch)
