"""What excites a layer's channels, as JSON and in sentences."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from wingrid.host.feature_maps.exciting_patches import Excitation, Patch
from wingrid.hw.version import version


def as_json(found: Excitation, network: str, layer: str) -> dict[str, Any]:
    """The patches without their pixels, channel by channel, the strongest first."""
    return {
        "wingrid": version(),
        "network": network,
        "layer": layer,
        "backend": found.results[0].setup.backend,
        "pictures": len(found.results),
        "exact": _all([result.layers[0].exact for result in found.results]),
        "timing_equal": _all([result.layers[0].timing_equal for result in found.results]),
        "patches": [_entry(patch) for patch in found.patches],
    }


def lines(found: Excitation) -> Iterator[str]:
    """A sentence for each channel, and what was checked."""
    for channel, group in itertools.groupby(found.patches, key=lambda patch: patch.channel):
        first = next(group)
        yield (
            f"Channel {channel} answers most to {first.picture}: {first.response} steps of int8 above zero, "
            f"at row {first.row}, column {first.column}."
        )
    if _all([result.layers[0].exact for result in found.results]):
        yield f"All {len(found.results)} runs equal golden in every bit."


def _entry(patch: Patch) -> dict[str, Any]:
    height, width = patch.pixels.shape[:2]
    told = ("channel", "response", "picture", "row", "column", "top", "left")
    return {**{name: getattr(patch, name) for name in told}, "height": height, "width": width}


def _all(verdicts: list[bool | None]) -> bool | None:
    """Whether all hold; ``None`` where a backend cannot know."""
    return None if None in verdicts else all(verdicts)
