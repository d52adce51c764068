"""The executable specification refuses programs that break the rules, and counts what the others move."""

import numpy as np
import pytest
from layer_cases import SQUARE

from wingrid.hw.encoding import ProgramError, decode, encode, encode_program
from wingrid.hw.isa import Buffer, Execute, Instruction, Load, Semaphore, Store
from wingrid.sim.functional import FunctionalMachine


def run(*program: Instruction, seed: int = 1) -> FunctionalMachine:
    encoded = encode_program(list(program))
    machine = FunctionalMachine(SQUARE, 4096 + max(4096, len(encoded)), seed)
    machine.memory[4096 : 4096 + len(encoded)] = np.frombuffer(encoded, np.uint8)
    machine.run(4096, len(program))
    return machine


@pytest.mark.parametrize(
    "instruction",
    [
        Load(wait=8, signal=1, buffer=1, source=64, run_beats=3, destination=7, row_pitch=9),
        Execute(bank=1, zero_point=-7, top=-3, left=-2, count=5, weight_base=12),
        Store(zero_point=-128, minimum=-5, maximum=-1, width=40000),
    ],
)
def test_decoding_is_the_inverse_of_encoding(instruction: Instruction) -> None:
    assert decode(encode(instruction)) == instruction


def test_an_unknown_opcode_is_refused() -> None:
    with pytest.raises(ProgramError, match=r"^unknown opcode 0$"):
        decode(bytes(64))


def test_a_wait_that_nobody_signals_is_a_deadlock() -> None:
    with pytest.raises(ProgramError, match=r"^deadlock: EXECUTE waits with mask 0x1$"):
        run(Execute(wait=1 << Semaphore.WEIGHTS_LOADED))


def test_a_signal_that_nobody_takes_is_refused() -> None:
    with pytest.raises(ProgramError, match=r"^the program ends with signals that nobody took: WEIGHTS_LOADED$"):
        run(Load(signal=1, buffer=Buffer.WEIGHTS.value))


def test_a_semaphore_that_is_not_the_instructions_own_is_refused() -> None:
    with pytest.raises(ProgramError, match=r"^STORE may not signal with mask 0x1$"):
        run(Store(signal=1))


def test_a_count_beyond_a_semaphore_is_refused() -> None:
    with pytest.raises(ProgramError, match=r"^semaphore WEIGHTS_LOADED exceeds its 8 bits$"):
        run(*[Load(signal=1, buffer=Buffer.WEIGHTS.value)] * 300)


def test_a_bank_in_use_by_two_engines_is_refused() -> None:
    collisions = 0
    for seed in range(1, 50):
        run(Execute(bank=1), Store(bank=0), seed=seed)
        try:
            run(Execute(bank=1), Store(bank=1), seed=seed)
        except ProgramError as error:
            collisions += str(error).startswith("EXECUTE and STORE use bank 1")
    assert collisions


def test_accesses_outside_of_memory_and_buffers_are_refused() -> None:
    for instruction, message in (
        (Load(source=8190), "LOAD from 0x1ffe leaves memory or is not aligned"),
        (Load(source=8192), "LOAD from 0x2000 leaves memory or is not aligned"),
        (Load(destination=256), "LOAD destination 256 is beyond the buffer's 256 entries"),
        (Execute(accumulator_base=115, count=3), "EXECUTE ends beyond the 117 accumulators of a bank"),
        (Execute(weight_base=120), "EXECUTE begins beyond the end of a buffer"),
        (Store(accumulator_base=117), "STORE ends beyond the 117 accumulators or begins outside of its row"),
        (Store(first=4, width=4), "STORE ends beyond the 117 accumulators or begins outside of its row"),
        (Store(destination=8192), "STORE to 0x2000 leaves memory or is not aligned"),
        (
            Store(destination=4096, pixel_pitch=15, width=99, count=99),
            "STORE to 0x1000 leaves memory or is not aligned",
        ),
        (Store(pixel_pitch=1), "STORE cannot write pixels 1 beats apart with tile 0"),
        (Store(pixel_pitch=16), "STORE cannot write pixels 16 beats apart with tile 0"),
        (Store(pixel_pitch=2, tile=2), "STORE cannot write pixels 2 beats apart with tile 2"),
    ):
        with pytest.raises(ProgramError) as caught:
            run(instruction)
        assert str(caught.value) == message


def test_an_execute_begins_where_the_one_before_began_or_beside_it() -> None:
    first = Execute(accumulator_base=10, count=5)
    for base in (0, 9, 10, 15):
        run(first, Execute(accumulator_base=base, count=5))
    run(first, Execute(bank=1, accumulator_base=12, count=5))
    for base in (11, 14):
        with pytest.raises(ProgramError, match=r"^EXECUTE begins amid the accumulators of the one before in its bank$"):
            run(first, Execute(accumulator_base=base, count=5))


def test_bytes_are_counted_by_class() -> None:
    machine = run(
        Load(buffer=Buffer.INPUTS.value, run_beats=3, runs=2),
        Load(buffer=Buffer.WEIGHTS.value, run_beats=5, row_beats=5),
        Load(buffer=Buffer.PARAMETERS.value, run_beats=8),
        Store(count=7, width=7, bank=1),
    )
    assert machine.traffic == {
        "instructions": 4 * 64,
        "weights": 5 * 4,
        "activations": 6 * 4,
        "parameters": 8 * 4,
        "results": 7 * 4,
    }


def test_pooling_that_a_store_cannot_do_is_refused() -> None:
    for instruction, message in (
        (
            Store(pool=2, pool_stride=2, sum_pitch=4, first=1, width=2),
            "STORE cannot pool 2x2 at stride 2 from column 1 on with tile 0",
        ),
        (
            Store(pool=3, pool_stride=2, tile=2, width=2),
            "STORE cannot pool 3x3 at stride 2 from column 0 on with tile 2",
        ),
        (
            Store(pool=2, pool_stride=1, tile=4, width=2),
            "STORE cannot pool 2x2 at stride 1 from column 0 on with tile 4",
        ),
    ):
        with pytest.raises(ProgramError) as caught:
            run(instruction)
        assert str(caught.value) == message
    with pytest.raises(ProgramError, match=r"^STORE ends beyond the 117 accumulators or begins outside of its row$"):
        run(Store(pool=3, pool_stride=3, sum_pitch=62, count=2, width=4))
