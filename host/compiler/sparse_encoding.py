"""Sparse matrices as streams of bytes for the accelerator's lanes (``wingrid.hw.sparse``)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wingrid.hw.isa import SPARSE_WINDOW, SparseFormat


@dataclass(frozen=True)
class LaneWeights:
    """The non-zero weights of a lane, in the order in which it meets them."""

    values: npt.NDArray[np.int8]
    rows: npt.NDArray[np.int64]
    """Row of each, ascending."""
    gaps: npt.NDArray[np.int64]
    """Zeros before each, since the non-zero before or the begin of the row."""

    @classmethod
    def of(cls, matrix: npt.NDArray[np.int8]) -> LaneWeights:
        """Of a matrix [rows, positions]."""
        flat = np.ascontiguousarray(matrix).reshape(-1)
        places = np.flatnonzero(flat)
        rows, positions = np.divmod(places, matrix.shape[1])
        before = np.concatenate([[-1], places[:-1]])
        same_row = np.concatenate([[False], rows[1:] == rows[:-1]])
        gaps = np.where(same_row, places - before - 1, positions)
        return cls(flat[places], rows, gaps)

    def within(self, first: int, last: int) -> LaneWeights:
        """Those of the rows from ``first`` to before ``last``, which are counted from 0 on."""
        start, stop = np.searchsorted(self.rows, [first, last])
        return LaneWeights(self.values[start:stop], self.rows[start:stop] - first, self.gaps[start:stop])

    def skips(self, form: SparseFormat) -> npt.NDArray[np.int64]:
        """Steps that pass over zeros before each non-zero gets a gap that its byte can hold."""
        most = (1 << form.gap_bits) - 1
        if form is SparseFormat.LITERAL:
            # A step without weight goes on by 255 at most: with a gap of 255 it would end the row.
            return np.maximum(-(-(self.gaps - most) // most), 0)
        return -(-(self.gaps >> form.gap_bits) // most)


@dataclass(frozen=True)
class Schedule:
    """When each lane ends each row, in steps: int64 [lanes, rows]."""

    ends: npt.NDArray[np.int64]

    @property
    def steps(self) -> int:
        return int(self.ends[:, -1].max()) + 1

    @classmethod
    def of(cls, lanes: list[LaneWeights], rows: int, form: SparseFormat) -> Schedule:
        """The earliest ends at which no lane leaves its window.

        A row takes a step for each non-zero, for each skip, and for its end. Before its end a lane waits until its
        window has room: all lanes must have ended the row ``SPARSE_WINDOW`` rows back in an earlier step.
        """
        steps = np.stack(
            [np.bincount(lane.rows, weights=1 + lane.skips(form), minlength=rows) + 1 for lane in lanes]
        ).astype(np.int64)
        ends = np.empty_like(steps)
        at = np.full(len(lanes), -1, np.int64)
        slowest = np.empty(rows, np.int64)
        for row in range(rows):
            at = at + steps[:, row]
            if row >= SPARSE_WINDOW:
                at = np.maximum(at, slowest[row - SPARSE_WINDOW] + 1)
            ends[:, row] = at
            slowest[row] = at.max()
        return cls(ends)


def codebooks(lanes: list[LaneWeights], form: SparseFormat) -> npt.NDArray[np.int8] | None:
    """[lanes, ``codebook_entries``], each lane's values from place 1 on, or ``None`` if one has too many of them."""
    books = np.zeros((len(lanes), form.codebook_entries), np.int8)
    if form is SparseFormat.LITERAL:
        return books
    for book, lane in zip(books, lanes, strict=True):
        values = np.flatnonzero(np.bincount(lane.values.view(np.uint8), minlength=256)).astype(np.uint8).view(np.int8)
        if len(values) >= form.codebook_entries:
            return None
        book[1 : len(values) + 1] = values
    return books


def encode_run(
    lanes: list[LaneWeights], rows: int, form: SparseFormat, books: npt.NDArray[np.int8]
) -> npt.NDArray[np.uint8]:
    """A run of ``rows`` rows, one or more, as entries uint8 [n, lanes]: codebooks, then a byte a step and lane.

    Steps in which a lane waits are zeros, which only lead it towards the end of its row.
    """
    schedule = Schedule.of(lanes, rows, form)
    steps = np.zeros((schedule.steps, len(lanes), 2), np.uint8)
    most = (1 << form.gap_bits) - 1
    literal = form is SparseFormat.LITERAL
    for number, lane in enumerate(lanes):
        skips = lane.skips(form)
        taken = np.cumsum(1 + skips)
        # Within its row, the step of a non-zero: what is taken since the row before.
        first = np.searchsorted(lane.rows, np.arange(rows))
        before = np.concatenate([[0], taken])[first]
        begins = np.concatenate([[0], schedule.ends[number, :-1] + 1])
        at = begins[lane.rows] + taken - before[lane.rows] - 1
        passed = np.arange(skips.sum()) - np.repeat(np.cumsum(skips) - skips, skips)
        skipped_at = np.repeat(at - skips, skips) + passed
        left = np.repeat(lane.gaps, skips)
        if literal:
            steps[skipped_at, number, 0] = np.minimum(left - passed * most, most) - 1
            steps[at, number, 0] = lane.gaps - np.minimum(skips * most, lane.gaps)
            steps[at, number, 1] = lane.values.view(np.uint8)
            steps[schedule.ends[number], number, 0] = most
            continue
        units = np.minimum((left >> form.gap_bits) - passed * most, most)
        place = np.zeros(256, np.uint8)
        place[books[number, 1:].view(np.uint8)] = np.arange(1, books.shape[1])
        steps[skipped_at, number, 0] = units - 1 << form.value_bits
        steps[at, number, 0] = (lane.gaps & most) << form.value_bits | place[lane.values.view(np.uint8)]
        steps[schedule.ends[number], number, 0] = most << form.value_bits
    entries = steps.transpose(0, 2, 1).reshape(-1, len(lanes)) if literal else steps[..., 0]
    return np.concatenate([books.T.view(np.uint8), entries])


def run_entries(lanes: list[LaneWeights], rows: int, form: SparseFormat) -> int:
    """Entries of the run that ``encode_run`` would make."""
    steps = Schedule.of(lanes, rows, form).steps
    return form.codebook_entries + steps * math.ceil((form.gap_bits + form.value_bits) / 8)
