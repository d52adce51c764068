"""Lower bounds on what networks take in cycles, bytes and energy, of many accelerators at once and without compiling.

Every bound is of the plans that the compiler can make (``wingrid.host.compiler.tiler``), whichever of them it takes, on
the exact timing model. It counts what no plan avoids: vectors and weight tiles through the mesh, accumulators that are
drained, and beats on the bus, with what small buffers have to load again.
"""

from __future__ import annotations

import functools
import math
import operator
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from wingrid.host.compiler.algorithms import possible_unfoldings
from wingrid.host.compiler.blocking import Blocking
from wingrid.host.compiler.cutting import Cutting
from wingrid.host.compiler.stacking import Stacking
from wingrid.host.execution.measurement import Activity, Measurement
from wingrid.host.fitting.designs import Designs
from wingrid.host.networks.layer import Convolution, Layer, LayerError, Lookup, Pool, output_size
from wingrid.host.reports.energy import layer_energy
from wingrid.hw.config import INSTRUCTION_BYTES
from wingrid.hw.isa import PARAMETER_BYTES
from wingrid.hw.winograd_matrices import KERNEL
from wingrid.sim.memory import MemoryTiming

Floats = npt.NDArray[np.float64]

ROUNDING = 1 - 1e-9
"""Sums of floats in another order differ by less; a bound stays below all the same."""


@dataclass(frozen=True)
class Least:
    """What a network takes at least, of each design; infinite where it cannot run."""

    cycles: Floats
    dram_bytes: Floats
    microjoules: Floats
    unbuffered: Floats
    """Microjoules of products and DRAM alone: grows with no buffer."""

    def __add__(self, other: Least) -> Least:
        return Least(*map(operator.add, self._figures, other._figures))

    def times(self, count: int) -> Least:
        """Of so many layers that are alike."""
        return Least(*(count * figure for figure in self._figures))

    def or_less(self, other: Least) -> Least:
        """What is taken at least if it is not known which of two ways is gone."""
        return Least(*map(np.minimum, self._figures, other._figures))

    @property
    def _figures(self) -> tuple[Floats, ...]:
        return self.cycles, self.dram_bytes, self.microjoules, self.unbuffered


def least(layers: Sequence[Layer], designs: Designs, timing: MemoryTiming) -> Least:
    """What the layers, one after the other, take at least on each of the designs, which are legal."""
    total = _everywhere(0, designs)
    alike = Counter(map(_kind, layers))
    any_of = {_kind(layer): layer for layer in layers}
    for kind, count in alike.items():
        total += _layer(any_of[kind], designs, timing).times(count)
    return Least(total.cycles, total.dram_bytes, total.microjoules * ROUNDING, total.unbuffered * ROUNDING)


def _kind(layer: Layer) -> tuple[object, ...]:
    """What layers that take the same have in common."""
    stackable = layer.alike and layer.lookup is not Lookup.CHANNEL and not (layer.combination or layer.surface)
    return layer.shape, layer.pool, layer.prepared, stackable


def _everywhere(figure: float, designs: Designs) -> Least:
    return Least(*np.full((4, len(designs)), figure))


def _layer(layer: Layer, designs: Designs, timing: MemoryTiming) -> Least:
    """The least of all ways to compute a layer, each figure by itself: who knows which the compiler takes."""
    if designs.mesh.sparse and layer.shape.out_width == 1:
        # What sparse lanes take is in the weights alone, which nobody has looked at.
        return _everywhere(0, designs)
    found = _everywhere(np.inf, designs)
    stacking = Stacking.of(layer, designs.largest)
    if stacking:
        found = found.or_less(_way(Blocking.of(stacking.stacked, designs.largest, alike_rows=True), designs, timing))
    for shape in _shapes(layer, designs):
        suited = designs.mesh.tiles if Blocking.suits_winograd(shape, layer.pool) else ()
        for tile in (0, *suited):
            try:
                blocking = Blocking.of(shape, designs.largest, tile, layer.pool)
            except LayerError:
                continue
            found = found.or_less(_way(blocking, designs, timing))
    return found


def _shapes(layer: Layer, designs: Designs) -> Iterator[Convolution]:
    """The layer as it is, and unfolded in all ways that are possible, each cut where it is too large."""
    unfolded = (unfolding.unfolded for unfolding in possible_unfoldings(layer, designs.largest))
    for shape in (layer.shape, *unfolded):
        try:
            cutting = Cutting.of(shape, layer.pool)
        except LayerError:
            continue
        yield cutting.cut if cutting else shape


def _way(blocking: Blocking, designs: Designs, timing: MemoryTiming) -> Least:
    """Of a layer that falls into these blocks."""
    rows, bus, shape, tile = designs.rows, designs.bus_bytes, blocking.shape, blocking.tile
    pool = blocking.gathered
    held = designs.accumulators // blocking.positions
    vectors = math.prod(_under(pool, count) for count in blocking.grid)
    # A group's sums are in one bank of accumulators, and an image's groups are its own.
    groups = shape.images * -(-vectors // np.maximum(held, 1))
    vectors *= shape.images
    pooled = shape.images * math.prod(blocking.output_size)
    drained = blocking.output_blocks * (pooled * pool.side**2 if pool else vectors * blocking.positions)
    stores = blocking.output_blocks * groups

    tiles = blocking.first_tile[-1]
    # What compressed ones take is in the weights alone, which nobody has looked at.
    weights = 0 if tile and designs.mesh.decoders else tiles * rows
    pixels = shape.images * blocking.input_blocks * math.prod(_touched(shape, blocking.pool))
    smallest = rows * (KERNEL**2 if tile else 1)
    pieces = -(-weights // np.maximum(designs.weight_buffer // 3, smallest))
    executes = groups * np.maximum(pieces, blocking.output_blocks)
    moved = {
        "instructions": (executes + stores) * INSTRUCTION_BYTES,
        "weights": np.full(len(designs), weights * bus),
        "activations": np.full(len(designs), pixels * bus),
        "parameters": np.full(len(designs), blocking.output_blocks * PARAMETER_BYTES * bus),
        "again": _again(weights, pixels, groups, designs) * bus if shape.groups == 1 else np.zeros(len(designs)),
        "results": np.full(len(designs), blocking.output_blocks * pooled * bus),
    }
    computing = np.maximum(blocking.taps * np.maximum(vectors, groups * rows), drained + stores * PARAMETER_BYTES)
    # The first instruction has to come, and then what it loads, before anything can be computed.
    cycles = np.maximum(computing + 2 * timing.latency, _bus_cycles(moved, designs, timing) + timing.latency)

    activity: Any = Activity(
        vectors=blocking.taps * vectors,
        transformed=blocking.taps * vectors if tile else 0,
        weight_tiles=blocking.taps * groups,
        raw_tiles=tiles * groups,
        drained=drained,
        stores=stores,
    )
    measurement = Measurement(cycles, activity.vectors, {}, moved)
    energy = layer_energy(activity, measurement, tile, designs)
    # The two raw kernels that an EXECUTE of a Winograd tile takes at least; a vector's positions.
    cannot = (held < 1) | ((2 * smallest > designs.weight_buffer) if tile else False)
    figures = (cycles, measurement.dram_bytes, energy.total / 1e6, (energy.multiply_add + energy.dram) / 1e6)
    return Least(*(np.where(cannot, np.inf, figure) for figure in figures))


def _bus_cycles(moved: dict[str, Any], designs: Designs, timing: MemoryTiming) -> Any:  # noqa: ANN401 (arrays)
    """Cycles in which the bus, or the bridge before it, is in use."""
    written = moved["results"]
    read = sum(moved.values()) - written
    bridge = timing.bridge
    if bridge is None:
        return np.ceil((read + written) / timing.bytes_per_cycle)
    # Instructions come in bursts of their own.
    longest = np.maximum(designs.burst_beats, INSTRUCTION_BYTES // designs.bus_bytes)
    reading = _beat_cycles(bridge.read_beat, timing.latency, longest)
    writing = _beat_cycles(bridge.write_beat, timing.write_latency, designs.burst_beats)
    return (read * reading + written * writing) / designs.bus_bytes


def _beat_cycles(beat: int, latency: int, longest: Any) -> Any:  # noqa: ANN401 (arrays)
    """Cycles of a beat behind a bridge, over bursts that take ``latency`` + 1 cycles for their first one."""
    return np.where(latency + 1 < beat, latency + 1, beat + (latency + 1 - beat) / longest)


def _again(weights: int, pixels: int, groups: Any, designs: Designs) -> Any:  # noqa: ANN401 (arrays)
    """Entries that are loaded again where buffers hold neither all weights nor all pixels.

    The compiler has three ways out: all weights for each group (but for those that are still there), all pixels for
    each pass over output blocks whose weights are held, or all weights for each region whose pixels are held.
    """
    more_weights = np.maximum(weights - designs.weight_buffer, 0)
    more_pixels = np.maximum(pixels - designs.input_buffer, 0)
    passes, regions = weights / designs.weight_buffer, pixels / designs.input_buffer
    by_group = (groups - 1) * more_weights
    by_pass = np.maximum(passes - 1, 0) * more_pixels
    by_region = np.maximum(regions - 1, 0) * more_weights
    return np.floor(np.minimum(np.minimum(by_group, by_pass), by_region))


def _under(pool: Pool | None, count: int) -> int:
    """Outputs along an axis that lie under ``count`` elements of the grid, windows of pooling or outputs themselves."""
    return count if pool is None else (count - 1) * min(pool.stride, pool.side) + pool.side


@functools.lru_cache(maxsize=1024)
def _touched(shape: Convolution, pool: Pool | None) -> tuple[int, int]:
    """Rows and columns of the image that the layer's outputs depend on."""
    found = []
    for axis, outputs in enumerate(output_size(shape, pool)):
        # The outputs that are needed, one or those under each window, then the taps of each.
        side, step = (pool.side, pool.stride) if pool else (1, 1)
        needed = np.add.outer(np.arange(outputs) * step, np.arange(side))
        taps = np.arange(shape.kernel[axis]) * shape.dilation[axis]
        places = np.add.outer(needed * shape.stride[axis], taps) - shape.padding[axis]
        size = (shape.height, shape.width)[axis]
        found.append(int(np.count_nonzero(np.bincount(places[(places >= 0) & (places < size)]))))
    return found[0], found[1]
