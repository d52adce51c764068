"""The pipeline for the int8 weights of a layer: relative index, codebook, canonical Huffman; and all of it back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from bitarray import bitarray

from wingrid.host.compression.huffman import HuffmanCode
from wingrid.host.compression.relative_index import BITS, RelativeIndex, relative_index

WEIGHT_BITS = 8
"""Of a code that is no entry of a codebook."""
FILLER = 0
"""The symbol of a filler; a weight's is 1 + its entry of the codebook."""


@dataclass(frozen=True)
class Sizes:
    """Bytes of a layer's weights, stage by stage; each stage with all that it needs to be undone."""

    weights: int
    dense: int
    """A byte per weight."""
    pruned: int
    """An index and a byte for each entry."""
    shared: int
    """An index and an entry of the codebook for each entry, and the codebook."""
    huffman: int
    """Both by Huffman codes, and the length of each symbol's code."""
    huffman_dense: int
    """Without index and codebook: every weight's byte, zeros too, by one Huffman code, and the lengths."""

    def __add__(self, other: Sizes) -> Sizes:
        return Sizes(*(a + b for a, b in zip(_figures(self), _figures(other), strict=True)))


def _figures(sizes: Sizes) -> tuple[int, ...]:
    return sizes.weights, sizes.dense, sizes.pruned, sizes.shared, sizes.huffman, sizes.huffman_dense


NOTHING = Sizes(0, 0, 0, 0, 0, 0)


@dataclass(frozen=True)
class CompressedWeights:
    """int8 weights of a layer, compressed without loss."""

    shape: tuple[int, ...]
    index: RelativeIndex
    codebook: npt.NDArray[np.int8]
    """[values], rising, without 0."""
    gap_code: HuffmanCode
    gaps: bitarray
    """Of each entry, one less than the gap before it."""
    value_code: HuffmanCode
    values: bitarray
    """Of each entry, ``FILLER`` or 1 + the weight's entry of the codebook."""


def compress(weights: npt.NDArray[np.int8], index_bits: int = BITS) -> CompressedWeights:
    """int8 weights of any shape, zeros as zeros, by all stages."""
    flat = weights.ravel()
    index = relative_index(flat != 0, index_bits)
    codebook, symbols = _symbols(flat, index)
    gaps = index.gaps - 1
    gap_code, value_code = HuffmanCode.of(gaps), HuffmanCode.of(symbols)
    return CompressedWeights(
        weights.shape, index, codebook, gap_code, gap_code.encoded(gaps), value_code, value_code.encoded(symbols)
    )


def decompress(compressed: CompressedWeights) -> npt.NDArray[np.int8]:
    """The weights, every bit of them, from the two streams and what they need."""
    gaps = compressed.gap_code.decoded(compressed.gaps) + 1
    symbols = compressed.value_code.decoded(compressed.values)
    index = RelativeIndex(compressed.index.size, compressed.index.bits, gaps, symbols == FILLER)
    weights = np.zeros(index.size, np.int8)
    weights[index.places] = compressed.codebook[symbols[symbols != FILLER] - 1]
    return weights.reshape(compressed.shape)


def sizes(weights: npt.NDArray[np.int8], index_bits: int = BITS) -> Sizes:
    """What ``compress`` takes, by stage, without writing the streams."""
    flat = weights.ravel()
    index = relative_index(flat != 0, index_bits)
    codebook, symbols = _symbols(flat, index)
    entries = index.gaps.size
    # A filler is a value of its own, where there are any.
    values = len(codebook) + bool(index.fillers.any())
    value_bits = max(values - 1, 0).bit_length()
    streams = [index.gaps - 1, symbols]
    codes = [HuffmanCode.of(stream) for stream in streams]
    coded = sum(code.bits(stream) for code, stream in zip(codes, streams, strict=True))
    # A byte for each length: one for each gap that an index can have, and for each value.
    lengths = (1 << index_bits) + values
    every = flat.astype(np.int64) + 128
    return Sizes(
        flat.size,
        flat.size,
        _bytes(entries * (WEIGHT_BITS + index_bits)),
        _bytes(entries * (value_bits + index_bits)) + len(codebook),
        _bytes(coded) + lengths + len(codebook),
        _bytes(HuffmanCode.of(every).bits(every)) + 256,
    )


def _symbols(flat: npt.NDArray[np.int8], index: RelativeIndex) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.int64]]:
    """The codebook, and the symbol of each entry."""
    codebook, labels = np.unique(flat[flat != 0], return_inverse=True)
    symbols = np.full(index.gaps.size, FILLER)
    symbols[~index.fillers] = labels + 1
    return codebook, symbols


def _bytes(bits: int) -> int:
    return -(-bits // 8)
