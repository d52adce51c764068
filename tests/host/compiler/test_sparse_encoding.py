"""Streams that the encoder makes, judged by what lanes make of them; their lengths and windows."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from sparse_matrices import random_matrix

from wingrid.host.compiler.sparse_encoding import LaneWeights, codebooks, encode_run, run_entries
from wingrid.hw.isa import SPARSE_FORMATS, SparseFormat
from wingrid.sim.golden.sparse import SparseLanes

DEPTH = 1024


@pytest.mark.parametrize("form", SPARSE_FORMATS)
def test_lanes_find_the_matrix_in_its_streams(form: SparseFormat) -> None:
    for seed in range(60):
        random = np.random.default_rng([seed, form])
        lanes, rows = int(random.integers(2, 33)), int(random.integers(1, 60))
        positions = int(np.exp(random.uniform(0, np.log(700))))
        matrix = random_matrix(random, rows, positions * lanes, form)
        weights = [LaneWeights.of(matrix[:, lane::lanes]) for lane in range(lanes)]
        books = codebooks(weights, form)
        assert books is not None
        entries = encode_run(weights, rows, form, books)
        assert len(entries) == run_entries(weights, rows, form)
        inputs = random.integers(-128, 128, (DEPTH, lanes)).astype(np.int8)
        base = int(random.integers(DEPTH))
        judge = SparseLanes(lanes)
        # In pieces, as EXECUTEs take them; a lane out of its window would raise.
        for start, stop in pairwise([0, *sorted(random.integers(0, len(entries) + 1, 3)), len(entries)]):
            judge.feed(entries[start:stop], form, inputs, base)
        x = inputs[(base + np.arange(positions)) % DEPTH].reshape(-1)
        assert np.array_equal(judge.rows(), matrix.astype(np.int64) @ x), (seed, lanes, rows, positions)


def test_a_codebook_holds_no_more_values_than_it_has_places_for() -> None:
    for form, most in ((SparseFormat.GAP4_VALUE4, 15), (SparseFormat.GAP3_VALUE5, 31), (SparseFormat.GAP5_VALUE3, 7)):
        values = np.arange(1, most + 2, dtype=np.int8)[None]
        assert codebooks([LaneWeights.of(values)], form) is None
        # Each lane has its own, and zero needs no place.
        halves = [
            LaneWeights.of(np.append(values[:, :most], values[:, :1] * 0, axis=1)),
            LaneWeights.of(-values[:, :most]),
        ]
        books = codebooks(halves, form)
        assert books is not None
        assert sorted(books[0]) == list(range(most + 1))
        assert sorted(books[1]) == list(range(-most, 1))


def test_uneven_lanes_wait_for_each_other() -> None:
    matrix = np.zeros((100, 8), np.int8)
    matrix[:50, 0::2] = 1
    matrix[50:, 1::2] = 1
    lanes = [LaneWeights.of(matrix[:, lane::2]) for lane in range(2)]
    # Each lane has 4 weights in half of the rows, and the end of all of them: alone it would take 300 entries.
    assert 300 < run_entries(lanes, 100, SparseFormat.LITERAL) / 2 < 50 * 5 + 50 * 5 - 16
