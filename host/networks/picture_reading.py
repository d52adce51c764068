"""Pictures as people see them, in 8-bit RGB: what a file means, not what its numbers are cut down to.

Sixteen bits become eight by proportion; what is transparent lies on white; pictures are turned as their camera was
held. What has no one meaning is refused: several pictures in a file, numbers of which nothing says what is white.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from wingrid.host.errors import UserError

LARGEST_PICTURE = 89_478_485
"""Pixels: about 10,000 x 9,000. Beyond it, Pillow suspects a file of unpacking to more than anybody wants."""

_FULL_16_BITS = 65535
_PART_OF_ONE_PICTURE = ("MPO", "PSD", "ICO", "ICNS")
"""Formats of which further frames are layers, sizes or views of the first one."""


def read_picture(source: str | Path) -> npt.NDArray[np.uint8]:
    """A file's picture, uint8 [H, W, 3]; raises ``UserError`` for what cannot be read or converted."""
    if Path(source).suffix.lower() == ".npz":
        raise UserError(f"{source} is an archive of arrays, where a picture or a .npy file is wanted")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(source) as image:
                _require_one(image, source)
                return _as_rgb(image, source)
    except UserError:
        raise
    except Image.DecompressionBombError:
        raise UserError(f"{source} has more than {LARGEST_PICTURE:,} pixels") from None
    except UnidentifiedImageError:
        raise UserError(f"{source} is no picture that can be read") from None
    except OSError as error:
        raise UserError(f"cannot read {source}: {error.strerror or error}") from None
    except MemoryError:
        raise
    except Exception:  # decoders fail in many ways
        raise UserError(f"{source} is no picture that can be read") from None


def _require_one(image: Image.Image, source: str | Path) -> None:
    """Raise ``UserError`` for too many pixels, and for more than one picture."""
    if image.width * image.height > LARGEST_PICTURE:
        raise UserError(f"{source} has {image.width} x {image.height} pixels, more than {LARGEST_PICTURE:,}")
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format not in _PART_OF_ONE_PICTURE:
        raise UserError(f"{source} holds {frames} pictures, an animation or pages; one is wanted")


def _as_rgb(image: Image.Image, source: str | Path) -> npt.NDArray[np.uint8]:
    if image.mode == "LAB":
        raise UserError(f"{source} is in L*a*b* colours, which are not converted; save it as RGB")
    transparent = image.info.get("transparency")
    turned = ImageOps.exif_transpose(image)
    if turned.mode.startswith("I") or turned.mode == "F":
        grey = _grey(turned, source)
        if isinstance(transparent, int):
            grey[np.asarray(turned) == transparent] = 255
        return np.repeat(grey[..., None], 3, axis=2)
    if turned.has_transparency_data:
        white = Image.new("RGBA", turned.size, "white")
        white.alpha_composite(turned.convert("RGBA"))
        turned = white
    return np.array(turned.convert("RGB"), np.uint8)


def _grey(image: Image.Image, source: str | Path) -> npt.NDArray[np.uint8]:
    """Grey of more than 8 bits: 16-bit integers, or floats from 0 for black to 1 for white."""
    values = np.asarray(image).astype(np.float64)
    lowest, highest = values.min(), values.max()
    if image.mode == "F":
        full, kind = 1, "floating-point values"
    else:
        full, kind = _FULL_16_BITS, "32-bit values"
    # Not a number compares as false.
    if not (lowest >= 0 and highest <= full):
        raise UserError(
            f"{source} holds {kind} from {lowest:g} to {highest:g}, where 0 stands for black and {full} for white"
        )
    return np.rint(values * (255 / full)).astype(np.uint8)
