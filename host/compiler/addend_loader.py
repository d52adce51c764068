"""Emits the LOADs that bring what a group's results are combined with, in the order in which a STORE meets it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from wingrid.host.compiler.blocking import Blocking
from wingrid.host.compiler.group_geometry import Group, StoredPart
from wingrid.host.compiler.memory_map import MemoryMap
from wingrid.host.compiler.residency import Allocation, Ring
from wingrid.host.compiler.synchronise import Schedule
from wingrid.host.compiler.weight_loader import BlockLoader
from wingrid.host.networks.layer import Layer
from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.isa import Buffer, Load
from wingrid.hw.winograd_matrices import winograd


def within_addends(layer: Layer, config: AcceleratorConfig) -> AcceleratorConfig:
    """The accelerator with as many accumulators as let the addend buffer hold two groups, or one of two tiles.

    A group has an addend for each accumulator at most. While one is used the next arrives. A layer with one for all
    pixels, or with none, may use all accumulators.
    """
    if layer.combination is None or layer.combination.broadcast:
        return config
    least = 2 * winograd(config.winograd).patch ** 2 if config.winograd else 0
    return dataclasses.replace(config, accumulators=min(config.accumulators, max(config.addends // 2, least)))


class AddendLoader:
    """Brings each group's addends into their buffer, which is a ring; none of them serves twice.

    Results leave square by square: a pixel of direct convolution, a Winograd tile or a pooling window, pixel after
    pixel, row by row. Its addends fill side * side entries in that order; of a tile that overhangs the image some are
    never filled, as what is added there is dropped.
    """

    def __init__(self, schedule: Schedule, blocking: Blocking, config: AcceleratorConfig, memory: MemoryMap) -> None:
        self._schedule, self._blocking, self._memory = schedule, blocking, memory
        self._ring = Ring(config.addends)
        self._last: Allocation | None = None
        gathered = blocking.gathered
        self._side = blocking.tile or (gathered.side if gathered else 1)

    def load(self, group: Group, part: StoredPart, block: int) -> tuple[int, int]:
        """Entry of a STORE's first addend, and the LOAD that brings the last of them."""
        shape, bus = self._blocking.shape, self._memory.bus_bytes
        self._last = region = self._ring.allocate(part.count * self._side**2)
        plane = (group.strip.image * self._blocking.output_blocks + block) * shape.out_height * shape.out_width
        last = -1
        for pixel, load in self._single(group) if self._side == 1 else self._squares(group, part):
            load.buffer = Buffer.ADDENDS.value
            load.source = self._memory.addends + (plane + pixel) * bus
            load.run_pitch *= bus
            load.destination = self._ring.address(region.position + load.destination)
            last = self._schedule.add(load, region.evicted_user)
        return self._ring.address(region.position), last

    def use(self, user: int) -> None:
        """Note that STORE ``user`` reads what was loaded last."""
        assert self._last is not None, "there is something to use"
        self._ring.use(self._last.position, self._last.entries, user)

    def _single(self, group: Group) -> Iterator[tuple[int, Load]]:
        """Pixel by pixel: the first one in its plane, and the LOAD, which counts entries and pixels from zero."""
        width, pitch = group.strip.width, self._blocking.shape.out_width
        if width == pitch:
            yield group.first, Load(run_beats=group.count, row_beats=group.count)
            return
        row, column = divmod(group.first, width)
        done = 0
        while done < group.count:
            whole = (group.count - done) // width if column == 0 else 0
            beats = width if whole else min(width - column, group.count - done)
            runs = max(whole, 1)
            yield (
                row * pitch + group.strip.start + column,
                Load(run_beats=beats, runs=runs, run_pitch=pitch, destination=done, row_beats=beats * runs),
            )
            done, row, column = done + beats * runs, row + runs, 0

    def _squares(self, group: Group, part: StoredPart) -> Iterator[tuple[int, Load]]:
        """The same square by square: for each row of them those that are whole, and what the image has of the last."""
        side, shape = self._side, self._blocking.shape
        if self._blocking.tile:
            first, across, top, start = group.first, group.strip.width, 0, group.strip.start * side
        else:
            first, across, top, start = 0, part.width, group.first_row, group.strip.start
        row, column = divmod(first, across)
        done = 0
        while done < part.count:
            squares = min(across - column, part.count - done)
            line, left = top + row * side, start + column * side
            lines, pixels = min(side, shape.out_height - line), min(squares * side, shape.out_width - left)
            whole, rest = divmod(pixels, side)
            for beats, rows, entry in ((side, whole, done), (rest, 1 if rest else 0, done + whole)):
                if rows:
                    yield (
                        line * shape.out_width + left + (entry - done) * side,
                        Load(
                            run_beats=beats * rows,
                            runs=lines,
                            run_pitch=shape.out_width,
                            destination=entry * side**2,
                            row_beats=beats,
                            rows=rows,
                            row_pitch=side**2,
                            block_pitch=side,
                        ),
                    )
            done, row, column = done + squares, row + 1, 0


class BroadcastLoader:
    """Keeps addends that are the same for all pixels: an entry for each output block of each image, in runs."""

    def __init__(self, schedule: Schedule, blocking: Blocking, config: AcceleratorConfig, memory: MemoryMap) -> None:
        self._output_blocks = blocking.output_blocks
        entries = blocking.shape.images * blocking.output_blocks
        self._blocks = BlockLoader(
            schedule, Buffer.ADDENDS, memory.addends, entries, config.addends, 1, memory.bus_bytes
        )
        self._last = 0

    def load(self, group: Group, part: StoredPart, block: int) -> tuple[int, int]:
        """The entry that all of a STORE's results meet, and the LOAD that brings it."""
        self._last = group.strip.image * self._output_blocks + block
        return self._blocks.request(self._last)

    def use(self, user: int) -> None:
        """Note that STORE ``user`` reads what was asked for last."""
        self._blocks.use(self._last, user)


def addend_loader(
    layer: Layer, schedule: Schedule, blocking: Blocking, config: AcceleratorConfig, memory: MemoryMap
) -> AddendLoader | BroadcastLoader | None:
    """What brings the layer's addends, if it has some."""
    if layer.combination is None:
        return None
    kind = BroadcastLoader if layer.combination.broadcast else AddendLoader
    return kind(schedule, blocking, config, memory)
