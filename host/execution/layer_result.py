"""What is known of a layer that ran, and where its output differs from golden."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wingrid.host.compiler.compile_layer import CompiledLayer
from wingrid.host.execution.measurement import Activity, Measurement
from wingrid.host.networks.layer import Layer, Pair


@dataclass(frozen=True)
class Mismatch:
    """Where an output differs from golden."""

    layer: str
    count: int
    total: int
    first: tuple[int, ...]
    got: int
    expected: int

    def __str__(self) -> str:
        return (
            f"layer {self.layer}: {self.count} of {self.total} elements differ from golden, the first at "
            f"{list(self.first)} (image, channel, row, column): {self.got} in place of {self.expected}"
        )


@dataclass(frozen=True)
class LayerResult:
    """A layer's run; what a backend cannot know is ``None``.

    Golden has no ``algorithm``, ``measurement`` and ``activity``, the timing model no ``output``; the other fields
    are the RTL's. ``seconds`` are those of its simulation.
    """

    layer: Layer
    output: npt.NDArray[np.int8] | None = None
    algorithm: str | None = None
    measurement: Measurement | None = None
    seconds: float = 0.0
    exact: bool | None = None
    mismatch: Mismatch | None = None
    unfolded: Pair | None = None
    """Vertical and horizontal taps that the host laid out as channels of the input, if it did."""
    sections: Pair | None = None
    """Vertical and horizontal sections that the host cut each image into, if it did."""
    activity: Activity | None = None
    timing_equal: bool | None = None
    compiled: CompiledLayer | None = None
    """The program that ran, if the setup asks for it to be kept."""
    timing_difference: str | None = None
    """How counters and events of the timing model differ, if they do."""

    @property
    def values(self) -> npt.NDArray[np.int8]:
        """The output, of a backend that computes it."""
        assert self.output is not None, "commands that need values refuse the timing model"
        return self.output

    def failures(self) -> Iterator[str]:
        """A sentence for each check that failed."""
        if self.mismatch:
            yield str(self.mismatch)
        if self.timing_difference:
            yield f"layer {self.layer.name}: the timing model differs from the RTL: {self.timing_difference}"


def compare(layer: str, output: npt.NDArray[np.int8], expected: npt.NDArray[np.int8]) -> Mismatch | None:
    """The difference between two tensors of one shape, if any."""
    different = output != expected
    count = int(different.sum())
    if not count:
        return None
    first = tuple(int(index) for index in np.unravel_index(int(np.argmax(different)), different.shape))
    return Mismatch(layer, count, different.size, first, int(output[first]), int(expected[first]))
