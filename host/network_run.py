"""The layers of a network as jobs: golden walks the whole chain, the accelerator runs the layers asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from host.errors import UserError
from host.layers import Layer
from host.networks.network import Network
from host.networks.operands import seeded_operands
from host.reference import golden
from host.runner import Job


def select_layers(network: Network, names: Sequence[str] | None) -> list[str]:
    """The names of the layers to run, in the network's order; all of them for ``None``.

    Raises ``UserError`` naming what the network does not have.
    """
    known = [layer.name for layer in network.layers()]
    if names is None:
        return known
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise UserError(
            f"network {network.name} has no layer {', '.join(map(repr, unknown)) or 'of that name'}; "
            f"it has {', '.join(known)}"
        )
    return [name for name in known if name in names]


def network_input(network: Network, source: str | None, images: int) -> npt.NDArray[np.int8]:
    """int8 [images, C, H, W]: sample photographs, a picture cut and scaled to size, or a .npy file.

    Raises ``UserError`` if that is not what the network takes.
    """
    # Imported here: estimates do without pictures, and without the time that it takes.
    from host.pictures import fitted, load_picture, sample_batch, to_activations

    size = (network.channels, network.height, network.width)
    if source is None:
        return sample_batch(images, network.height, network.width)
    if not source.endswith(".npy"):
        if images != 1:
            raise UserError(f"a picture is one image, not a batch of {images}; give the batch as a .npy file")
        return to_activations(fitted(load_picture(source), network.height, network.width))
    try:
        x = np.load(source, allow_pickle=False)
    except OSError as error:
        raise UserError(f"cannot read {source}: {error.strerror or error}") from None
    except (ValueError, EOFError):
        raise UserError(f"{source} is no .npy file of numbers") from None
    if not isinstance(x, np.ndarray) or x.dtype != np.int8 or x.shape not in (size, (images, *size)):
        shape = f"{x.dtype} {list(x.shape)}" if isinstance(x, np.ndarray) else "an archive"
        raise UserError(f"{source} must hold int8 {[images, *size]}, not {shape}")
    if x.ndim == 3 and images != 1:
        raise UserError(f"{source} holds one image, not a batch of {images}")
    return x.reshape(images, *size)


def network_jobs(network: Network, x: npt.NDArray[np.int8], selected: Sequence[str]) -> Iterator[Job]:
    """The selected layers, each with its golden input and output, in order."""
    images, left = len(x), set(selected)
    for layer in network.layers(images):
        if not left:
            return
        operands = seeded_operands(layer)
        x = for_layer(layer, x)
        expected = golden(layer, operands, x)
        if layer.name in left:
            left.remove(layer.name)
            yield Job(layer, operands, x, expected)
        x = by_image(layer, layer.handed_on(expected), images)


def for_layer(layer: Layer, x: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
    """A batch [images, C, H, W] as the layer takes it: a fully connected one wants the images below each other."""
    if layer.shape.images == len(x):
        return x
    images, channels, height, width = x.shape
    return x.transpose(1, 0, 2, 3).reshape(1, channels, images * height, width)


def by_image(layer: Layer, y: npt.NDArray[np.int8], images: int) -> npt.NDArray[np.int8]:
    """The inverse of ``for_layer`` for outputs: one row of the tall image belongs to each image."""
    if layer.shape.images == images:
        return y
    return y[0].transpose(1, 0, 2)[..., None]
