"""The order of a model's steps in which the network leaves the array as seldom as can be."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import groupby

from wingrid.host.onnx_models.graph import AcceleratedStep, HostStep, ImportedGraph, Step, inputs_of, outputs_of


def scheduled(steps: Sequence[Step]) -> list[Step]:
    """The steps, reordered: whoever is at work does all that is ready before the other takes over.

    With two workers no order has fewer turns; of the two that begin with one and with the other, the better is taken.
    """
    orders = [list(_turn_by_turn(steps, first)) for first in (AcceleratedStep, HostStep)]
    return min(orders, key=_turns)


def segments(steps: Sequence[Step]) -> int:
    """Bursts of the array's work with the host's work between."""
    return sum(1 for worker, _ in groupby(steps, type) if worker is AcceleratedStep)


def crossing_bytes(graph: ImportedGraph) -> int:
    """Bytes that go from the host's memory to the array's or back: each tensor once in each direction it goes."""
    made: dict[str, Step] = {name: step for step in graph.steps for name in outputs_of(step)}
    takers: dict[str, set[type[Step]]] = defaultdict(set)
    for step in graph.steps:
        for name in inputs_of(step):
            takers[name].add(type(step))
    for name in graph.outputs:
        takers[name].add(HostStep)
    moved = 0
    for step in graph.accelerated:
        if HostStep in takers[step.target]:
            moved += step.left_type.bytes
    fed = {step.source: step.source_type.bytes for step in graph.accelerated}
    fed |= {step.addend.name: step.addend.type.bytes for step in graph.accelerated if step.addend}
    return moved + sum(size for name, size in fed.items() if not isinstance(made.get(name), AcceleratedStep))


def _turn_by_turn(steps: Sequence[Step], worker: type[Step]) -> Iterator[Step]:
    # A tensor may have several, each of a part.
    makers: dict[str, set[int]] = defaultdict(set)
    for index, step in enumerate(steps):
        for name in outputs_of(step):
            makers[name].add(index)
    missing = [{index for name in inputs_of(step) for index in makers.get(name, ())} for step in steps]
    takers: dict[int, list[int]] = defaultdict(list)
    for index, needed in enumerate(missing):
        for maker in needed:
            takers[maker].append(index)
    ready: dict[type[Step], list[int]] = {AcceleratedStep: [], HostStep: []}
    for index, step in enumerate(steps):
        if not missing[index]:
            ready[type(step)].append(index)
    while any(ready.values()):
        while ready[worker]:
            index = ready[worker].pop(0)
            yield steps[index]
            for taker in takers[index]:
                missing[taker].discard(index)
                if not missing[taker]:
                    ready[type(steps[taker])].append(taker)
        worker = HostStep if worker is AcceleratedStep else AcceleratedStep


def _turns(steps: Sequence[Step]) -> int:
    return sum(1 for _ in groupby(steps, type))
