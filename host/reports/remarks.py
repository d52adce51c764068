"""What a report says in sentences of an imported model: who did what, its weights, and ONNX Runtime's judgement."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from wingrid.host.execution.network_result import HostWork, NetworkResult, Placement

HIGH_SHARE = 0.95
"""Of the multiply-adds on the array, from which on nothing need be said about the others."""


def share_of_array(placement: Placement | None) -> Iterator[str]:
    """How many of an imported model's multiply-adds the array does; if it is not nearly all, why, and what would help.

    None for a network that was not imported.
    """
    if placement is None:
        return
    share = placement.share
    if share is None:
        yield (
            f"{placement.macs_array:,} multiply-adds on the array; those of the host are not known, "
            f"as shapes depend on data."
        )
        return
    macs = placement.macs_array + (placement.macs_host or 0)
    yield f"{percentage(share)} of the model's {macs:,} multiply-adds on the array."
    if share < HIGH_SHARE:
        yield from _explained(placement, macs)


def percentage(share: float) -> str:
    """Never 100 % of what is not all, and never 0 % of what is something."""
    shown = f"{share:.1%}"
    if share < 1 and shown == "100.0%":
        return "more than 99.9%"
    return "less than 0.1%" if share > 0 and shown == "0.0%" else shown


def _explained(placement: Placement, macs: int) -> Iterator[str]:
    """A sentence for each reason that keeps multiply-adds on the host, those with most of them first."""
    groups: dict[tuple[str, str], list[HostWork]] = {}
    for work in placement.host:
        if work.macs:
            groups.setdefault((work.reason, work.remedy), []).append(work)
    for (reason, remedy), group in sorted(groups.items(), key=lambda entry: -_macs(entry[1])):
        nodes = f"{_counts(group)}, {percentage(_macs(group) / macs)}"
        what = f"; what would change it: {remedy}" if remedy else ""
        yield f"On the host: {nodes} ({reason}){what}."


def _macs(group: list[HostWork]) -> int:
    return sum(work.macs or 0 for work in group)


def remarks(result: NetworkResult) -> Iterator[str]:
    """The other sentences, none for a network that was not imported."""
    placement = result.placement
    if placement is None:
        return
    yield f"Weights: {result.weights}."
    yield from placement.changes
    for reason in dict.fromkeys(work.reason for work in placement.host):
        yield f"On the host ({reason}): {_counts([work for work in placement.host if work.reason == reason])}."
    if placement.host:
        times = f"{placement.segments} time{'s' if placement.segments != 1 else ''}"
        yield f"The network leaves the array {times}; {placement.crossing_bytes:,} bytes cross between host and array."
    if memory := result.tensor_memory:
        yield f"In one memory: tensors take {memory.peak:,} bytes, {memory.total:,} if each had its own place."
    yield from _judgement(result, placement)


def _counts(group: list[HostWork]) -> str:
    """How many of each operator."""
    return ", ".join(f"{count} {name}" for name, count in Counter(work.operator for work in group).items())


def _judgement(result: NetworkResult, placement: Placement) -> Iterator[str]:
    judgement = result.judgement
    if judgement is None:
        return
    kernels = ", with its int8 kernels (--int8-kernels)" if placement.int8_kernels else ""
    if judgement.onnxruntime_equal:
        yield f"The outputs equal ONNX Runtime's in every bit{kernels}."
    else:
        yield f"The outputs are NOT ONNX Runtime's{kernels}."
    if accuracy := judgement.accuracy:
        share = accuracy["correct"] / accuracy["images"]
        yield f"Classified as labelled: {accuracy['correct']} of {accuracy['images']} images ({share:.1%})."
