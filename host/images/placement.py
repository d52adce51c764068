"""Places for tensors that are not all needed at the same time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wingrid.host.compiler.memory_map import page_after


@dataclass(frozen=True)
class Need:
    """Bytes that are needed from one moment to another, both included."""

    bytes: int
    first: int
    last: int


def placed(needs: Sequence[Need]) -> tuple[list[int], int]:
    """The start of each, a multiple of 4096, and the bytes that all take together.

    The largest come first, each into the lowest gap between those placed before that are needed at the same time:
    greedy by size, of Pisarchyk and Lee, Efficient Memory Management for Deep Neural Net Inference (2020).
    """
    starts = [0] * len(needs)
    done: list[int] = []
    for index in sorted(range(len(needs)), key=lambda index: -needs[index].bytes):
        need, start = needs[index], 0
        for other in sorted(done, key=lambda other: starts[other]):
            if needs[other].first > need.last or needs[other].last < need.first:
                continue
            if starts[other] >= start + need.bytes:
                break
            start = max(start, page_after(starts[other] + needs[other].bytes))
        starts[index] = start
        done.append(index)
    return starts, max((page_after(start + need.bytes) for start, need in zip(starts, needs, strict=True)), default=0)
