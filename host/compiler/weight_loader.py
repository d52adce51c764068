"""Emits the LOADs that bring weights, parameters and tables into their buffers, no more often than needed."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from wingrid.host.compiler.blocking import Blocking, Box
from wingrid.host.compiler.coded_weights import CodedWeights
from wingrid.host.compiler.memory_map import MemoryMap
from wingrid.host.compiler.residency import Allocation, Residency
from wingrid.host.compiler.synchronise import Schedule
from wingrid.hw.config import TABLE_ENTRIES, AcceleratorConfig
from wingrid.hw.isa import PARAMETER_BYTES, Buffer, Load
from wingrid.hw.winograd_matrices import KERNEL


def linear_load(buffer: Buffer, source: int, beats: int, destination: int) -> Load:
    """A LOAD of one contiguous run to consecutive entries."""
    return Load(buffer=buffer.value, source=source, run_beats=beats, destination=destination, row_beats=beats)


class WeightLoader:
    """Keeps pieces of weights in the weight buffer, behind the tables of their code if they are compressed."""

    def __init__(
        self,
        schedule: Schedule,
        blocking: Blocking,
        config: AcceleratorConfig,
        memory: MemoryMap,
        coded: CodedWeights | None = None,
    ) -> None:
        self._starts = coded.starts.tolist() if coded else None
        self._tables = config.code_entries if coded else 0
        self._tables_loaded = False
        self._schedule, self._memory = schedule, memory
        self._residency = Residency(config.weight_buffer)
        self._rows, self.ring = config.rows, self._residency.ring
        self.tiles = functools.cache(blocking.weight_tiles)
        """Weight tiles of a box."""
        self._origins = blocking.tile_origins
        self.offset = functools.cache(blocking.tile_offset)
        """Weight tiles from the first one of input block 0 to the first one of a box."""

    def request(self, output_block: int, piece: Box) -> WeightPiece:
        """The piece's place in the buffer; ``WeightPiece.request`` loads it, part by part."""
        first = self._first_tile(output_block, piece)
        entries = self.entry(first + self.tiles(piece)) - self.entry(first)
        return WeightPiece(self, first, piece, self._residency.request(first, entries))

    def entry(self, tile: int) -> int:
        """Where a weight tile begins, in entries from the first one's."""
        return self._starts[tile // KERNEL**2] if self._starts else tile * self._rows

    def resident(self, output_block: int, piece: Box) -> bool:
        """Whether all weights of the piece are in the buffer."""
        return self._residency.resident(self._first_tile(output_block, piece))

    def load(self, region: Allocation, first: int, end: int) -> None:
        """Bring the region's weight tiles up to ``end``, which lie in memory from tile ``first`` on."""
        bus = self._memory.bus_bytes
        if self._tables and not self._tables_loaded:
            # They have come when weights have that are loaded behind them.
            self._schedule.add(linear_load(Buffer.CODES, self._memory.weights, self._tables, 0))
            self._tables_loaded = True
        begin, start = self.entry(first), self.entry(first + region.loaded)
        source = self._memory.weights + (self._tables + start) * bus
        destination = self.ring.address(region.position + start - begin)
        load = linear_load(Buffer.WEIGHTS, source, self.entry(first + end) - start, destination)
        region.record(end, self._schedule.add(load, region.evicted_user))

    def _first_tile(self, output_block: int, piece: Box) -> int:
        """Index in memory of the first weight tile of a piece, which tells pieces apart."""
        return self._origins[output_block] + self.offset(piece)


@dataclass(slots=True)
class WeightPiece:
    """Weights that are kept together; ``first`` is the index in memory of the first weight tile."""

    loader: WeightLoader
    first: int
    piece: Box
    region: Allocation

    def request(self, part: Box) -> tuple[int, int]:
        """Entry where the weights of ``part`` begin, and the LOAD that brings the last of them.

        Parts are asked for in the order of memory.
        """
        loader, region = self.loader, self.region
        offset = 0 if part is self.piece else loader.offset(part) - loader.offset(self.piece)
        end = offset + loader.tiles(part)
        if region.loaded < end:
            loader.load(region, self.first, end)
        begin = loader.entry(self.first + offset) - loader.entry(self.first)
        return loader.ring.address(region.position + begin), region.loader(end)

    def use(self, user: int) -> None:
        """Note that EXECUTE ``user`` reads the piece."""
        self.loader.ring.use(self.region.position, self.region.entries, user)


class BlockLoader:
    """Keeps something of runs of output blocks, parameters or tables, in a buffer with room for ``capacity`` blocks."""

    def __init__(
        self, schedule: Schedule, buffer: Buffer, source: int, blocks: int, capacity: int, block_beats: int, bus: int
    ) -> None:
        self._schedule, self._buffer, self._source, self._blocks = schedule, buffer, source, blocks
        self._beats, self._bus = block_beats, bus
        self._residency = Residency(capacity)
        self._run = blocks if blocks <= capacity else capacity // 2

    def request(self, output_block: int) -> tuple[int, int]:
        """Block of the buffer that holds what is the output block's, and the LOAD that brings it."""
        region, start = self._region(output_block)
        if not region.loaded:
            source = self._source + start * self._beats * self._bus
            destination = self._residency.ring.address(region.position) * self._beats
            load = linear_load(self._buffer, source, region.entries * self._beats, destination)
            region.record(region.entries, self._schedule.add(load, region.evicted_user))
        return self._residency.ring.address(region.position + output_block - start), region.loader(region.entries)

    def use(self, output_block: int, user: int) -> None:
        """Note that STORE ``user`` reads the block, which was just requested."""
        region, start = self._region(output_block)
        self._residency.ring.use(region.position + output_block - start, 1, user)

    def _region(self, output_block: int) -> tuple[Allocation, int]:
        start = output_block // self._run * self._run
        return self._residency.request(start, min(self._run, self._blocks - start)), start


def parameter_loader(
    schedule: Schedule, blocking: Blocking, config: AcceleratorConfig, memory: MemoryMap
) -> BlockLoader:
    """What keeps parameters in their buffer."""
    blocks, capacity = blocking.output_blocks, config.parameter_blocks
    return BlockLoader(
        schedule, Buffer.PARAMETERS, memory.parameters, blocks, capacity, PARAMETER_BYTES, memory.bus_bytes
    )


def table_loader(schedule: Schedule, tables: int, config: AcceleratorConfig, memory: MemoryMap) -> BlockLoader:
    """What keeps a layer's tables, one or more, on chip."""
    return BlockLoader(schedule, Buffer.TABLES, memory.tables, tables, config.tables, TABLE_ENTRIES, memory.bus_bytes)
