"""The best code for weights among those that decoders know: lengths from counts, then the tables."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wingrid.hw.config import TABLE_ENTRIES, AcceleratorConfig
from wingrid.hw.isa import CODE_PREFIX_BITS, LONGEST_CODE

PREFIXES = 1 << CODE_PREFIX_BITS


@dataclass(frozen=True)
class SymbolClass:
    """Codes of one length: one of at most a prefix's bits, or all with the same prefix."""

    length: int
    symbols: tuple[int, ...]
    """As bytes, the most frequent first."""

    @property
    def places(self) -> int:
        """Symbols that there could be."""
        return 1 << max(self.length - CODE_PREFIX_BITS, 0)

    @property
    def prefixes(self) -> int:
        """How many begin its codes."""
        return 1 << max(CODE_PREFIX_BITS - self.length, 0)


@dataclass(frozen=True)
class Code:
    """Codes of symbols, and the tables by which lanes decode them (``wingrid.hw.winograd.code_lane``)."""

    lengths: npt.NDArray[np.int64]
    """Bits of each byte's code, 0 for those that never come."""
    codes: npt.NDArray[np.int64]
    """Its first bit is the lowest one."""
    symbols: npt.NDArray[np.uint8]
    """By place."""
    first: npt.NDArray[np.uint8]
    """Of each prefix, the place of its first symbol."""
    length: npt.NDArray[np.uint8]
    """Of each prefix, the length of its codes."""

    @classmethod
    def of(cls, counts: npt.NDArray[np.int64]) -> Code:
        """The code with which symbols, of which there are so many of each byte, take the fewest bits."""
        classes = symbol_classes(counts)
        lengths, codes = np.zeros((2, TABLE_ENTRIES), np.int64)
        symbols = np.zeros(TABLE_ENTRIES, np.uint8)
        first, length = np.zeros(PREFIXES, np.uint8), np.ones(PREFIXES, np.uint8)
        # The largest first: a place's lowest bits number the symbols of a class, a prefix's highest ones its prefixes.
        place = dict(zip(*_packed(classes, [one.places for one in classes]), strict=True))
        for number, start in zip(*_packed(classes, [one.prefixes for one in classes]), strict=True):
            one = classes[number]
            own = [_reversed(start + step) for step in range(one.prefixes)]
            first[own], length[own] = place[number], one.length
            for position, symbol in enumerate(one.symbols):
                lengths[symbol] = one.length
                codes[symbol] = min(own) | position << CODE_PREFIX_BITS
                symbols[place[number] + position] = symbol
        return cls(lengths, codes, symbols, first, length)

    def tables(self, config: AcceleratorConfig) -> npt.NDArray[np.uint8]:
        """As they lie in memory: [code_entries, bus_bytes]."""
        beats = np.zeros((config.code_entries, config.bus_bytes), np.uint8)
        beats[:, : config.code_symbols] = self.symbols.reshape(config.code_entries, -1)
        beats[:PREFIXES, config.bus_bytes // 2] = self.first
        beats[:PREFIXES, config.bus_bytes // 2 + 1] = self.length
        return beats


def symbol_classes(counts: npt.NDArray[np.int64]) -> list[SymbolClass]:
    """The classes of least total length, by dynamic programming over symbols coded and prefixes used so far."""
    order = np.argsort(-counts, kind="stable")
    number = max(int((counts > 0).sum()), 1)
    total = np.concatenate([[0], np.cumsum(counts[order])])
    empty = [SymbolClass(length, ()) for length in range(1, LONGEST_CODE + 1)]
    least = np.full((number + 1, PREFIXES + 1), np.inf)
    least[0, 0] = 0
    last = np.zeros((number + 1, PREFIXES + 1, 2), np.int64)
    for coded in range(number):
        for choice, one in enumerate(empty):
            # Places of a class that is not full count as taken, as a table has one for each byte and no more.
            if coded + one.places > TABLE_ENTRIES:
                continue
            end = min(coded + one.places, number)
            cost = least[coded, : PREFIXES + 1 - one.prefixes] + one.length * (total[end] - total[coded])
            better = cost < least[end, one.prefixes :]
            least[end, one.prefixes :][better] = cost[better]
            last[end, one.prefixes :][better] = choice, coded
    classes, coded, used = [], number, int(np.argmin(least[number]))
    while coded:
        choice, begin = (int(value) for value in last[coded, used])
        classes.append(SymbolClass(empty[choice].length, tuple(int(symbol) for symbol in order[begin:coded])))
        coded, used = begin, used - empty[choice].prefixes
    return classes[::-1]


def _packed(classes: list[SymbolClass], sizes: list[int]) -> tuple[list[int], list[int]]:
    """Numbers of classes by falling size, and where each begins if they lie one behind the other."""
    order = sorted(range(len(classes)), key=lambda number: -sizes[number])
    ends = np.cumsum([sizes[number] for number in order])
    return order, [int(end) - sizes[number] for end, number in zip(ends, order, strict=True)]


def _reversed(prefix: int) -> int:
    return int(f"{prefix:0{CODE_PREFIX_BITS}b}"[::-1], 2)
