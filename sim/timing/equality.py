"""Whether the model took as long as the RTL, and if not, where they part."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from wingrid.hw.registers import Counter
from wingrid.sim.timing.events import first_divergence, numbered
from wingrid.sim.timing.model import TimingResult


def difference(
    program: bytes, model: TimingResult, counters: Mapping[Counter, int], events: NDArray[Any] | None = None
) -> str | None:
    """``None`` if all counters are equal, and all events if both sides recorded them; else how they differ, as text.

    ``counters`` and ``events`` (as ``RtlSimulator.events`` returns them) are the RTL's, ``program`` is what both ran.
    With events the text ends with the first event that differs, and its instruction.
    """
    different = [counter for counter in Counter if model.counters[counter] != counters[counter]]
    texts = [
        f"{counter.name} is {model.counters[counter]} in the model, {counters[counter]} on the RTL"
        for counter in different
    ]
    if events is not None and model.events is not None:
        divergence = first_divergence(program, model.events, numbered(program, events))
        if divergence is not None:
            texts.append(f"first {divergence}")
    return "; ".join(texts) or None
