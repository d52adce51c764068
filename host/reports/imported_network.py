"""What a report says of an imported model: its weights, what the host does of it, and whether ONNX Runtime agrees."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class HostWork:
    """A node of an imported model that the host does, and why it is not the accelerator's."""

    name: str
    operator: str
    reason: str


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
        """The two numbers, if the images have labels."""
        if self.images is None or self.correct is None:
            return None
        return {"images": self.images, "correct": self.correct}


@dataclass(frozen=True)
class ImportedNetwork:
    """An ONNX model's part of a report; ``judgement`` is ``None`` if only some layers ran."""

    weights: str
    host: Sequence[HostWork]
    judgement: Judgement | None = None

    def remarks(self) -> Iterator[str]:
        """The same for people."""
        yield f"Weights: {self.weights}."
        for reason in dict.fromkeys(work.reason for work in self.host):
            operators = Counter(work.operator for work in self.host if work.reason == reason)
            counts = ", ".join(f"{count} {name}" for name, count in operators.items())
            yield f"On the host ({reason}): {counts}."
        if self.judgement is None:
            return
        if self.judgement.onnxruntime_equal:
            yield "The outputs equal ONNX Runtime's in every bit."
        else:
            yield "The outputs are NOT ONNX Runtime's."
        if accuracy := self.judgement.accuracy:
            share = accuracy["correct"] / accuracy["images"]
            yield f"Classified as labelled: {accuracy['correct']} of {accuracy['images']} images ({share:.1%})."


def imported_fields(network: ImportedNetwork | None) -> dict[str, Any]:
    """The fields of a report's JSON object; those of a network that was not imported are empty or null."""
    judgement = network.judgement if network else None
    return {
        "host": [dataclasses.asdict(work) for work in network.host] if network else [],
        "onnxruntime_equal": judgement.onnxruntime_equal if judgement else None,
        "accuracy": judgement.accuracy if judgement else None,
    }
