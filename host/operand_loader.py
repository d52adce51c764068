"""Emits the LOADs that bring weights and parameters into their buffers, no more often than needed."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from host.blocking import Blocking, Box
from host.memory_map import MemoryMap
from host.residency import Region, Residency
from host.schedule import Schedule
from hw.config import AcceleratorConfig
from hw.isa import PARAMETER_BYTES, Buffer, Load


def linear_load(buffer: Buffer, source: int, beats: int, destination: int) -> Load:
    """A LOAD of one contiguous run to consecutive entries."""
    return Load(buffer=buffer.value, source=source, run_beats=beats, destination=destination, row_beats=beats)


class WeightLoader:
    """Keeps pieces of weights in the weight buffer."""

    def __init__(self, schedule: Schedule, blocking: Blocking, config: AcceleratorConfig, memory: MemoryMap) -> None:
        self.blocking, self.config = blocking, config
        self._schedule, self._memory = schedule, memory
        self._residency = Residency(config.weight_buffer)
        self.ring = self._residency.ring
        self.tiles = functools.cache(blocking.weight_tiles)
        """Weight tiles of a box."""

    def request(self, output_block: int, piece: Box) -> WeightPiece:
        """The piece's place in the buffer; ``WeightPiece.request`` loads it, part by part."""
        entries = self.tiles(piece) * self.config.rows
        return WeightPiece(self, output_block, piece, self._residency.request((output_block, piece), entries))

    def resident(self, output_block: int, piece: Box) -> bool:
        """Whether all weights of the piece are in the buffer."""
        return self._residency.resident((output_block, piece))

    def load(self, region: Region, first_tile: int, end: int) -> None:
        """Bring the region's weight tiles up to ``end``, which lie in memory from tile ``first_tile`` on."""
        start, rows = region.loaded, self.config.rows
        source = self._memory.weights + (first_tile + start) * rows * self._memory.bus_bytes
        destination = self.ring.address(region.position + start * rows)
        load = linear_load(Buffer.WEIGHTS, source, (end - start) * rows, destination)
        region.record(end, self._schedule.add(load, region.evicted_user))

    def tile(self, output_block: int, box: Box) -> int:
        """Index in memory of the first weight tile of a box."""
        height, width = self.blocking.shape.kernel
        block = box.blocks[0] - self.blocking.visited(output_block)[0]
        return self.blocking.first_tile[output_block] + (block * height + box.rows[0]) * width + box.columns[0]


@dataclass(slots=True)
class WeightPiece:
    """Weights that are kept together."""

    loader: WeightLoader
    output_block: int
    piece: Box
    region: Region

    def request(self, part: Box) -> tuple[int, int]:
        """Entry where the weights of ``part`` begin, and the LOAD that brings the last of them.

        Parts are asked for in the order of memory.
        """
        loader, region = self.loader, self.region
        offset, end = 0, loader.tiles(part)
        if part is not self.piece or region.loaded < end:
            first = loader.tile(self.output_block, self.piece)
            if part is not self.piece:
                offset = loader.tile(self.output_block, part) - first
                end += offset
            if region.loaded < end:
                loader.load(region, first, end)
        return loader.ring.address(region.position + offset * loader.config.rows), region.loader(end)

    def use(self, user: int) -> None:
        """Note that EXECUTE ``user`` reads the piece."""
        self.loader.ring.use(self.region.position, self.region.entries, user)


class ParameterLoader:
    """Keeps the parameters of runs of output blocks in the parameter buffer."""

    def __init__(self, schedule: Schedule, blocking: Blocking, config: AcceleratorConfig, memory: MemoryMap) -> None:
        self._schedule, self._blocks, self._memory = schedule, blocking.output_blocks, memory
        self._residency = Residency(config.parameter_blocks)
        fits = self._blocks <= config.parameter_blocks
        self._run = self._blocks if fits else config.parameter_blocks // 2

    def request(self, output_block: int) -> tuple[int, int]:
        """Block of the parameter buffer that holds the output block's parameters, and the LOAD that brings them."""
        region, start = self._region(output_block)
        if not region.loaded:
            source = self._memory.parameters + start * PARAMETER_BYTES * self._memory.bus_bytes
            destination = self._residency.ring.address(region.position) * PARAMETER_BYTES
            load = linear_load(Buffer.PARAMETERS, source, region.entries * PARAMETER_BYTES, destination)
            region.record(region.entries, self._schedule.add(load, region.evicted_user))
        return self._residency.ring.address(region.position + output_block - start), region.loader(region.entries)

    def use(self, output_block: int, user: int) -> None:
        """Note that STORE ``user`` reads the block, which was just requested."""
        region, start = self._region(output_block)
        self._residency.ring.use(region.position + output_block - start, 1, user)

    def _region(self, output_block: int) -> tuple[Region, int]:
        start = output_block // self._run * self._run
        return self._residency.request(start, min(self._run, self._blocks - start)), start
