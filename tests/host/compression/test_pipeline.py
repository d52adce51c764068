"""The pipeline's stages on random weights and corners, and the way back, which loses nothing."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from wingrid.host.compression.huffman import HuffmanCode
from wingrid.host.compression.pipeline import compress, decompress, sizes
from wingrid.host.compression.pruning import kept
from wingrid.host.compression.relative_index import relative_index
from wingrid.host.compression.sharing import shared_codes, shared_values


def sparse(seed: int, shape: tuple[int, ...], density: float, values: int = 255) -> np.ndarray:
    random = np.random.default_rng(seed)
    codes = random.choice(np.setdiff1d(np.arange(-128, 128), [0])[:values], shape).astype(np.int8)
    return np.where(random.random(shape) < density, codes, 0).astype(np.int8)


WEIGHTS = {
    "sparse": sparse(1, (16, 8, 3, 3), 0.1),
    "dense": sparse(2, (16, 8, 3, 3), 1),
    "few values": sparse(3, (64, 32), 0.04, 15),
    "one value": np.where(sparse(4, (9, 9), 0.3) != 0, -128, 0).astype(np.int8),
    "no weight": np.zeros((4, 100), np.int8),
    "last one": np.eye(1, 1000, 999, dtype=np.int8) * 127,
    "single": np.full((1,), 7, np.int8),
    "a gap that fills an index": np.eye(1, 64, 31, dtype=np.int8),
    "a gap one wider": np.eye(1, 64, 32, dtype=np.int8),
}


@pytest.mark.parametrize("index_bits", [1, 5, 8])
@pytest.mark.parametrize("name", WEIGHTS)
def test_what_is_compressed_comes_back(name: str, index_bits: int) -> None:
    weights = WEIGHTS[name]
    found = decompress(compress(weights, index_bits))
    assert found.dtype == np.int8
    assert np.array_equal(found, weights)


@given(
    arrays(np.int8, array_shapes(max_dims=4, max_side=6), elements=st.sampled_from([0, 0, 0, 1, -1, 127, -128])),
    st.integers(1, 8),
)
def test_any_weights_come_back(weights: np.ndarray, index_bits: int) -> None:
    assert np.array_equal(decompress(compress(weights, index_bits)), weights)


@pytest.mark.parametrize("name", WEIGHTS)
def test_sizes_are_those_of_the_streams(name: str) -> None:
    weights = WEIGHTS[name]
    made, told = compress(weights), sizes(weights)
    values = len(made.codebook) + bool(made.index.fillers.any())
    streams = len(made.gaps) + len(made.values)
    assert told.huffman == -(-streams // 8) + 32 + values + len(made.codebook)
    assert told.dense == told.weights == weights.size
    entries = made.index.gaps.size
    assert told.pruned == -(-entries * 13 // 8)


def test_the_index_is_as_in_the_paper() -> None:
    """Deep Compression, figure 2: with 3 bits, the gap of 11 between weights 4 and 15 takes a filler."""
    mask = np.zeros(16, bool)
    mask[[1, 4, 15]] = True
    index = relative_index(mask, 3)
    assert index.gaps.tolist() == [2, 3, 8, 3]
    assert index.fillers.tolist() == [False, False, True, False]
    assert index.places.tolist() == [1, 4, 15]


def one_by_one(mask: np.ndarray, bits: int) -> tuple[list[int], list[bool]]:
    """The index, weight by weight."""
    gaps, fillers, since = [], [], 0
    for stays in mask.ravel():
        since += 1
        if stays:
            while since > 1 << bits:
                gaps.append(1 << bits)
                fillers.append(True)
                since -= 1 << bits
            gaps.append(since)
            fillers.append(False)
            since = 0
    return gaps, fillers


@given(arrays(np.bool_, st.integers(0, 300), elements=st.booleans()), st.integers(1, 6))
def test_the_index_is_that_of_the_definition(mask: np.ndarray, bits: int) -> None:
    index = relative_index(mask, bits)
    assert (index.gaps.tolist(), index.fillers.tolist()) == one_by_one(mask, bits)


@pytest.mark.parametrize("density", [0, 0.01, 0.5, 0.999, 1])
def test_as_many_weights_stay_as_were_asked_for(density: float) -> None:
    magnitudes = np.random.default_rng(5).integers(0, 4, (30, 30))
    mask = kept(magnitudes, density)
    assert np.count_nonzero(mask) == round(density * 900)
    assert not mask.any() or mask.all() or magnitudes[mask].min() >= magnitudes[~mask].max()


def test_of_equal_weights_the_first_stay() -> None:
    assert kept(np.array([[1, 3, 1], [1, 1, 3]]), 4 / 6).tolist() == [[True, True, True], [False, False, True]]
    assert kept(np.array([2, 2, 2, 2]), 0.5).tolist() == [True, True, False, False]


def test_shared_codes_are_the_best_ones() -> None:
    """Against all cuttings of the distinct codes into stretches."""
    random = np.random.default_rng(6)
    for count in (1, 2, 3, 4):
        codes = random.choice(random.integers(-128, 128, 9), 40).astype(np.int8)
        importance = random.random(40) + 0.01
        shared = shared_codes(codes, importance, count)
        assert len(shared.codebook) <= count
        assert (np.diff(shared.codebook.astype(int)) > 0).all()
        error = float((importance * (codes - shared.codebook[shared.labels].astype(float)) ** 2).sum())
        assert error == pytest.approx(least_error(codes, importance, count))


def least_error(codes: np.ndarray, importance: np.ndarray, count: int) -> float:
    points = np.unique(codes).astype(int)
    best = np.inf
    for cuts in itertools.combinations(range(1, len(points)), min(count, len(points)) - 1):
        error = 0.0
        for stretch in np.split(points, cuts):
            among = np.isin(codes, stretch)
            errors = [(importance * (codes - float(c)) ** 2)[among].sum() for c in range(stretch[0], stretch[-1] + 1)]
            error += min(errors)
        best = min(best, error)
    return best


def test_codes_that_are_few_already_stay() -> None:
    codes = np.array([-128, 5, 127, 5], np.int8)
    shared = shared_codes(codes, np.ones(4), 3)
    assert np.array_equal(shared.codebook[shared.labels], codes)


def test_a_codebook_of_all_codes_changes_nothing() -> None:
    codes = np.arange(-128, 128).astype(np.int8)
    for count in (255, 256):
        shared = shared_codes(codes, np.ones(256), count)
        error = np.abs(shared.codebook[shared.labels].astype(int) - codes)
        assert error.max() <= 256 - count


def test_real_values_settle_where_lloyd_does() -> None:
    """Each value goes to the nearest centre, and each centre lies in the middle of its values."""
    values = np.random.default_rng(7).normal(size=4000)
    shared = shared_values(values, 8, iterations=1000)
    nearest = np.abs(values[:, None] - shared.codebook).argmin(axis=1)
    assert np.array_equal(nearest, shared.labels)
    for label, centre in enumerate(shared.codebook):
        assert values[shared.labels == label].mean() == pytest.approx(centre)


def test_the_first_centres_lie_evenly() -> None:
    shared = shared_values(np.array([0.0, 1, 10]), 3, iterations=0)
    assert shared.codebook.tolist() == [0, 5, 10]


def test_no_prefix_code_is_shorter() -> None:
    """Huffman codes of a dyadic distribution take its entropy exactly; of others, less than a bit more."""
    dyadic = np.repeat([0, 1, 2, 3], [8, 4, 2, 2])
    assert HuffmanCode.of(dyadic).bits(dyadic) == 8 + 2 * 4 + 3 * 4
    stream = np.random.default_rng(8).geometric(0.3, 5000)
    share = np.bincount(stream)[1:] / stream.size
    entropy = -sum(p * np.log2(p) for p in share if p)
    code = HuffmanCode.of(stream)
    assert entropy <= code.bits(stream) / stream.size < entropy + 1
    assert len(code.encoded(stream)) == code.bits(stream)
    # Canonical: among codes of a length, that of the next symbol is one more; no code begins with another.
    codes = [code.codes[symbol].to01() for symbol in code.symbols]
    assert sorted(codes) == codes
    assert [len(text) for text in codes] == sorted(map(len, codes))
    assert not any(b.startswith(a) for a, b in itertools.pairwise(codes))
