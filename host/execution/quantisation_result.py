"""What is known of a float model that was made int8: how close it stays, and what the array will do of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wingrid.host.execution.network_result import Placement


@dataclass(frozen=True)
class Closeness:
    """How close a tensor of the int8 model comes to the float model's, over all samples that were compared."""

    name: str
    """Of the output, or of the node that makes the tensor."""
    operator: str
    """Of that node."""
    snr_db: float | None
    """Ratio of the signal's energy to the error's, in decibels; ``None`` where there is no error, or no number."""
    cosine: float | None
    """Of the angle between the two, as vectors; ``None`` where one of them is zero, or no number."""
    equal: bool
    """Whether the two are the same throughout."""


@dataclass(frozen=True)
class QuantisationResult:
    """An int8 model, and how it compares with the float one."""

    network: str
    content: bytes
    """The .onnx file's."""
    method: str
    samples: int
    """Calibrated with."""
    compared: int
    """Of the samples, those that both models were run on, the first ones."""
    outputs: Sequence[Closeness]
    worst: Sequence[Closeness]
    """Of the tensors that are quantised, those that are least close, the worst one first."""
    placement: Placement
    """Who does what of the int8 model, for inputs as large as the first sample's."""
    remarks: Sequence[str] = ()
    """A sentence for each thing about the samples that their giver should know."""
