"""What decoders make of compressed weights: the numpy twin of ``wingrid.hw.winograd.weight_decoder``."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.isa import CODE_HEAD_BITS, CODE_PREFIX_BITS, CODE_RING, LARGEST_PACE, LONGEST_CODE
from wingrid.hw.winograd_matrices import KERNEL


def row_columns(config: AcceleratorConfig) -> npt.NDArray[np.int64]:
    """The column whose weight each lane decodes in each step: [pace, row of a raw tile, step of a row, lane]."""
    lanes, rows = config.decoders, KERNEL * KERNEL * config.rows
    pace, row, step, lane = np.ogrid[: LARGEST_PACE + 1, :rows, : config.decoder_columns, :lanes]
    return (step * lanes + (lane - (row >> pace)) % lanes).astype(np.int64)


class WeightCode:
    """A code as its tables say, int8 [code_entries, bus_bytes]."""

    def __init__(self, tables: npt.NDArray[np.int8], config: AcceleratorConfig) -> None:
        self._config = config
        beats = tables.view(np.uint8)
        self._symbols = tables[:, : config.code_symbols].reshape(-1)
        self._first, lengths = beats[: 1 << CODE_PREFIX_BITS, config.bus_bytes // 2 :][:, :2].astype(np.int64).T
        self._length = lengths & 15

    def decoded(self, entries: npt.NDArray[np.int8], base: int, blocks: int) -> npt.NDArray[np.int8]:
        """Raw weight tiles, int8 [blocks, rows of a raw tile, cols], from a ring of entries, [depth, cols].

        They begin at entry ``base``. Lanes have to stay close to each other, as an encoder makes sure of.
        """
        words = np.ascontiguousarray(entries).view(f"<u{self._config.decoder_columns}").astype(np.uint64)
        columns = row_columns(self._config)
        _, count, steps, _ = columns.shape
        tiles = np.empty((blocks, count, self._config.cols), np.int8)
        rows = np.arange(count)[:, None, None]
        for tile in tiles:
            head = int(words[base % len(words), 0]) % (1 << CODE_HEAD_BITS)
            size, pace = head % CODE_RING, head // CODE_RING
            *decoded, used = self._symbols_from(words, base, count * steps)
            own = columns[pace]
            tile[rows, own] = np.reshape(decoded, own.shape)
            base += int(used[0]) + (size - int(used[0])) % CODE_RING
        return tiles

    def _symbols_from(
        self, words: npt.NDArray[np.uint64], base: int, steps: int
    ) -> Iterator[npt.NDArray[np.int8] | npt.NDArray[np.int64]]:
        """The symbols of each step, and at last how many words the slowest lane has used."""
        width, lanes = 8 * self._config.decoder_columns, np.arange(words.shape[1])
        place = np.where(lanes == 0, CODE_HEAD_BITS, 0)
        behind = LONGEST_CODE - CODE_PREFIX_BITS
        for _ in range(steps):
            word, bit = np.divmod(place, width)
            low, high = (words[(base + word + step) % len(words), lanes] for step in range(2))
            code = ((low | high << np.uint64(width)) >> bit.astype(np.uint64)).astype(np.int64) % (1 << LONGEST_CODE)
            prefix = code % (1 << CODE_PREFIX_BITS)
            length = self._length[prefix]
            mask = (1 << np.clip(length - CODE_PREFIX_BITS, 0, behind)) - 1
            yield self._symbols[self._first[prefix] & ~mask | code >> CODE_PREFIX_BITS & mask]
            place = place + length
        yield np.array([-(-place // width)]).max(axis=1)
