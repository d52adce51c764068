"""The published compression of VGG-16 beside what the pipeline here measures on real and synthetic weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wingrid.host.compression.huffman import HuffmanCode
from wingrid.host.compression.model_weights import find_weights
from wingrid.host.compression.pruning import kept
from wingrid.host.compression.published import VGG16_ROWS, PublishedRow
from wingrid.host.compression.relative_index import relative_index
from wingrid.host.compression.sharing import shared_values
from wingrid.host.execution.listener import Listener
from wingrid.host.onnx_models.bundled import IMAGENET, bundled_model
from wingrid.host.onnx_models.model_file import read_model

FLOAT_BITS = 32
"""Of a weight that nothing was done to, and of an entry of the codebook."""
SAMPLE = 1 << 22
"""Synthetic weights of a layer, at most: figures per weight do not change beyond."""
SEED = 16

REAL, SYNTHETIC = "real", "synthetic"


@dataclass(frozen=True)
class Figures:
    """What a layer takes; bits per entry of the relative index, fillers included, rates in per cent of 32 bits."""

    value_bits_huffman: float
    index_bits_huffman: float
    rate: float
    rate_huffman: float


@dataclass(frozen=True)
class TableRow:
    """A layer: as printed, by the printed bits, and as measured."""

    published: PublishedRow
    weights: str
    """``REAL`` or ``SYNTHETIC``."""
    formula: Figures
    """The rates that follow from the printed bits and density, if zeros lie at random."""
    measured: Figures


def vgg16_table(listener: Listener) -> list[TableRow]:
    """All layers. Convolutions are those of vgg16-imagenet; raises ``UserError`` if it has not been fetched.

    Nobody offers the pruned weights, nor those of fully connected layers. So convolutions are pruned here, by
    magnitude and without training; fully connected layers have seeded Laplace weights, zeros at random.
    """
    convolutions = _convolutions()
    listener.expect(sum(row.weights for row in VGG16_ROWS))
    return list(_rows(convolutions, listener))


def _rows(convolutions: dict[str, npt.NDArray], listener: Listener) -> Iterator[TableRow]:
    for row in VGG16_ROWS:
        if row.is_convolution:
            kind, values = REAL, convolutions[row.name]
        else:
            kind, values = SYNTHETIC, _synthetic(row)
        yield TableRow(row, kind, by_formula(row), measured(row, values))
        listener.simulated(row.name, row.weights)


def by_formula(row: PublishedRow) -> Figures:
    """Rates by the printed bits: (N P (1 + f) (value bits + index bits) + 32 codebook entries) / 32 N.

    f, fillers for each weight: a gap of zeros at random is wider than 2 ** index bits with the probability
    q = (1 - P) ** (2 ** index bits), and takes q + q ** 2 + ... fillers on average.
    """
    wider = (1 - row.density) ** (1 << row.index_bits)
    entries = row.weights * row.density * (1 + wider / (1 - wider))
    codes = (row.value_bits + row.index_bits, row.value_bits_huffman + row.index_bits_huffman)
    rates = (_rate(entries * bits, row) for bits in codes)
    return Figures(row.value_bits_huffman, row.index_bits_huffman, *rates)


def measured(row: PublishedRow, values: npt.NDArray) -> Figures:
    """The pipeline with the printed density, codebook and index on these weights, of which there may be fewer."""
    flat = values.ravel()
    mask = kept(np.abs(flat), row.density)
    index = relative_index(mask, row.index_bits)
    shared = shared_values(flat[mask], 1 << row.value_bits)
    # A filler has a symbol of its own.
    symbols = np.full(index.gaps.size, len(shared.codebook))
    symbols[~index.fillers] = shared.labels
    gaps = index.gaps - 1
    entries = index.gaps.size
    value_bits, index_bits = (HuffmanCode.of(stream).bits(stream) / entries for stream in (symbols, gaps))
    in_all = entries * row.weights / flat.size
    return Figures(
        value_bits,
        index_bits,
        _rate(in_all * (row.value_bits + row.index_bits), row),
        _rate(in_all * (value_bits + index_bits), row),
    )


def _rate(bits: float, row: PublishedRow) -> float:
    codebook = FLOAT_BITS << row.value_bits
    return 100 * (bits + codebook) / (FLOAT_BITS * row.weights)


def _convolutions() -> dict[str, npt.NDArray]:
    """Real weights by layer, float32 [kernels, channels, 3, 3]: int8 codes times their scales."""
    found = find_weights(read_model(bundled_model(IMAGENET)).proto)
    return {weights.layer: weights.codes.astype(np.float32) * weights.scales for weights in found}


def _synthetic(row: PublishedRow) -> npt.NDArray:
    return np.random.default_rng(SEED).laplace(size=min(row.weights, SAMPLE)).astype(np.float32)


@dataclass(frozen=True)
class Totals:
    """All rows together, each by its weights."""

    weights: int
    density: float
    rate: float
    rate_huffman: float
    formula_rate: float
    formula_rate_huffman: float
    measured_rate: float
    measured_rate_huffman: float


def totals(rows: Sequence[TableRow]) -> Totals:
    """What the columns of these rows come to."""
    weights = sum(row.published.weights for row in rows)

    def mean(figures: Iterator[float]) -> float:
        return sum(row.published.weights * figure for row, figure in zip(rows, figures, strict=True)) / weights

    return Totals(
        weights,
        mean(row.published.density for row in rows),
        mean(row.published.rate for row in rows),
        mean(row.published.rate_huffman for row in rows),
        mean(row.formula.rate for row in rows),
        mean(row.formula.rate_huffman for row in rows),
        mean(row.measured.rate for row in rows),
        mean(row.measured.rate_huffman for row in rows),
    )
