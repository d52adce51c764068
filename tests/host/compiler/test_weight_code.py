"""Codes are the shortest of their kind, and no code begins another one."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
import pytest

from wingrid.host.compiler.weight_code import Code, symbol_classes
from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.isa import CODE_PREFIX_BITS, LONGEST_CODE


def laplace(scale: float) -> npt.NDArray[np.int64]:
    values = np.clip(np.rint(np.random.default_rng(5).laplace(0, scale, 100_000)), -127, 127).astype(np.int8)
    return np.bincount(values.view(np.uint8), minlength=256)


COUNTS = {
    "nothing": np.zeros(256, np.int64),
    "zeros": np.eye(256, dtype=np.int64)[0] * 9,
    "all alike": np.ones(256, np.int64),
    "narrow": laplace(1),
    "usual": laplace(20),
    "wide": laplace(200),
    "powers": 1 << (np.arange(256) % 40),
}


@pytest.mark.parametrize("name", COUNTS)
def test_no_code_begins_another_one_and_tables_tell_all(name: str) -> None:
    counts, config = COUNTS[name], AcceleratorConfig(decoders=4)
    code = Code.of(counts)
    assert (code.lengths[counts > 0] > 0).all()
    assert code.lengths.max() <= LONGEST_CODE
    used = np.flatnonzero(counts)
    texts = sorted(f"{code.codes[symbol]:0{LONGEST_CODE}b}"[::-1][: code.lengths[symbol]] for symbol in used)
    assert not any(after.startswith(before) for before, after in itertools.pairwise(texts))
    beats = code.tables(config)
    assert beats.shape == (config.code_entries, config.bus_bytes)
    for symbol in used:
        prefix = code.codes[symbol] % (1 << CODE_PREFIX_BITS)
        assert code.length[prefix] == code.lengths[symbol]
        assert code.symbols[code.first[prefix] + (code.codes[symbol] >> CODE_PREFIX_BITS)] == symbol
    assert np.array_equal(beats[:, : config.code_symbols].reshape(-1), code.symbols)


def test_codes_are_nearly_as_short_as_any_can_be() -> None:
    for name, most in (("narrow", 0.12), ("usual", 0.08), ("wide", 0.08)):
        counts = COUNTS[name]
        share = counts[counts > 0] / counts.sum()
        entropy = -(share * np.log2(share)).sum()
        assert entropy <= (counts * Code.of(counts).lengths).sum() / counts.sum() < entropy + most, name
    assert (Code.of(COUNTS["all alike"]).lengths == 8).all()


def test_classes_are_the_best_of_all_that_fit() -> None:
    counts = np.zeros(256, np.int64)
    counts[[3, 1, 4, 15]] = 50, 30, 15, 5
    # As in Huffman's code: 1, 2, 3 and 3 bits.
    classes = symbol_classes(counts)
    assert sum(one.length * int(counts[list(one.symbols)].sum()) for one in classes) == 50 + 60 + 45 + 15
