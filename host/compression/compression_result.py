"""What is known of a model whose weights were pruned and shared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wingrid.host.compression.pipeline import Sizes
from wingrid.host.execution.quantisation_result import Closeness


@dataclass(frozen=True)
class LayerCompression:
    """A layer before and after."""

    layer: str
    kind: str
    density_before: float
    density: float
    values_before: int
    values: int
    """Distinct codes that are not zero."""
    sizes: Sizes
    """Afterwards."""
    alone: Sequence[Closeness] | None
    """How close the model's outputs stay if only this layer is compressed; ``None`` without samples, or where the
    layer is as it was."""


@dataclass(frozen=True)
class CompressionResult:
    """A model before and after."""

    network: str
    content: bytes
    """The .onnx file's."""
    index_bits: int
    layers: Sequence[LayerCompression]
    outputs: Sequence[Closeness]
    """How close the outputs stay to the model's as it was; empty without samples."""
    agreement: float | None
    """Share of rows of the first output whose largest element is in the same place; ``None`` without samples, or for
    outputs that are no rows of numbers."""
    samples: int
    left_alone: Sequence[str]
    """A sentence for each layer that was not touched."""
