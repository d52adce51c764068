"""Sparse lanes, adder tree and collector against numpy: runs that encoders make, and bytes that none does."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from amaranth.sim import SimulatorContext
from simulation import Pins, simulate
from sparse_matrices import random_matrix

from wingrid.host.compiler.sparse_encoding import LaneWeights, codebooks, encode_run
from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.isa import SPARSE_FORMATS, Semaphore, SparseFormat
from wingrid.hw.load.operand_buffers import OperandBuffers
from wingrid.hw.mesh.accumulators import Accumulators
from wingrid.hw.sparse.sparse_unit import SparseUnit
from wingrid.sim.golden.sparse import SparseLanes, WindowOverflow

SHAPES = [(2, 2), (3, 2), (4, 5), (9, 2)]


def config_of(rows: int, cols: int) -> AcceleratorConfig:
    return AcceleratorConfig(
        rows=rows, cols=cols, winograd=0, sparse=1, input_buffer=64, weight_buffer=300, accumulators=40
    )


@dataclass
class Piece:
    """What an EXECUTE does: entries of a run, from the begin or further on."""

    entries: npt.NDArray[np.uint8]
    form: SparseFormat
    begins: bool
    bank: int
    accumulator_base: int
    count: int
    input_base: int
    address: int = 0
    gap: int = 0
    """Cycles that its instruction comes late."""


@dataclass
class Seen:
    vectors: list[tuple[int, int, list[int]]] = field(default_factory=list)
    """Bank, accumulator and lanes."""
    beats: list[int] = field(default_factory=list)
    ended: list[int] = field(default_factory=list)
    released: list[int] = field(default_factory=list)
    committed: list[int] = field(default_factory=list)
    sums: list[int] = field(default_factory=list)
    overflows: list[int] = field(default_factory=list)
    """Index of the instruction."""


def run(config: AcceleratorConfig, pieces: list[Piece], inputs: npt.NDArray[np.int8]) -> Seen:
    dut = SparseUnit(config)
    weights = np.zeros((config.weight_buffer, config.weight_lanes), np.uint8)
    head = 0
    for piece in pieces:
        piece.address = head
        weights[(head + np.arange(len(piece.entries))) % config.weight_buffer, : config.rows] = piece.entries
        head = (head + len(piece.entries)) % config.weight_buffer
    assert sum(len(piece.entries) for piece in pieces) <= config.weight_buffer
    seen = Seen()

    async def testbench(ctx: SimulatorContext) -> None:
        pins = Pins(ctx)
        pins.set(dut.available, (1 << len(Semaphore)) - 1)
        todo = list(enumerate(pieces))
        asked: list[tuple[int, list[int]]] = []
        quiet = cycle = 0
        instruction = dut.instruction.payload.instruction
        while quiet < 60:
            late = todo and todo[0][1].gap
            if todo and not late:
                number, piece = todo[0]
                for name, value in {
                    "sparse": piece.form, "accumulate": not piece.begins, "bank": piece.bank,
                    "accumulator_base": piece.accumulator_base, "count": piece.count, "blocks": len(piece.entries),
                    "input_base": piece.input_base, "weight_base": piece.address,
                    "signal": 1 << Semaphore.OPERANDS_RELEASED | 1 << Semaphore.SUMS_READY,
                }.items():  # fmt: skip
                    pins.set(instruction[name], int(value))
                pins.set(dut.instruction.payload.pc, number)
            elif late:
                todo[0][1].gap -= 1
            pins.set(dut.instruction.valid, bool(todo and not late))
            # Both buffers answer with what they were asked so many cycles ago.
            asked.append((ctx.get(dut.weight_address), [ctx.get(address) for address in dut.input_addresses]))
            if cycle >= OperandBuffers.read_latency:
                entry, addresses = asked[-1 - OperandBuffers.read_latency]
                pins.set(dut.weight_data, int.from_bytes(weights[entry].tobytes(), "little"))
                for lane, address in enumerate(addresses):
                    pins.set(dut.input_data[lane], int(inputs[address, lane]))
            if todo and not late and ctx.get(dut.instruction.ready):
                todo.pop(0)
            if ctx.get(dut.sums.valid):
                lanes = [ctx.get(dut.sums.lanes[lane]) for lane in range(config.cols)]
                seen.vectors.append((ctx.get(dut.sums.tag.bank), ctx.get(dut.sums.tag.address), lanes))
                seen.sums.append(cycle)
            if ctx.get(dut.overflow):
                seen.overflows.append(ctx.get(dut.overflow_pc))
            for port, cycles in (
                (dut.beat, seen.beats), (dut.ended, seen.ended), (dut.signal, seen.released),
                (dut.committed, seen.committed),
            ):  # fmt: skip
                if ctx.get(port):
                    cycles.append(cycle)
            quiet = quiet + 1 if ctx.get(dut.idle) and not todo else 0
            cycle += 1
            await ctx.tick()

    simulate(dut, testbench)
    return seen


def expected(
    config: AcceleratorConfig, pieces: list[Piece], inputs: npt.NDArray[np.int8]
) -> tuple[list[tuple[int, int, list[int]]], int | None]:
    """The vectors of all runs, and the first piece in which a window overflows."""
    vectors: list[tuple[int, int, list[int]]] = []
    overflow = None
    lanes = SparseLanes(config.rows)
    for number, piece in enumerate(pieces):
        if piece.begins:
            lanes, sent, first = SparseLanes(config.rows), 0, piece
        try:
            lanes.feed(piece.entries, piece.form, inputs, piece.input_base)
        except WindowOverflow:
            overflow = number if overflow is None else overflow
        rows = lanes.rows()
        whole = rows[: len(rows) // config.cols * config.cols].reshape(-1, config.cols)[: first.count]
        for vector in whole[sent:]:
            vectors.append((first.bank, first.accumulator_base + sent, vector.tolist()))
            sent += 1
    return vectors, overflow


def cut(random: np.random.Generator, entries: npt.NDArray[np.uint8], **common: object) -> list[Piece]:
    """A run as one EXECUTE or more."""
    edges = sorted({0, len(entries), *random.integers(1, len(entries) + 1, int(random.integers(0, 3))).tolist()})
    return [
        Piece(entries[start:stop], begins=start == 0, gap=int(random.choice([0, 0, 1, 5])), **common)  # type: ignore[arg-type]
        for start, stop in pairwise(edges)
    ]


@pytest.mark.slow
@pytest.mark.parametrize("form", SPARSE_FORMATS)
@pytest.mark.parametrize(("rows", "cols"), SHAPES)
def test_runs_equal_numpy(rows: int, cols: int, form: SparseFormat) -> None:
    random = np.random.default_rng([rows, cols, form])
    config = config_of(rows, cols)
    for _ in range(2 if rows < 9 else 1):
        inputs = random.integers(-128, 128, (config.input_buffer, rows)).astype(np.int8)
        pieces: list[Piece] = []
        products: list[npt.NDArray[np.int64]] = []
        while True:
            positions = int(random.integers(1, 30))
            count = int(random.integers(1, 4))
            matrix = random_matrix(random, count * cols, positions * rows, form)
            weights = [LaneWeights.of(matrix[:, lane::rows]) for lane in range(rows)]
            books = codebooks(weights, form)
            assert books is not None
            entries = encode_run(weights, count * cols, form, books)
            if sum(len(piece.entries) for piece in pieces) + len(entries) > config.weight_buffer:
                break
            base = int(random.integers(config.input_buffer))
            place = int(random.integers(config.accumulators - count))
            pieces += cut(
                random, entries, form=form, bank=int(random.integers(2)), accumulator_base=place, count=count,
                input_base=base,
            )  # fmt: skip
            entry = (base + np.arange(positions)) % config.input_buffer
            products.append(matrix.astype(np.int64) @ inputs[entry].reshape(-1).astype(np.int64))
        seen = run(config, pieces, inputs)
        assert not seen.overflows
        assert [lanes for _, _, lanes in seen.vectors] == np.concatenate(products).reshape(-1, cols).tolist()
        assert (seen.vectors, None) == expected(config, pieces, inputs)


def test_a_lane_may_fill_its_window_as_the_sums_before_leave_it() -> None:
    config = config_of(2, 2)
    matrix = np.zeros((44, 8), np.int8)
    matrix[:22, 0::2] = 1
    weights = [LaneWeights.of(matrix[:, lane::2]) for lane in range(2)]
    books = codebooks(weights, SparseFormat.GAP5_VALUE3)
    assert books is not None
    entries = encode_run(weights, 44, SparseFormat.GAP5_VALUE3, books)
    # The second lane has nothing but ends of rows, and waits for its window.
    assert len(entries) > 8 + 22 * 5 + 16
    inputs = np.arange(2 * config.input_buffer).reshape(-1, 2).astype(np.int8)
    seen = run(config, [Piece(entries, SparseFormat.GAP5_VALUE3, True, 0, 0, 22, 0)], inputs)
    assert not seen.overflows
    assert [sums for _, _, sums in seen.vectors] == (matrix @ inputs[:4].reshape(-1)).reshape(-1, 2).tolist()


@pytest.mark.slow
@pytest.mark.parametrize(("rows", "cols"), SHAPES)
def test_time_is_the_number_of_entries(rows: int, cols: int) -> None:
    random = np.random.default_rng([rows, cols])
    config = config_of(rows, cols)
    inputs = random.integers(-128, 128, (config.input_buffer, rows)).astype(np.int8)
    matrix = random_matrix(random, 2 * cols, 8 * rows, SparseFormat.GAP5_VALUE3)
    weights = [LaneWeights.of(matrix[:, lane::rows]) for lane in range(rows)]
    books = codebooks(weights, SparseFormat.GAP5_VALUE3)
    assert books is not None
    real = encode_run(weights, 2 * cols, SparseFormat.GAP5_VALUE3, books)
    noise = random.integers(0, 256, real.shape).astype(np.uint8)
    shown = []
    for entries in (real, np.zeros_like(real), noise):
        half = len(entries) // 2
        cuts = [entries[:half], entries[half:]]
        pieces = [Piece(part, SparseFormat.GAP5_VALUE3, number == 0, 0, 0, 2, 0) for number, part in enumerate(cuts)]
        shown.append(run(config, pieces, inputs))
    first = shown[0]
    assert len(first.beats) == len(real)
    assert first.beats == list(range(first.beats[0], first.beats[0] + len(real)))
    last = first.beats[-1]
    assert first.ended[-1] == last - SparseUnit.read_latency
    assert first.released == [cycle + SparseUnit.release_latency for cycle in first.ended]
    assert first.sums[-1] == last + SparseUnit.latency_for(config)
    assert first.committed[-1] == first.sums[-1] + Accumulators.latency
    for other in shown[1:]:
        assert (other.beats, other.ended, other.released, other.committed) == (
            first.beats,
            first.ended,
            first.released,
            first.committed,
        )


@pytest.mark.slow
@pytest.mark.parametrize("form", SPARSE_FORMATS)
@pytest.mark.parametrize("rows", [2, 3])
def test_damaged_streams_do_what_numpy_says_and_leave_other_accumulators_alone(rows: int, form: SparseFormat) -> None:
    random = np.random.default_rng([rows, form])
    config = config_of(rows, 2)
    inputs = random.integers(-128, 128, (config.input_buffer, rows)).astype(np.int8)
    overflows = 0
    for trial in range(8):
        pieces = []
        for _ in range(3):
            entries = random.integers(0, 256, (int(random.integers(1, 90)), rows)).astype(np.uint8)
            # Ends of rows, often enough for some lanes to run away.
            last = 255 if form is SparseFormat.LITERAL else (1 << form.gap_bits) - 1 << form.value_bits
            ends = random.random(entries.shape) < random.random(rows) * 0.7
            ends[: form.codebook_entries] = False
            if form is SparseFormat.LITERAL:
                entries[0::2][ends[0::2]] = last
                entries[1::2][ends[0::2][: len(entries[1::2])]] = 0
            else:
                entries[ends] = last
            count = int(random.integers(1, 5))
            pieces += cut(
                random, entries, form=form, bank=int(random.integers(2)), accumulator_base=int(random.integers(30)),
                count=count, input_base=int(random.integers(config.input_buffer)),
            )  # fmt: skip
        vectors, overflow = expected(config, pieces, inputs)
        seen = run(config, pieces, inputs)
        if overflow is None:
            assert seen.vectors == vectors, trial
            assert not seen.overflows
        else:
            overflows += 1
            assert seen.overflows[0] == overflow
        allowed = {(piece.bank, piece.accumulator_base + n) for piece in pieces for n in range(piece.count)}
        assert {(bank, address) for bank, address, _ in seen.vectors} <= allowed
    assert 0 < overflows < 8
