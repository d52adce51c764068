"""Which patches of the pictures in a folder excite a channel most."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wingrid.host.errors import UserError
from wingrid.host.execution.listener import Listener
from wingrid.host.execution.network_result import NetworkResult
from wingrid.host.execution.setup import Setup
from wingrid.host.feature_maps.contact_sheet import Section, Tile, contact_sheet
from wingrid.host.feature_maps.subject import Seen, responses

MID_GREY = 128


FIRST_CHANNELS = 16
"""Channels to look at if nobody names any."""


@dataclass(frozen=True)
class Patch:
    """What a channel answered to most, and how strongly."""

    picture: str
    channel: int
    row: int
    column: int
    """Of the channel's output."""
    response: int
    """Steps of int8 above the layer's zero."""
    top: int
    left: int
    """Of the patch in the picture as the network takes it; below 0 where it begins in the padding."""
    pixels: npt.NDArray[np.uint8]
    """The patch, uint8 [h, w, 3], mid-grey where it lies outside of the picture."""


@dataclass(frozen=True)
class Excitation:
    """A sheet with a row of patches for each channel, the patches, and the runs that they come of."""

    pixels: npt.NDArray[np.uint8]
    patches: Sequence[Patch]
    results: Sequence[NetworkResult]


def exciting_patches(
    network: str,
    pictures: Iterable[Seen],
    channels: Sequence[int] | None,
    most: int,
    setup: Setup,
    listener: Listener | None = None,
) -> Excitation:
    """The ``most`` patches of all pictures that each channel answers to most, the strongest first.

    ``channels`` are numbers of output channels, ``None`` stands for the first ones, ``FIRST_CHANNELS`` at most. Of one
    picture at most one patch is taken for a channel, so that a sheet does not show the same thing shifted by a pixel.
    Of equal answers the first in reading order counts. Raises ``UserError`` for channels that there are not.
    """
    found: dict[int, list[Patch]] = {}
    results: list[NetworkResult] = []
    for seen in pictures:
        layer = seen.job.layer
        chosen = require_channels(channels, layer.shape.kernels)
        result = seen.run(network, setup, listener)
        results.append(result)
        y = responses(layer, result.values)
        for channel in chosen:
            found.setdefault(channel, []).append(_strongest(seen, channel, y[channel], layer.y_zero_point))
    kept = {channel: sorted(patches, key=lambda patch: -patch.response)[:most] for channel, patches in found.items()}
    sections = [
        Section(f"channel {channel}", [Tile(patch.pixels, f"{patch.response}") for patch in patches], columns=most)
        for channel, patches in kept.items()
    ]
    shown = results[0].layers[0].layer.name
    title = f"{network}, {shown}, on {setup.backend}: what excites a channel most, of {len(results)} pictures"
    return Excitation(contact_sheet(title, sections), [patch for row in kept.values() for patch in row], results)


def require_channels(channels: Sequence[int] | None, kernels: int) -> Sequence[int]:
    """The channels to look at; raises ``UserError`` naming those that a layer of so many kernels does not have."""
    if channels is None:
        return range(min(FIRST_CHANNELS, kernels))
    if wrong := [channel for channel in channels if not 0 <= channel < kernels]:
        raise UserError(f"channels {', '.join(map(str, wrong))} must lie between 0 and {kernels - 1}")
    return channels


def _strongest(seen: Seen, channel: int, y: npt.NDArray[np.int8], zero: int) -> Patch:
    row, column = (int(place) for place in np.unravel_index(int(y.argmax()), y.shape))
    height, width = seen.pixels.shape[:2]
    (top, bottom), (left, right) = (0, height), (0, width)
    if seen.field is not None:
        (top, bottom), (left, right) = seen.field.down.pixels(row), seen.field.across.pixels(column)
    patch = np.full((bottom - top, right - left, 3), MID_GREY, np.uint8)
    inside = seen.pixels[max(0, top) : max(0, bottom), max(0, left) : max(0, right)]
    first, start = max(0, -top), max(0, -left)
    patch[first : first + inside.shape[0], start : start + inside.shape[1]] = inside
    return Patch(seen.source, channel, row, column, int(y[row, column]) - zero, top, left, patch)
