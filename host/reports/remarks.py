"""What a report says in sentences of an imported model: its weights, the host's work, and ONNX Runtime's judgement."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from wingrid.host.execution.network_result import GIVEN, SEEDED, NetworkResult


def remarks(result: NetworkResult) -> Iterator[str]:
    """The sentences, none for a network that was not imported."""
    if result.weights in (SEEDED, GIVEN):
        return
    yield f"Weights: {result.weights}."
    for reason in dict.fromkeys(work.reason for work in result.host):
        operators = Counter(work.operator for work in result.host if work.reason == reason)
        counts = ", ".join(f"{count} {name}" for name, count in operators.items())
        yield f"On the host ({reason}): {counts}."
    judgement = result.judgement
    if judgement is None:
        return
    if judgement.onnxruntime_equal:
        yield "The outputs equal ONNX Runtime's in every bit."
    else:
        yield "The outputs are NOT ONNX Runtime's."
    if accuracy := judgement.accuracy:
        share = accuracy["correct"] / accuracy["images"]
        yield f"Classified as labelled: {accuracy['correct']} of {accuracy['images']} images ({share:.1%})."
