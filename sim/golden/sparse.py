"""What sparse lanes make of their streams: the numpy twin of ``wingrid.hw.sparse``."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from wingrid.hw.isa import LARGEST_CODEBOOK, SPARSE_WINDOW, SparseFormat


class WindowOverflow(ValueError):
    """A lane ended a row for which its window had no room."""


class SparseLanes:
    """``lanes`` lanes at the begin of a run; ``feed`` gives them entries, ``rows`` tells what they have summed up."""

    def __init__(self, lanes: int) -> None:
        self._codebook = np.zeros((lanes, LARGEST_CODEBOOK), np.int64)
        self._loaded = 0
        self._gap: npt.NDArray[np.int64] | None = None
        self._position = np.zeros(lanes, np.int64)  # of what was multiplied last, from 1 on
        self._partial = np.zeros(lanes, np.int64)
        self._ended = np.zeros(lanes, np.int64)
        self._rows: list[list[npt.NDArray[np.int64]]] = [[] for _ in range(lanes)]

    def feed(self, entries: npt.NDArray[np.uint8], form: SparseFormat, inputs: npt.NDArray[np.int8], base: int) -> None:
        """Take entries, uint8 [n, lanes], for activations ``inputs``, int8 [depth, lanes], from entry ``base`` on.

        Raises ``WindowOverflow``.
        """
        fresh = max(min(form.codebook_entries - self._loaded, len(entries)), 0)
        self._codebook[:, self._loaded : self._loaded + fresh] = entries[:fresh].view(np.int8).T
        self._loaded += fresh
        values, distances, ends = self._decoded(entries[fresh:].astype(np.int64), form)
        if not len(values):
            return
        lanes = np.arange(values.shape[1])
        passed = np.cumsum(np.where(ends, 0, distances + 1), axis=0)
        last_end = np.maximum.accumulate(np.where(ends, np.arange(len(ends))[:, None], -1), axis=0)
        since = np.where(last_end < 0, -self._position, np.take_along_axis(passed, np.maximum(last_end, 0), axis=0))
        positions = passed - since
        self._position = positions[-1]
        addresses = (base - 1 + positions) % len(inputs)
        sums = np.cumsum(values * inputs[addresses, lanes].astype(np.int64), axis=0)
        for lane in lanes:
            totals = sums[ends[:, lane], lane] + self._partial[lane]
            self._rows[lane].append(np.diff(totals, prepend=0))
            self._partial[lane] += sums[-1, lane] - (totals[-1] if len(totals) else 0)
        self._watch(ends)

    def rows(self) -> npt.NDArray[np.int64]:
        """The sums of all rows that every lane has ended so far, modulo 2**32 as signed numbers."""
        columns = [np.concatenate([np.zeros(0, np.int64), *rows]) for rows in self._rows]
        complete = min(map(len, columns))
        total = np.sum([column[:complete] for column in columns], axis=0)
        return total.astype(np.int32).astype(np.int64)

    def _decoded(
        self, entries: npt.NDArray[np.int64], form: SparseFormat
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """Values (0 for none), positions passed over, and ends of rows, [steps, lanes]."""
        most = (1 << form.gap_bits) - 1
        if form is SparseFormat.LITERAL:
            if self._gap is not None:
                entries = np.concatenate([self._gap[None], entries])
            whole = len(entries) // 2 * 2
            self._gap = entries[-1] if whole < len(entries) else None
            gaps, values = entries[:whole:2], entries[1:whole:2].astype(np.uint8).view(np.int8).astype(np.int64)
            return values, gaps, (values == 0) & (gaps == most)
        self._gap = None
        places, gaps = entries & ((1 << form.value_bits) - 1), entries >> form.value_bits
        values = np.where(places > 0, self._codebook[np.arange(entries.shape[1]), places], 0)
        distances = np.where(places > 0, gaps, (gaps + 1 << form.gap_bits) - 1)
        return values, distances, (places == 0) & (gaps == most)

    def _watch(self, ends: npt.NDArray[np.bool_]) -> None:
        ended = self._ended + np.cumsum(ends, axis=0)
        complete = np.concatenate([[self._ended.min()], ended.min(axis=1)[:-1]])
        self._ended = ended[-1]
        if (ended - complete[:, None] > SPARSE_WINDOW).any():
            raise WindowOverflow(f"a lane is more than {SPARSE_WINDOW} rows ahead of another one")
