"""Canonical Huffman codes (Huffman 1952): symbols in few bits, from the lengths of their codes alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from bitarray import bitarray
from bitarray.util import canonical_decode, canonical_huffman


@dataclass(frozen=True)
class HuffmanCode:
    """A prefix code of symbols 0, 1, 2 ...; those that never came have no code."""

    codes: dict[int, bitarray]
    counts: list[int]
    """For each length from 0 bits on, how many codes have it: with ``symbols``, all that a decoder needs."""
    symbols: list[int]
    """In the order of their codes."""

    @classmethod
    def of(cls, stream: npt.NDArray) -> HuffmanCode:
        """The code that makes this stream shortest; a lone symbol takes a bit, an empty stream has no codes."""
        frequency = np.bincount(stream) if stream.size else np.zeros(0, np.int64)
        present: Counter[int] = Counter({int(symbol): int(frequency[symbol]) for symbol in np.flatnonzero(frequency)})
        return cls(*canonical_huffman(present)) if present else cls({}, [], [])

    def bits(self, stream: npt.NDArray) -> int:
        """Length of a stream of these symbols."""
        frequency = np.bincount(stream, minlength=1)
        return sum(int(frequency[symbol]) * len(code) for symbol, code in self.codes.items() if symbol < frequency.size)

    def encoded(self, stream: npt.NDArray) -> bitarray:
        """The stream's codes, one behind the other."""
        bits = bitarray()
        if stream.size:
            bits.encode(self.codes, stream.tolist())
        return bits

    def decoded(self, bits: bitarray) -> npt.NDArray[np.int64]:
        """The stream back, exactly."""
        if not self.symbols:
            return np.zeros(0, np.int64)
        return np.fromiter(canonical_decode(bits, self.counts, self.symbols), np.int64)
