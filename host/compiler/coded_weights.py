"""A layer's weights as streams of codes, one for each decoder."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wingrid.host.compiler.blocking import Blocking
from wingrid.host.compiler.layout import pack_weights
from wingrid.host.compiler.weight_code import Code
from wingrid.hw.config import TABLE_ENTRIES, AcceleratorConfig
from wingrid.hw.isa import CODE_HEAD_BITS, CODE_RING, CODE_WORDS_APART
from wingrid.hw.winograd_matrices import KERNEL
from wingrid.sim.golden.coding import row_columns


@dataclass(frozen=True)
class CodedWeights:
    """Tables of a code, and raw weight tiles in it."""

    code: Code
    entries: npt.NDArray[np.uint8]
    """[entries of all raw tiles, cols]"""
    starts: npt.NDArray[np.int64]
    """Entry where each raw tile begins, in the order of memory, and at the end how many there are."""

    @classmethod
    def of(cls, weights: npt.NDArray[np.int8], blocking: Blocking, config: AcceleratorConfig) -> CodedWeights | None:
        """Weights [K, C // groups, 3, 3] for a Winograd blocking.

        ``None`` if some are so much longer than others that lanes would be too far apart.
        """
        rows = pack_weights(weights, blocking, config).reshape(-1, config.bus_bytes)[:, : config.cols]
        tiles = rows.reshape(-1, KERNEL * KERNEL * config.rows, config.cols)
        code = Code.of(np.bincount(tiles.reshape(-1), minlength=TABLE_ENTRIES))
        columns = row_columns(config)
        paces = _best_paces(code.lengths[tiles], columns)
        order = columns.reshape(len(columns), -1, config.cols)[paces]
        # [raw tile, step, lane]
        symbols = np.take_along_axis(tiles, order, axis=2).reshape(len(tiles), -1, config.decoders)
        width = 8 * config.decoder_columns
        lengths = code.lengths[symbols]
        ends = np.cumsum(lengths, axis=1)
        ends[:, :, 0] += CODE_HEAD_BITS
        words, bits = np.divmod(ends - lengths, width)
        sizes = -(-ends[:, -1].max(axis=1) // width)
        apart = max(np.ptp(words, axis=2).max(), (sizes - words[:, -1].min(axis=1)).max())
        starts = np.concatenate([[0], np.cumsum(sizes)])
        if apart > CODE_WORDS_APART:
            return None
        places = (starts[:-1, None, None] + words) * config.decoders + np.arange(config.decoders)
        shifted = code.codes[symbols] << bits
        # Codes overlap nowhere, so words are sums, exact in 53 bits.
        size = (int(starts[-1]) + 1) * config.decoders
        packed = np.bincount(places.reshape(-1), (shifted & (1 << width) - 1).reshape(-1), size)
        packed += np.bincount(
            places.reshape(-1) + config.decoders, (shifted >> width).reshape(-1), size + config.decoders
        )[:size]
        streams = packed.astype(np.int64).reshape(-1, config.decoders)[:-1]
        streams[starts[:-1], 0] += sizes % CODE_RING + paces * CODE_RING
        entries = streams.astype(f"<u{config.decoder_columns}").view(np.uint8)
        return cls(code, entries, starts)

    @property
    def largest(self) -> int:
        """Entries of the largest raw tile."""
        return int(np.diff(self.starts).max())

    @property
    def raw_tiles(self) -> int:
        """How many there are."""
        return len(self.starts) - 1

    def packed(self, config: AcceleratorConfig) -> npt.NDArray[np.uint8]:
        """Tables and streams as they lie in memory, a beat of the bus for each entry."""
        beats = np.zeros((config.code_entries + len(self.entries), config.bus_bytes), np.uint8)
        beats[: config.code_entries] = self.code.tables(config)
        beats[config.code_entries :, : config.cols] = self.entries
        return beats.reshape(-1)

    def bytes(self, config: AcceleratorConfig) -> int:
        """Bytes that ``packed`` takes."""
        return (config.code_entries + len(self.entries)) * config.bus_bytes


def _best_paces(lengths: npt.NDArray[np.int64], columns: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """For each raw tile, [raw tiles, rows, cols] bits, the pace that makes its longest stream the shortest."""
    lanes = columns.shape[-1]
    shared = lengths.reshape(*lengths.shape[:2], -1, lanes).sum(axis=2)
    # In the first step of a row, each lane has a column of those that go round together.
    streams = [np.take_along_axis(shared, own[None, :, 0], axis=2).sum(axis=1).max(axis=1) for own in columns]
    return np.argmin(streams, axis=0)
