"""Energy of a layer: multiply-adds, on-chip buffers and DRAM, from cited constants.

The constants are those of a 45 nm process at 0.9 V, from M. Horowitz, "Computing's Energy Problem (and what we can do
about it)", ISSCC 2014: integer operations, and reads of 64 bits from caches of 8 KiB, 32 KiB and 1 MiB. A 32-bit
access to DRAM takes 640 pJ, as S. Han et al. derive from it ("EIE", ISCA 2016, table I).

Widths and sizes in between follow the lines through the cited ones: a multiplication grows with the product of its
operands' widths (0.2 pJ for 8 x 8 bits makes 3.2 pJ for 32 x 32; 3.1 pJ are cited), an addition with its width, and a
buffer's bit with a power of the buffer's size. Winograd's transforms, requantisation, registers, clock and
control are left out: the figures compare designs, and are too rough to design a power supply with.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from wingrid.host.execution.measurement import Activity, Measurement
from wingrid.hw.config import TABLE_ENTRIES
from wingrid.hw.isa import CODE_PREFIX_BITS, CODE_RING, LARGEST_CODEBOOK, LONGEST_CODE, PARAMETER_BYTES
from wingrid.hw.winograd_matrices import element_bits

MULTIPLY_8X8 = 0.2
"""pJ of a multiplication of two int8."""

ADD_32 = 0.1
"""pJ of an addition of 32 bits."""

BUFFER_64 = ((8 << 10, 10.0), (32 << 10, 20.0), (1 << 20, 100.0))
"""Energy of an access to 64 bits, in pJ, by the memory's size in bytes."""

DRAM_32 = 640.0
"""pJ of an access to 32 bits of DRAM."""

CLASS_BITS = (TABLE_ENTRIES - 1).bit_length() + LONGEST_CODE.bit_length()
"""What a decoder is told of the first bits of a code: the place of its first symbol, and its length."""


@dataclass(frozen=True)
class Energy:
    """Energy in pJ, by the parts that take it."""

    multiply_add: float
    buffers: float
    dram: float

    @property
    def total(self) -> float:
        return self.multiply_add + self.buffers + self.dram

    def __add__(self, other: Energy) -> Energy:
        return Energy(self.multiply_add + other.multiply_add, self.buffers + other.buffers, self.dram + other.dram)

    def shared(self, parts: int) -> Energy:
        """An equal part of it."""
        return Energy(self.multiply_add / parts, self.buffers / parts, self.dram / parts)


def multiply_add_energy(tile: int) -> float:
    """pJ of a multiplication and an addition in the domain of a Winograd tile, or of direct convolution for 0."""
    activation, weight, accumulator = element_bits(tile)
    return MULTIPLY_8X8 * activation * weight / 64 + ADD_32 * accumulator / 32


def buffer_bit_energy(size: Any) -> Any:  # noqa: ANN401 (a number or an array)
    """pJ of an access to a bit of a memory of ``size`` bytes: logarithmic lines through the cited sizes."""
    lower, upper = _LINES
    if isinstance(size, np.ndarray):
        return np.where(size <= upper.low, lower.at(size), upper.at(size))
    return (lower if size <= upper.low else upper).at(size)


@dataclass(frozen=True)
class _Line:
    """Energy of an access to a bit from a size on, by a power of the size."""

    low: int
    cheap: float
    slope: float

    def at(self, size: Any) -> Any:  # noqa: ANN401 (a number or an array)
        return self.cheap * (size / self.low) ** self.slope / 64


_LINES = tuple(
    _Line(low, cheap, math.log(dear / cheap) / math.log(high / low))
    for (low, cheap), (high, dear) in itertools.pairwise(BUFFER_64)
)


def layer_energy(activity: Activity, measurement: Measurement, tile: int, config: Any) -> Energy:  # noqa: ANN401
    """What a layer takes. All multipliers count in each busy cycle, whether or not their lanes are in use.

    ``config`` is an ``AcceleratorConfig``, or has its sizes in arrays; then counts may be arrays, and energies are.

    Multipliers are the mesh's for a vector, and one for each sparse lane for an entry of its weights.
    """
    transformed = activity.transformed
    direct = activity.vectors - transformed
    products = direct * multiply_add_energy(0) + transformed * multiply_add_energy(tile)
    return Energy(
        products * config.multipliers + activity.sparse_entries * config.rows * multiply_add_energy(0),
        sum(bits * buffer_bit_energy(size) for size, bits in buffer_traffic(activity, measurement, config).values()),
        measurement.dram_bytes * 8 * DRAM_32 / 32,
    )


def buffer_traffic(
    activity: Activity,
    measurement: Measurement,
    config: Any,  # noqa: ANN401
) -> dict[str, tuple[float, int]]:
    """For each buffer: its size in bytes, and the bits written to it and read from it."""
    moved = measurement.bytes
    pixel, weights = 8 * config.rows, 8 * config.weight_lanes
    parameters = 8 * config.cols
    sums = config.cols * config.accumulator_bits
    vector = config.rows * config.activation_bits

    def loaded(name: str) -> int:
        """Entries that LOADs fill, one with each beat."""
        return moved[name] // config.bus_bytes

    return {
        "inputs": (
            config.input_buffer * pixel / 8,
            (loaded("activations") + activity.vectors + activity.sparse_entries) * pixel,
        ),
        "transformed": (config.accumulators * vector / 8, 2 * activity.transformed * vector),
        "weights": (
            config.weight_buffer * weights / 8,
            (loaded("weights") + activity.raw_tiles * config.rows + activity.sparse_entries + activity.code_entries)
            * weights,
        ),
        "accumulators": (
            config.accumulators * sums / 8,
            (2 * activity.vectors + activity.sparse_vectors + activity.drained) * sums,
        ),
        "parameters": (
            config.parameter_entries * parameters / 8,
            (loaded("parameters") + activity.stores * PARAMETER_BYTES) * parameters,
        ),
        "outputs": (config.output_buffer * config.bus_bytes, 2 * 8 * moved["results"]),
        **_decoder_traffic(activity, config),
        **_lane_traffic(activity, config),
    }


def _decoder_traffic(activity: Activity, config: Any) -> dict[str, tuple[float, int]]:  # noqa: ANN401 (as above)
    """Of all decoders, each of which looks at two words of its ring, a class and a symbol to decode one."""
    if not config.decoders:
        return {}
    word = 8 * config.decoder_columns
    symbols = activity.decoded_tiles * config.multipliers
    # A copy of the ring for either word.
    return {
        "code rings": (CODE_RING * word / 8, 2 * (activity.code_entries * config.decoders + symbols) * word),
        "code classes": (CLASS_BITS << CODE_PREFIX_BITS >> 3, symbols * CLASS_BITS),
        "code symbols": (TABLE_ENTRIES, symbols * 8),
    }


def _lane_traffic(activity: Activity, config: Any) -> dict[str, tuple[float, int]]:  # noqa: ANN401 (as above)
    """Of all sparse lanes, each of which looks up a value for an entry."""
    if not config.sparse:
        return {}
    return {"codebooks": (LARGEST_CODEBOOK, activity.sparse_entries * config.rows * 8)}
