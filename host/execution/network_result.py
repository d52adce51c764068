"""What is known of a network that ran: its layers, its output, what the host did, and what an outside judge said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from wingrid.host.execution.layer_result import LayerResult
from wingrid.host.execution.setup import Setup
from wingrid.host.networks.seeded_operands import SEEDED
from wingrid.host.networks.softmax import Guess

GIVEN = "given"
"""Weights that the caller brought."""


@dataclass(frozen=True)
class HostWork:
    """A node of an imported model that the host computes, and why the accelerator does not."""

    name: str
    operator: str
    reason: str
    macs: int | None = 0
    """Multiply-adds; ``None`` where they depend on data."""
    remedy: str = ""
    """What would bring it to the accelerator, if anything would."""


@dataclass(frozen=True)
class Placement:
    """Where the work of an imported model is done."""

    macs_array: int
    """Multiply-adds of its layers on the accelerator."""
    segments: int
    """Bursts of the array's work, with the host's work between."""
    crossing_bytes: int
    """Bytes of tensors that go from the host to the array or back."""
    host: Sequence[HostWork] = ()
    """The nodes that the host computes."""
    changes: Sequence[str] = ()
    """A sentence for each thing that was put in order before the model was read."""
    int8_kernels: bool = False
    """Whether layers run on int8 activations that ONNX Runtime was allowed to keep in integers."""

    @property
    def macs_host(self) -> int | None:
        """Multiply-adds of the host's nodes; ``None`` where they depend on data."""
        counts = [work.macs for work in self.host]
        return None if None in counts else sum(count for count in counts if count is not None)

    @property
    def share(self) -> float | None:
        """Multiply-adds on the accelerator by all of them; 1 where there are none."""
        if self.macs_host is None:
            return None
        return self.macs_array / (self.macs_array + self.macs_host) if self.macs_array + self.macs_host else 1.0


@dataclass(frozen=True)
class TensorPlace:
    """Bytes of memory that a tensor has, and from which layer to which it is needed there, both included."""

    name: str
    start: int
    bytes: int
    first: int
    last: int


@dataclass(frozen=True)
class TensorMemory:
    """Bytes of memory that the tensors of a network take, in whole pages."""

    peak: int
    """As they were placed, those in the same place that are not needed at the same time."""
    total: int
    """All of them side by side."""
    tensors: Sequence[TensorPlace] = ()
    """Where each lies, and how long."""


@dataclass(frozen=True)
class Judgement:
    """What an outside judge says of a network's outputs; ``correct`` of ``images`` were classified as labelled."""

    onnxruntime_equal: bool
    difference: str | None = None
    """Where they differ from ONNX Runtime's, if they do."""
    images: int | None = None
    correct: int | None = None

    @property
    def accuracy(self) -> dict[str, int] | None:
        """``images`` and ``correct``, if the images have labels."""
        if self.images is None or self.correct is None:
            return None
        return {"images": self.images, "correct": self.correct}


@dataclass(frozen=True)
class NetworkResult:
    """A run or an estimate of a network, or of some of its layers, and the setup under which it was made.

    What a backend cannot know is ``None``: the timing model leaves no output, golden has no cycles.
    """

    network: str
    setup: Setup
    layers: Sequence[LayerResult]
    """In the order of the network."""
    images: int
    """Images in the batch; 0 if not all layers ran, so that nothing can be said for an image."""
    wall_seconds: float
    output: npt.NDArray | None = None
    """The network's first output, or that of the last layer that ran if not all of them did."""
    weights: str = SEEDED
    """``SEEDED``, ``GIVEN``, or where the weights of an imported model come from."""
    guesses: Sequence[Sequence[Guess]] | None = None
    """A classifier's likeliest classes for each image, by the host's softmax."""
    outputs: Mapping[str, Any] = field(default_factory=dict)
    """All outputs of an imported model by name, if all its layers ran: arrays, or lists of them."""
    placement: Placement | None = None
    """Of an imported model: what ran where."""
    judgement: Judgement | None = None
    """ONNX Runtime's, of an imported model of which all layers ran."""
    tensor_memory: TensorMemory | None = None
    """Of an imported model that ran in one memory, or as it would lie there."""

    @property
    def values(self) -> npt.NDArray:
        """The output, of a backend that computes it."""
        assert self.output is not None, "commands that need values refuse the timing model"
        return self.output

    def arrays(self) -> dict[str, npt.NDArray]:
        """All outputs of an imported model that are arrays or sequences of them, by name, the first one first.

        If only some of its layers ran: the output of the last of them.
        """
        if not self.outputs:
            return {self.layers[-1].layer.name: self.values}
        found: dict[str, npt.NDArray] = {}
        for name, value in self.outputs.items():
            if isinstance(value, list):
                found |= {f"{name}_{index}": np.asarray(part) for index, part in enumerate(value)}
            else:
                found[name] = value
        return found

    def require_checks(self) -> None:
        """Raise ``ChecksFailed`` if any check failed."""
        if failed := list(self.failures()):
            raise ChecksFailed("\n".join(failed), self)

    def failures(self) -> Iterator[str]:
        """A sentence for each check that failed: layers against golden and timing model, outputs against the judge."""
        for layer in self.layers:
            yield from layer.failures()
        if self.judgement and self.judgement.difference:
            yield self.judgement.difference


class ChecksFailed(Exception):
    """Some output differs from golden or from ONNX Runtime, or some time from the model's; a line for each.

    ``result`` is what was computed all the same.
    """

    def __init__(self, message: str, result: NetworkResult) -> None:
        super().__init__(message)
        self.result = result
