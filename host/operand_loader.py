"""Emits the LOADs that bring weights and parameters into their buffers, no more often than needed."""

from __future__ import annotations

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
        self._schedule, self._blocking, self._config, self._memory = schedule, blocking, config, memory
        self._residency = Residency(config.weight_buffer)

    def request(self, output_block: int, piece: Box, part: Box) -> tuple[int, int]:
        """Entry where the weights of ``part`` begin, and the LOAD that brings the last of them.

        ``piece`` is what is kept together; parts of it are asked for in the order of memory.
        """
        rows = self._config.rows
        region = self._residency.request((output_block, piece), self._blocking.weight_tiles(piece) * rows)
        offset = self._tile(output_block, part) - self._tile(output_block, piece)
        end = offset + self._blocking.weight_tiles(part)
        if region.loaded < end:
            start = region.loaded
            source = self._memory.weights + (self._tile(output_block, piece) + start) * rows * self._memory.bus_bytes
            destination = self._residency.ring.address(region.position + start * rows)
            load = linear_load(Buffer.WEIGHTS, source, (end - start) * rows, destination)
            region.record(end, self._schedule.add(load, region.evicted_user))
        return self._residency.ring.address(region.position + offset * rows), region.loader(end)

    def resident(self, output_block: int, piece: Box) -> bool:
        """Whether all weights of the piece are in the buffer."""
        return self._residency.resident((output_block, piece))

    def use(self, output_block: int, piece: Box, user: int) -> None:
        """Note that EXECUTE ``user`` reads the piece, which was just requested."""
        entries = self._blocking.weight_tiles(piece) * self._config.rows
        region = self._residency.request((output_block, piece), entries)
        self._residency.ring.use(region.position, region.entries, user)

    def _tile(self, output_block: int, box: Box) -> int:
        height, width = self._blocking.shape.kernel
        block = box.blocks[0] - self._blocking.visited(output_block)[0]
        return self._blocking.first_tile[output_block] + (block * height + box.rows[0]) * width + box.columns[0]


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
