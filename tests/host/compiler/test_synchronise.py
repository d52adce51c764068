"""Dependencies become exactly the waits that are needed, one signal each."""

import numpy as np
import pytest

from wingrid.host.compiler.synchronise import MOST_PENDING, synchronise
from wingrid.hw.config import LARGEST_QUEUE
from wingrid.hw.isa import SEMAPHORE_BITS, Buffer, Execute, Instruction, Load, Semaphore, Store


def load(buffer: Buffer) -> Load:
    return Load(buffer=buffer.value)


def masks(instructions: list[Instruction]) -> list[tuple[int, int]]:
    return [(instruction.wait, instruction.signal) for instruction in instructions]


def test_each_pair_of_engines_has_its_semaphore() -> None:
    program = [load(Buffer.WEIGHTS), load(Buffer.INPUTS), Execute(), load(Buffer.PARAMETERS), Store()]
    program += [load(Buffer.INPUTS), Execute(), load(Buffer.PARAMETERS)]
    synchronise(program, [(), (), (0, 1), (), (2, 3), (2,), (4, 5), (4,)])
    weights, inputs, parameters, released, sums, bank, parameters_released = (1 << bit for bit in Semaphore)
    assert masks(program) == [
        (0, weights),
        (0, inputs),
        (weights | inputs, released | sums),
        (0, parameters),
        (sums | parameters, bank | parameters_released),
        (released, inputs),
        (bank | inputs, 0),
        (parameters_released, 0),
    ]


def test_what_is_implied_by_an_earlier_wait_is_dropped() -> None:
    program = [load(Buffer.WEIGHTS), load(Buffer.WEIGHTS), Execute(), Execute(), Execute()]
    synchronise(program, [(), (), (0, 1), (0,), (1,)])
    assert masks(program) == [(0, 0), (0, 1), (1, 0), (0, 0), (0, 0)]


def test_an_instruction_must_not_depend_on_a_later_one() -> None:
    with pytest.raises(ValueError, match=r"^instruction 0 cannot depend on instruction 1$"):
        synchronise([Execute(), load(Buffer.WEIGHTS)], [(1,), ()])


def test_engines_that_never_meet_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^no semaphore lets STORE wait for LOAD$"):
        synchronise([load(Buffer.WEIGHTS), Store()], [(), (0,)])
    with pytest.raises(ValueError, match=r"^no semaphore lets STORE wait for STORE$"):
        synchronise([Store(), Store()], [(), (0,)])


def test_signals_far_ahead_of_their_waits_do_not_overflow_a_semaphore() -> None:
    count = 1000
    program: list[Instruction] = [Execute() for _ in range(count)] + [load(Buffer.WEIGHTS) for _ in range(count)]
    synchronise(program, [()] * count + [(index,) for index in range(count)])
    signals = [index for index, instruction in enumerate(program) if instruction.signal]
    waits = [index for index, instruction in enumerate(program) if instruction.wait]
    # The first load waits for all that the others would have waited for.
    assert (signals, waits) == ([count - 1], [count])


def test_random_programs_keep_their_order_and_their_counts() -> None:
    random = np.random.default_rng(5)
    for _ in range(20):
        program: list[Instruction] = []
        dependencies: list[tuple[int, ...]] = []
        for index in range(900):
            instruction = load(Buffer.WEIGHTS) if random.random() < random.random() else Execute()
            others = [i for i in range(max(index - 700, 0), index) if type(program[i]) is not type(instruction)]
            chosen = random.choice(others, min(len(others), 2)) if random.random() < 0.8 else ()
            program.append(instruction)
            dependencies.append(tuple(int(other) for other in chosen))
        synchronise(program, dependencies)
        signals, waits = {}, {}
        for semaphore in (Semaphore.WEIGHTS_LOADED, Semaphore.OPERANDS_RELEASED):
            signals[semaphore] = np.flatnonzero([instruction.signal >> semaphore & 1 for instruction in program])
            waits[semaphore] = np.flatnonzero([instruction.wait >> semaphore & 1 for instruction in program])
            assert len(signals[semaphore]) == len(waits[semaphore]) > 0
            assert (signals[semaphore] < waits[semaphore]).all()
            pending = np.searchsorted(signals[semaphore], waits[semaphore]) - np.arange(len(waits[semaphore]))
            assert pending.max() <= MOST_PENDING + 1
        for consumer, producers in enumerate(dependencies):
            for producer in producers:
                semaphore = (
                    Semaphore.WEIGHTS_LOADED if isinstance(program[producer], Load) else Semaphore.OPERANDS_RELEASED
                )
                # Tokens come in order: with as many taken as this, the last was given at or after the producer.
                taken = np.searchsorted(waits[semaphore], consumer, side="right")
                assert taken
                assert signals[semaphore][taken - 1] >= producer


def test_the_limit_leaves_room_for_engines_that_run_ahead() -> None:
    assert MOST_PENDING + LARGEST_QUEUE + 2 < 1 << SEMAPHORE_BITS
