"""What a build was asked for: kept in its receipt, so that a check can ask for the same."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from wingrid.host.onnx_models.sizes import Sizes


@dataclass(frozen=True)
class Order:
    """The options of ``wingrid build``, ready for JSON."""

    network: str
    """A built-in network; of an ONNX model of the user's the name of its file in the folder."""
    target: str
    objective: str
    fps: float | None = None
    settings: tuple[str, ...] = ()
    """Fields of the configuration that were given, as ``field=value``."""
    clock: float | None = None
    latency: int | None = None
    bytes_per_cycle: int | None = None
    route: bool = True
    bitstream: bool = False
    int8_kernels: bool = True
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def sizes(self) -> Sizes:
        return Sizes({name: tuple(shape) for name, shape in self.shapes.items()}, None)

    def as_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Order:
        """That of a receipt. Raises ``TypeError`` for what is none."""
        return cls(**{**fields, "settings": tuple(fields["settings"])})
