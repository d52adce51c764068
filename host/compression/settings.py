"""What is wanted of each layer: densities and numbers of values, for all layers, for a kind, or by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from wingrid.host.compression.model_weights import KINDS, LayerWeights
from wingrid.host.errors import UserError

T = TypeVar("T")

MOST_VALUES = 255
"""int8 codes that are not zero."""


@dataclass(frozen=True)
class PerLayer(Generic[T]):
    """A setting of an option that may differ from layer to layer; the closest one holds: name, kind, all."""

    option: str
    by_name: Mapping[str, T]
    """Keys are names of layers, those of ``KINDS``, and "" for all."""

    def of(self, layer: LayerWeights) -> T | None:
        """The layer's, ``None`` if nothing was said about it."""
        for name in (layer.layer, layer.kind, ""):
            if name in self.by_name:
                return self.by_name[name]
        return None

    def require_known(self, layers: Iterable[LayerWeights]) -> None:
        """Raise ``UserError`` for a name that no layer has."""
        names = [layer.layer for layer in layers]
        for name in self.by_name:
            if name and name not in KINDS and name not in names:
                raise UserError(f"{self.option} {name}=...: no such layer; there are {', '.join(names)}")


def densities(texts: Iterable[str]) -> PerLayer[float]:
    """Of ``--density``: shares of weights that stay, above 0 and at most 1. Raises ``UserError``."""
    return _parsed("--density", texts, float, lambda share: 0 < share <= 1, "a share above 0, at most 1")


def value_counts(texts: Iterable[str]) -> PerLayer[int]:
    """Of ``--values``: how many values that are not zero a layer may have. Raises ``UserError``."""
    wanted = f"a whole number from 1 to {MOST_VALUES}"
    return _parsed("--values", texts, int, lambda count: 1 <= count <= MOST_VALUES, wanted)


def _parsed(
    option: str, texts: Iterable[str], parse: Callable[[str], T], holds: Callable[[T], bool], wanted: str
) -> PerLayer[T]:
    """From texts like ``0.3``, ``fc=0.04`` and ``conv=0.3,conv1_1=0.6``."""
    found: dict[str, T] = {}
    for part in (part for text in texts for part in text.split(",")):
        # Names of layers may have the sign in them, numbers have none.
        name, _, number = part.rpartition("=")
        try:
            value = parse(number)
            sound = holds(value)
        except ValueError:
            sound = False
        if not sound:
            raise UserError(f"{option} {part}: {number or 'nothing'} is not {wanted}")
        if name in found:
            raise UserError(f"{option} is given twice for {name or 'all layers'}")
        found[name] = value
    return PerLayer(option, found)
