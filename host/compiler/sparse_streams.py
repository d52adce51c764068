"""A fully connected layer as streams of its non-zero weights: which layers can be, in which format, at which cost."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wingrid.host.compiler.blocking import Blocking
from wingrid.host.compiler.plan_cost import MEMORY_LATENCY, PlanCost, store_cycles
from wingrid.host.compiler.sparse_encoding import LaneWeights, codebooks, encode_run, run_entries
from wingrid.host.networks.layer import Layer, Operands
from wingrid.hw.config import INSTRUCTION_BYTES, AcceleratorConfig
from wingrid.hw.isa import PARAMETER_BYTES, SPARSE_FORMATS, Execute, SparseFormat, largest

LATER_RUNS = 4
"""Each run but the first has about this fraction of the outputs that are left, so that few are stored at the end."""


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
        if not (config.sparse and fills_rows and plain):
            return None
        blocking = Blocking(shape, config.rows, config.cols)
        run_beats = shape.kernel[0] * shape.width
        found = cls(shape.images * shape.out_height, blocking.input_blocks, run_beats, blocking.output_blocks)
        return found if found.positions <= config.input_buffer else None

    @property
    def positions(self) -> int:
        """Entries of the input buffer that a sample takes."""
        return self.blocks * self.run_beats

    def runs(self, config: AcceleratorConfig) -> list[int]:
        """Output blocks of each run: falling numbers for one sample; single ones, which may stay, for more."""
        if self.samples > 1:
            return [1] * self.outputs
        lengths = []
        left = self.outputs
        while left:
            length = left if left <= LATER_RUNS else left - math.ceil(left / LATER_RUNS)
            lengths.append(min(length, config.accumulators, largest(Execute, "count")))
            left -= lengths[-1]
        return lengths


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
        cut = _cut(lanes, shape.runs(config), config)
        costs: dict[SparseFormat, PlanCost] = {}
        books: dict[SparseFormat, npt.NDArray[np.int8]] = {}
        for choice in forms:
            found = codebooks(lanes, choice)
            if found is not None:
                books[choice] = found
                costs[choice] = _cost(shape, sum(run_entries(run, rows, choice) for rows, run in cut), len(cut), config)
        form = min(costs, key=lambda choice: costs[choice].cost)
        encoded = [encode_run(run, rows, form, books[form]) for rows, run in cut]
        starts = itertools.accumulate((len(entries) for entries in encoded), initial=0)
        firsts = itertools.accumulate((rows // config.cols for rows, _ in cut), initial=0)
        runs = [
            SparseRun(first, rows // config.cols, start, len(entries))
            for first, start, (rows, _), entries in zip(firsts, starts, cut, encoded, strict=False)
        ]
        return cls(shape, form, tuple(runs), np.concatenate(encoded), costs[form])

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


def _cost(shape: SparseShape, entries: int, runs: int, config: AcceleratorConfig) -> PlanCost:
    """About what the layer takes with streams of so many entries."""
    stays = shape.samples > 1 and shape.samples * shape.positions <= config.input_buffer
    pieces = max(runs, math.ceil(entries / piece_limit(config)))
    stores = shape.outputs * shape.samples
    instructions = (pieces * 2 + 1) * shape.samples + stores
    beats = entries * (1 if stays else shape.samples) + shape.samples * shape.positions
    beats += shape.outputs * PARAMETER_BYTES + stores + instructions * max(1, INSTRUCTION_BYTES // config.bus_bytes)
    cycles = max(entries * shape.samples, beats, stores * store_cycles(config, 0))
    return PlanCost(cycles + shape.positions + 3 * MEMORY_LATENCY, beats, instructions)


def piece_limit(config: AcceleratorConfig) -> int:
    """Most entries of an EXECUTE, so that others arrive while it works, and results leave in between."""
    return max(config.weight_buffer // 6, 1)
