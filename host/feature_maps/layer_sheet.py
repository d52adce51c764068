"""A layer as a contact sheet: its filters, if it takes the picture itself, and its responses to a picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wingrid.host.execution.listener import Listener
from wingrid.host.execution.network_result import NetworkResult
from wingrid.host.execution.setup import Setup
from wingrid.host.feature_maps.contact_sheet import Section, Tile, contact_sheet
from wingrid.host.feature_maps.subject import Seen, first_filters, responses


@dataclass(frozen=True)
class Sheet:
    """A sheet, uint8 [H, W, 3], and the run that computed what it shows."""

    pixels: npt.NDArray[np.uint8]
    result: NetworkResult


def layer_sheet(network: str, seen: Seen, setup: Setup, listener: Listener | None = None) -> Sheet:
    """The picture, the filters of a first layer, and the responses of a layer on a backend that computes values."""
    result = seen.run(network, setup, listener)
    layer = seen.job.layer
    y = responses(layer, result.values)
    sections = [Section("The picture", [Tile(seen.pixels, seen.source)])]
    filters = first_filters(seen)
    if filters is not None:
        count, channels, height, width = filters.shape
        heading = f"{count} filters of {height}x{width}x{channels}: grey is zero, each to its own largest weight"
        sections.append(Section(heading, [Tile(_filter(weights), str(k)) for k, weights in enumerate(filters)]))
    zero = layer.y_zero_point
    meaning = "black is zero, white" if zero == -128 else "grey is zero, white and black are plus and minus"
    heading = f"{len(y)} responses of {y.shape[1]}x{y.shape[2]}: {meaning} the steps of int8 behind a channel's number"
    tiles = [Tile(response_pixels(channel, zero), f"{k}: {reach(channel, zero)}") for k, channel in enumerate(y)]
    sections.append(Section(heading, tiles))
    title = f"{network}, {layer.name}, on {setup.backend} ({setup.config.rows}x{setup.config.cols})"
    return Sheet(contact_sheet(title, sections), result)


def _filter(weights: npt.NDArray[np.int8]) -> npt.NDArray[np.uint8]:
    """[1 or 3, kh, kw] as colours around mid-grey."""
    values = weights.astype(np.float64)
    shown = np.rint(127.5 + 127.5 * values / max(1.0, np.abs(values).max())).astype(np.uint8).transpose(1, 2, 0)
    return np.broadcast_to(shown, (*shown.shape[:2], 3))


def reach(channel: npt.NDArray[np.int8], zero: int) -> int:
    """The largest distance from what stands for zero."""
    return int(np.abs(channel.astype(np.int16) - zero).max())


def response_pixels(channel: npt.NDArray[np.int8], zero: int) -> npt.NDArray[np.uint8]:
    """A channel, [OH, OW], in grey, uint8 [OH, OW, 3], to its own ``reach``: from black where none is below zero."""
    share = (channel.astype(np.float64) - zero) / max(1, reach(channel, zero))
    grey = share if zero == -128 else (share + 1) / 2
    return np.repeat(np.rint(255 * grey).astype(np.uint8)[..., None], 3, axis=2)
