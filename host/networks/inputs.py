"""The input of a built-in network: sample photographs, a picture, or a .npy file."""

from __future__ import annotations

import os

import numpy as np
import numpy.typing as npt

from wingrid.host.errors import UserError
from wingrid.host.networks.network import Network


def network_input(network: Network, source: npt.NDArray | str | None, images: int) -> npt.NDArray[np.int8]:
    """int8 [images, C, H, W]: sample photographs, a picture cut and scaled to size, a .npy file, or an array.

    Raises ``UserError`` if that is not what the network takes.
    """
    # Imported here: estimates do without pictures, and without the time that it takes.
    from wingrid.host.networks.pictures import fitted, load_picture, sample_batch, to_activations

    size = (network.channels, network.height, network.width)
    if source is None:
        return sample_batch(images, network.height, network.width)
    if isinstance(source, str) and not source.endswith(".npy"):
        if images != 1:
            raise UserError(f"a picture is one image, not a batch of {images}; give the batch as a .npy file")
        return to_activations(fitted(load_picture(source), network.height, network.width))
    x, source = (load_array(source), source) if isinstance(source, str) else (source, "the input")
    if not isinstance(x, np.ndarray) or x.dtype != np.int8 or x.shape not in (size, (images, *size)):
        shape = f"{x.dtype} {list(x.shape)}" if isinstance(x, np.ndarray) else "an archive"
        raise UserError(f"{source} must hold int8 {[images, *size]}, not {shape}")
    if x.ndim == 3 and images != 1:
        raise UserError(f"{source} holds one image, not a batch of {images}")
    return x.reshape(images, *size)


def load_array(source: str, what: str = "") -> npt.NDArray:
    """The content of a .npy file, read as it is used; an .npz file gives its archive.

    Its shape can so be judged before memory is spent. Raises ``UserError`` if it is neither.
    """
    try:
        # No memory can be mapped to a pipe.
        return np.load(source, mmap_mode="r" if os.path.isfile(source) else None, allow_pickle=False)
    except OSError as error:
        raise UserError(f"cannot read {what}{source}: {error.strerror or error}") from None
    except (ValueError, EOFError):
        raise UserError(f"{what}{source} is no .npy file of numbers") from None
