"""A fully connected layer as streams of its non-zero weights: which layers can be, in which format, at which cost."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wingrid.host.compiler.blocking import Blocking, balanced
from wingrid.host.compiler.plan_cost import MEMORY_LATENCY, PlanCost, store_cycles
from wingrid.host.compiler.sparse_encoding import LaneWeights, codebooks, encode_run, run_entries
from wingrid.host.networks.layer import Layer, Operands
from wingrid.hw.config import INSTRUCTION_BYTES, AcceleratorConfig
from wingrid.hw.isa import PARAMETER_BYTES, SPARSE_FORMATS, Execute, SparseFormat, largest

LATER_RUNS = 4
"""Each run but the first has about this fraction of the outputs that are left, so that few are stored at the end."""

SHORT_RUNS = (1, 2, 4, 8)
"""Output blocks of runs that may stay in the weight buffer for several samples; in short ones lanes are less alike."""


@dataclass(frozen=True)
class SparseShape:
    """A layer of which each sample, a row of outputs over whole rows of pixels, is a matrix times a vector."""

    samples: int
    """Images, times the rows of outputs of each."""
    blocks: int
    """Input channel blocks."""
    run_beats: int
    """Pixels of a block that a sample reads, which follow each other in memory."""
    outputs: int
    """Output channel blocks."""

    @classmethod
    def of(cls, layer: Layer, config: AcceleratorConfig) -> SparseShape | None:
        """``None`` for a layer that sparse lanes cannot compute, or an accelerator without."""
        shape = layer.shape
        fills_rows = shape.kernel[1] == shape.width and shape.out_width == 1
        plain = shape.groups == 1 and shape.dilation == (1, 1) and not any(shape.padding) and layer.pool is None
        if not (config.sparse and fills_rows and plain and layer.combination is None):
            return None
        blocking = Blocking(shape, config.rows, config.cols)
        run_beats = shape.kernel[0] * shape.width
        found = cls(shape.images * shape.out_height, blocking.input_blocks, run_beats, blocking.output_blocks)
        return found if found.positions <= config.input_buffer else None

    @property
    def positions(self) -> int:
        """Entries of the input buffer that a sample takes."""
        return self.blocks * self.run_beats

    def run_choices(self, config: AcceleratorConfig) -> list[list[int]]:
        """Output blocks of each run: falling numbers, or, for several samples, few that may stay for all of them."""
        most = min(config.accumulators, largest(Execute, "count"))
        falling = []
        left = self.outputs
        while left:
            length = left if left <= LATER_RUNS else left - math.ceil(left / LATER_RUNS)
            falling.append(min(length, most))
            left -= falling[-1]
        sizes = {min(size, most, self.outputs) for size in SHORT_RUNS} if self.samples > 1 else set()
        equal = [[stop - start for start, stop in balanced(self.outputs, -(-self.outputs // size))] for size in sizes]
        return [falling, *equal]


@dataclass(frozen=True)
class SparseRun:
    """Streams that begin and end together."""

    first: int
    """Output block that it begins with."""
    blocks: int
    start: int
    """Entry of all runs' where it begins."""
    entries: int


@dataclass(frozen=True)
class SparseStreams:
    """A layer's weights as lanes take them."""

    shape: SparseShape
    form: SparseFormat
    runs: tuple[SparseRun, ...]
    entries: npt.NDArray[np.uint8]
    """[entries of all runs, lanes]"""
    cost: PlanCost

    @classmethod
    def cheapest(
        cls,
        layer: Layer,
        operands: Operands,
        config: AcceleratorConfig,
        forms: Sequence[SparseFormat] = SPARSE_FORMATS,
    ) -> SparseStreams:
        """In the format of least cost with these weights, of a layer that has a ``SparseShape``."""
        shape = SparseShape.of(layer, config)
        assert shape is not None, "the layer has a sparse shape"
        lanes = lane_weights(operands.weights, config)
        books = {form: book for form in forms if (book := codebooks(lanes, form)) is not None}
        ways = [
            (_cost(shape, [run_entries(run, rows, form) for rows, run in cut], config), form, cut)
            for cut in (_cut(lanes, lengths, config) for lengths in shape.run_choices(config))
            for form in books
        ]
        cost, form, cut = min(ways, key=lambda way: way[0].cost)
        encoded = [encode_run(run, rows, form, books[form]) for rows, run in cut]
        starts = itertools.accumulate((len(entries) for entries in encoded), initial=0)
        firsts = itertools.accumulate((rows // config.cols for rows, _ in cut), initial=0)
        runs = [
            SparseRun(first, rows // config.cols, start, len(entries))
            for first, start, (rows, _), entries in zip(firsts, starts, cut, encoded, strict=False)
        ]
        return cls(shape, form, tuple(runs), np.concatenate(encoded), cost)

    def packed(self, config: AcceleratorConfig) -> npt.NDArray[np.uint8]:
        """The streams as they lie in memory: a beat of the bus for each entry."""
        beats = np.zeros((len(self.entries), config.bus_bytes), np.uint8)
        beats[:, : config.rows] = self.entries
        return beats.reshape(-1)

    def bytes(self, config: AcceleratorConfig) -> int:
        """Bytes that ``packed`` takes."""
        return len(self.entries) * config.bus_bytes


def lane_weights(weights: npt.NDArray[np.int8], config: AcceleratorConfig) -> list[LaneWeights]:
    """What each lane meets of weights [K, C, kh, kw]: every ``rows``-th channel, block by block, pixel by pixel."""
    return [LaneWeights.of(weights[:, lane :: config.rows].reshape(len(weights), -1)) for lane in range(config.rows)]


def _cut(
    lanes: list[LaneWeights], lengths: Iterable[int], config: AcceleratorConfig
) -> list[tuple[int, list[LaneWeights]]]:
    """Rows of each run, and each lane's weights in it."""
    edges = list(itertools.accumulate((length * config.cols for length in lengths), initial=0))
    return [(stop - start, [lane.within(start, stop) for lane in lanes]) for start, stop in itertools.pairwise(edges)]


def _cost(shape: SparseShape, runs: list[int], config: AcceleratorConfig) -> PlanCost:
    """About what the layer takes with runs of so many entries."""
    entries = sum(runs)
    held = shape.samples * shape.positions <= config.input_buffer
    stay = 2 * max(runs) <= config.weight_buffer
    pieces = sum(math.ceil(run / piece_limit(config)) for run in runs)
    stores = shape.outputs * shape.samples
    instructions = pieces * (shape.samples + (1 if stay else shape.samples)) + shape.samples + stores
    beats = entries * (1 if stay else shape.samples)
    beats += shape.samples * shape.positions * (1 if held else len(runs))
    beats += shape.outputs * PARAMETER_BYTES + stores + instructions * max(1, INSTRUCTION_BYTES // config.bus_bytes)
    cycles = max(entries * shape.samples, beats, stores * store_cycles(config, 0))
    return PlanCost(cycles + shape.positions + 3 * MEMORY_LATENCY, beats, instructions)


def piece_limit(config: AcceleratorConfig) -> int:
    """Most entries of an EXECUTE, so that others arrive while it works, and results leave in between."""
    return max(config.weight_buffer // 6, 1)
