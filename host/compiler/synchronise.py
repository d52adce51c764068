"""From dependencies between instructions to waits on and signals to semaphores.

The compiler emits instructions in an order in which they could also run one after the other: each
depends on earlier ones only. Engines work through their own instructions in order, so per pair of
engines only the *latest* instruction depended on matters, and only if no earlier instruction has
waited for it or a later one already. What remains is a strictly increasing sequence of (consumer, producer) pairs per
semaphore; one signal for each wait, taken in the order in which they are given.

No deadlock is possible: take the first instruction in program order that is not done. Everything before it
is done, so it has been dispatched and stands at the head of its engine's queue, and each token it waits
for has been signalled by an earlier instruction and cannot have been taken by another one. It can start.

A semaphore counts to 255. If more than ``MOST_PENDING`` tokens would lie waiting before a consumer in
program order, the consumer waits for the latest of their producers in place of all of them. Engines run
ahead of program order by at most a queue's depth (64) of consumers that each take a token, so
a count never exceeds ``MOST_PENDING`` + 64 + 2.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field

from wingrid.host.compiler.residency import NOBODY
from wingrid.hw.config import LARGEST_QUEUE
from wingrid.hw.isa import SEMAPHORE_BITS, Buffer, Execute, Instruction, Load, Semaphore, Store


@dataclass
class Schedule:
    """Grows by ``add``; ``synchronise`` turns the dependencies into semaphores."""

    instructions: list[Instruction] = field(default_factory=list)
    dependencies: list[tuple[int, ...]] = field(default_factory=list)

    @property
    def next(self) -> int:
        """Index that the next instruction will have."""
        return len(self.instructions)

    def add(self, instruction: Instruction, *after: int) -> int:
        """Append an instruction that must not start before those in ``after`` are done; returns its index.

        ``NOBODY`` among them is passed over.
        """
        self.instructions.append(instruction)
        self.dependencies.append(tuple(index for index in after if index != NOBODY) if NOBODY in after else after)
        return len(self.instructions) - 1


MOST_PENDING = 128

# Engines run ahead by a queue's depth of consumers, and two instructions are under way at either end.
assert MOST_PENDING + LARGEST_QUEUE + 2 < 1 << SEMAPHORE_BITS

_LOADED = {
    Buffer.INPUTS: Semaphore.INPUTS_LOADED,
    Buffer.WEIGHTS: Semaphore.WEIGHTS_LOADED,
    Buffer.PARAMETERS: Semaphore.PARAMETERS_LOADED,
    Buffer.TABLES: Semaphore.PARAMETERS_LOADED,
    Buffer.ADDENDS: Semaphore.PARAMETERS_LOADED,
    Buffer.CODES: Semaphore.WEIGHTS_LOADED,
}

_RELEASED = {
    (Execute, Load): Semaphore.OPERANDS_RELEASED,
    (Execute, Store): Semaphore.SUMS_READY,
    (Store, Execute): Semaphore.BANK_RELEASED,
    (Store, Load): Semaphore.PARAMETERS_RELEASED,
}


def semaphore_between(producer: Instruction, consumer: Instruction) -> Semaphore:
    """The semaphore through which ``consumer`` learns that ``producer`` is done.

    Raises ``ValueError`` if these two kinds of instruction do not meet.
    """
    if isinstance(producer, Load):
        semaphore = _LOADED[Buffer(producer.buffer)]
    else:
        semaphore = _RELEASED.get((type(producer), type(consumer)), Semaphore.SUMS_READY)
    if semaphore not in producer.signals or semaphore not in consumer.waits:
        raise ValueError(f"no semaphore lets {consumer.opcode.name} wait for {producer.opcode.name}")
    return semaphore


def synchronise(instructions: Sequence[Instruction], dependencies: Sequence[Sequence[int]]) -> None:
    """Set ``wait`` and ``signal`` of each instruction so that it starts after those it depends on.

    ``dependencies[i]`` are indices of instructions, all below i, of other engines than instruction i's.
    """
    needs: dict[Semaphore, list[tuple[int, int]]] = {semaphore: [] for semaphore in Semaphore}
    # Instructions of two kinds always meet through the same semaphore: each pair of kinds is looked up once.
    numbers: dict[object, int] = {}
    kinds = [numbers.setdefault(i.buffer if isinstance(i, Load) else type(i), len(numbers)) for i in instructions]
    meeting: dict[int, list[tuple[int, int]]] = {}
    for consumer, producers in enumerate(dependencies):
        for producer in sorted(producers) if len(producers) > 1 else producers:
            if not 0 <= producer < consumer:
                raise ValueError(f"instruction {consumer} cannot depend on instruction {producer}")
            kind = kinds[producer] * len(numbers) + kinds[consumer]
            pairs = meeting.get(kind)
            if pairs is None:
                semaphore = semaphore_between(instructions[producer], instructions[consumer])
                pairs = meeting[kind] = needs[semaphore]
            if pairs and pairs[-1][1] >= producer:
                continue
            if pairs and pairs[-1][0] == consumer:
                pairs.pop()
            pairs.append((consumer, producer))
    for semaphore, pairs in needs.items():
        for consumer, producer in _limit_pending(pairs):
            instructions[consumer].wait |= 1 << semaphore
            instructions[producer].signal |= 1 << semaphore


def _limit_pending(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    kept: list[tuple[int, int]] = []
    producers = [producer for _, producer in pairs]
    position = 0
    while position < len(pairs):
        consumer, producer = pairs[position]
        signalled = bisect_left(producers, consumer, position)
        if signalled - position > MOST_PENDING:
            producer, position = producers[signalled - 1], signalled
        else:
            position += 1
        kept.append((consumer, producer))
    return kept
