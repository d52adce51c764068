"""Networks that are built in as ONNX files: where their models are, and inputs to show them with."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
import numpy.typing as npt

from wingrid.host.errors import UserError
from wingrid.host.networks.pictures import sample_batch
from wingrid.host.networks.vgg16 import VGG16
from wingrid.sim.cache import cache_directory, is_sound

DIGITS = "digits"
DIGITS_COMPRESSED = "digits-compressed"
HANDWRITTEN = (DIGITS, DIGITS_COMPRESSED)
"""Networks that are shown with labelled digits."""
IMAGENET = "vgg16-imagenet"

TYPICAL_INPUTS = {"waifu2x": (1, 3, 78, 78)}
"""Input shapes for networks that take any size; waifu2x's is a picture tile that leaves 64x64 pixels."""

RTL_IMAGES = 100
"""Digits that a run on the RTL takes if nobody says how many: some 15 seconds of simulation."""


def fetched_model() -> Path:
    """Where ``wingrid fetch vgg16`` puts the model."""
    return cache_directory() / "networks" / f"{IMAGENET}.onnx"


def photographs(images: int) -> npt.NDArray[np.float32]:
    """As VGG-16 takes them: float32 [images, 3, 224, 224], RGB from 0 to 1."""
    pixels = sample_batch(images, VGG16.height, VGG16.width).astype(np.float32) + 128
    return pixels / np.float32(255)


@dataclass(frozen=True)
class Labelled:
    """Inputs of a classifier, float32 [N, 1, H, W], and what they show, [N]."""

    images: npt.NDArray[np.float32]
    labels: npt.NDArray[np.uint8]


def bundled_model(name: str) -> Path:
    """The .onnx file of a built-in network. Raises ``UserError`` if it has to be fetched first."""
    if name == IMAGENET:
        path = fetched_model()
        if not path.exists():
            raise UserError(f"{name} has not been fetched yet; fetch it with: wingrid fetch vgg16")
        if not is_sound(path):
            raise UserError(f"{path} is damaged; fetch it again with: wingrid fetch vgg16")
        return path
    folder = DIGITS if name in HANDWRITTEN else name
    return Path(str(resources.files("wingrid.host.networks") / folder / f"{name}.onnx"))


def labelled_digits(images: int | None, backend: str) -> Labelled:
    """The first ``images`` test digits; as many as the backend does in seconds for ``None``.

    Raises ``UserError`` if there are not so many.
    """
    with np.load(bundled_model(DIGITS).with_name("digits.npz"), allow_pickle=False) as file:
        pixels, labels = file["images"], file["labels"]
    if images is None:
        images = RTL_IMAGES if backend == "rtl" else len(pixels)
    if not 1 <= images <= len(pixels):
        raise UserError(f"{images} digits must lie between 1 and {len(pixels)}, as many as there are")
    # The model was trained on pixels from 0 to 1.
    scaled = pixels[:images, None].astype(np.float32) / np.float32(255)
    return Labelled(scaled, labels[:images])
