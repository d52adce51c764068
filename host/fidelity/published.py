"""What others published of their accelerators."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from wingrid.host.errors import UserError
from wingrid.host.networks.built_in import find


@dataclass(frozen=True)
class FeatureMaps:
    """Bytes of feature maps that cross to memory for an image, layer by layer and with those layers fused."""

    layers: Sequence[str]
    by_layer: int
    fused: int


@dataclass(frozen=True)
class Published:
    """An accelerator and its figures, as its source gives them; ``None`` for what the source does not say."""

    name: str
    title: str
    source: str
    device: str
    network: str
    multipliers: int | None = None
    rows: int | None = None
    cols: int | None = None
    """Of the array here with as many multipliers, or nearly."""
    pixels: int | None = None
    """Output pixels that it computes at a time."""
    clock_mhz: float | None = None
    bits: int | None = None
    bytes_per_cycle: int | None = None
    bandwidth: str = ""
    """Where the bytes per cycle come from."""
    milliseconds: Mapping[str, float] = field(default_factory=dict)
    """Of an image, by layer."""
    pooling_milliseconds: float = 0.0
    """Of the poolings, where they take time of their own."""
    gops: float | None = None
    """Operations per second in 10**9, two for each multiply-add."""
    images_per_second: float | None = None
    feature_maps: FeatureMaps | None = None

    @property
    def total_milliseconds(self) -> float | None:
        """Of an image through the network, from whichever figure the source gives."""
        if self.milliseconds:
            return sum(self.milliseconds.values()) + self.pooling_milliseconds
        if self.images_per_second is not None:
            return 1000 / self.images_per_second
        if self.gops is not None:
            macs = sum(layer.shape.macs for layer in find(self.network).layers())
            return 2 * macs / (self.gops * 1e6)
        return None

    @property
    def comparable(self) -> bool:
        """Whether the source says enough of the machine to estimate one of its size."""
        return None not in (self.multipliers, self.clock_mhz, self.bytes_per_cycle)


def published() -> dict[str, Published]:
    """All of them, by name."""
    text = (resources.files("wingrid.host.fidelity") / "published.toml").read_text()
    return {name: _published(name, entry) for name, entry in tomllib.loads(text).items()}


def find_published(name: str, network: str) -> Published:
    """The accelerator of that name; raises ``UserError`` for a name that there is not, and for another network."""
    known = published()
    if name not in known:
        raise UserError(f"nothing published goes by the name {name!r}; there are {', '.join(known)}")
    if known[name].network != network:
        raise UserError(f"{name} published figures of {known[name].network}, and none of {network}")
    return known[name]


def _published(name: str, entry: dict[str, Any]) -> Published:
    maps = entry.pop("feature_maps", None)
    return Published(name, **entry, feature_maps=FeatureMaps(**maps) if maps else None)
