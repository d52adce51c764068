"""Lower bounds on what networks take in cycles, bytes and energy, of many accelerators at once and without compiling.

Every bound is of the plans that the compiler can make (``wingrid.host.compiler.tiler``), whichever of them it takes, on
the exact timing model. It counts what no plan avoids: vectors and weight tiles through the mesh, accumulators that are
drained, and beats on the bus, with what small buffers have to load again.
"""

from __future__ import annotations

import contextlib
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
    ways: dict[int, list[tuple[int, Blocking]]] = {}
    for number, kind in enumerate(alike):
        for blocking in _blockings(any_of[kind], designs):
            ways.setdefault(blocking.tile, []).append((number, blocking))
    # All ways of an algorithm at once: what numpy takes to begin is more than what it takes to count 64 designs.
    found = [(number, row) for of_tile in ways.values() for number, row in _of_ways(of_tile, designs, timing)]
    for number, (kind, count) in enumerate(alike.items()):
        if designs.mesh.sparse and any_of[kind].shape.out_width == 1:
            # What sparse lanes take is in the weights alone, which nobody has looked at.
            continue
        # Each figure by itself is the least of all ways: who knows which the compiler takes.
        best = _everywhere(np.inf, designs)
        for of_kind, way in found:
            best = best.or_less(way) if of_kind == number else best
        total += best.times(count)
    return Least(total.cycles, total.dram_bytes, total.microjoules * ROUNDING, total.unbuffered * ROUNDING)


def _kind(layer: Layer) -> tuple[object, ...]:
    """What layers that take the same have in common."""
    stackable = layer.alike and layer.lookup is not Lookup.CHANNEL and not (layer.combination or layer.surface)
    return layer.shape, layer.pool, layer.prepared, stackable


def _everywhere(figure: float, designs: Designs) -> Least:
    return Least(*np.full((4, len(designs)), figure))


def _blockings(layer: Layer, designs: Designs) -> Iterator[Blocking]:
    """All ways to cut a layer into blocks: of each shape that it may take, by each algorithm."""
    stacking = Stacking.of(layer, designs.largest)
    if stacking:
        yield Blocking.of(stacking.stacked, designs.largest, alike_rows=True)
    for shape in _shapes(layer, designs):
        suited = designs.mesh.tiles if Blocking.suits_winograd(shape, layer.pool) else ()
        for tile in (0, *suited):
            with contextlib.suppress(LayerError):
                yield Blocking.of(shape, designs.largest, tile, layer.pool)


def _shapes(layer: Layer, designs: Designs) -> Iterator[Convolution]:
    """The layer as it is, and unfolded in all ways that are possible, each cut where it is too large."""
    unfolded = (unfolding.unfolded for unfolding in possible_unfoldings(layer, designs.largest))
    for shape in (layer.shape, *unfolded):
        try:
            cutting = Cutting.of(shape, layer.pool)
        except LayerError:
            continue
        yield cutting.cut if cutting else shape


def _of_ways(
    ways: Sequence[tuple[int, Blocking]], designs: Designs, timing: MemoryTiming
) -> Iterator[tuple[int, Least]]:
    """Of layers that fall into these blocks, all of one algorithm; the numbers are handed through.

    Arrays are [ways, designs]; what is the same on all designs is [ways, 1].
    """
    tile = ways[0][1].tile
    positions = ways[0][1].positions
    counted = np.array([_counted(blocking) for _, blocking in ways], np.int64).T[:, :, None]
    vectors, images, pooled, window, output_blocks, tiles, taps, pixels, dense = counted
    rows, bus = designs.rows, designs.bus_bytes
    held = designs.accumulators // positions
    # A group's sums are in one bank of accumulators, and an image's groups are its own.
    groups = images * -(-vectors // np.maximum(held, 1))
    vectors = vectors * images
    drained = output_blocks * np.where(window, pooled * window, vectors * positions)
    stores = output_blocks * groups

    # What compressed ones take is in the weights alone, which nobody has looked at.
    weights = 0 if tile and designs.mesh.decoders else tiles * rows
    smallest = rows * (KERNEL**2 if tile else 1)
    pieces = -(-weights // np.maximum(designs.weight_buffer // 3, smallest))
    executes = groups * np.maximum(pieces, output_blocks)
    moved: dict[str, Any] = {
        "instructions": (executes + stores) * INSTRUCTION_BYTES,
        "weights": weights * bus,
        "activations": pixels * bus,
        "parameters": output_blocks * PARAMETER_BYTES * bus,
        "again": _again(weights, pixels, groups, designs) * bus * dense,
        "results": output_blocks * pooled * bus,
    }
    computing = np.maximum(taps * np.maximum(vectors, groups * rows), drained + stores * PARAMETER_BYTES)
    # The first instruction has to come, and then what it loads, before anything can be computed.
    cycles = np.maximum(computing + 2 * timing.latency, _bus_cycles(moved, designs, timing) + timing.latency)

    activity: Any = Activity(
        vectors=taps * vectors,
        transformed=taps * vectors if tile else 0,
        weight_tiles=taps * groups,
        # Of compressed ones nobody knows how many entries are read, either.
        raw_tiles=0 if tile and designs.mesh.decoders else tiles * groups,
        drained=drained,
        stores=stores,
    )
    measurement: Any = Measurement(cycles, activity.vectors, {}, moved)
    energy = layer_energy(activity, measurement, tile, designs)
    # The two raw kernels that an EXECUTE of a Winograd tile takes at least; a vector's positions.
    cannot = (held < 1) | ((2 * smallest > designs.weight_buffer) if tile else False)
    figures = (cycles, measurement.dram_bytes, energy.total / 1e6, (energy.multiply_add + energy.dram) / 1e6)
    by_way = np.where(cannot, np.inf, np.broadcast_arrays(*figures)).swapaxes(0, 1)
    for (number, _), of_way in zip(ways, by_way, strict=True):
        yield number, Least(*of_way)


def _counted(blocking: Blocking) -> tuple[int, ...]:
    """What is the same on all designs, in the order in which ``_of_ways`` takes it."""
    shape, pool = blocking.shape, blocking.gathered
    return (
        math.prod(_under(pool, count) for count in blocking.grid),
        shape.images,
        shape.images * math.prod(blocking.output_size),
        pool.side**2 if pool else 0,
        blocking.output_blocks,
        blocking.first_tile[-1],
        blocking.taps,
        shape.images * blocking.input_blocks * math.prod(_touched(shape, blocking.pool)),
        int(shape.groups == 1),
    )


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


def _again(weights: Any, pixels: Any, groups: Any, designs: Designs) -> Any:  # noqa: ANN401 (arrays)
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
