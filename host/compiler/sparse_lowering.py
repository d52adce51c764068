"""From sparse streams to instructions: run after run, and the results of each while the next one is worked on."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

from wingrid.host.compiler.blocking import Blocking
from wingrid.host.compiler.memory_map import MemoryMap, layer_tables, surface_of
from wingrid.host.compiler.residency import NOBODY, Residency
from wingrid.host.compiler.sparse_streams import SparseRun, SparseStreams, piece_limit
from wingrid.host.compiler.synchronise import Schedule
from wingrid.host.compiler.weight_loader import linear_load, parameter_loader, table_loader
from wingrid.host.networks.layer import Layer, Lookup
from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.isa import Buffer, Execute, Load, Store

BANKS = 2

SMALLEST_PIECE = 64
"""Entries of the first EXECUTE, and of the last ones: work begins before much is loaded, and ends soon after."""


class SparseLowering:
    """Emits a layer's instructions into ``schedule``; one use only."""

    def __init__(
        self,
        layer: Layer,
        streams: SparseStreams,
        blocking: Blocking,
        config: AcceleratorConfig,
        memory: MemoryMap,
    ) -> None:
        self.schedule = Schedule()
        self._layer, self._streams, self._memory, self._config = layer, streams, memory, config
        self._image = blocking.shape.height * blocking.shape.width
        self._stride = blocking.shape.stride[0] * blocking.shape.width
        self._out_height = blocking.shape.out_height
        self._surface = surface_of(layer, blocking)
        self._parameters = parameter_loader(self.schedule, blocking, config, memory)
        tables = layer_tables(layer, blocking)
        self._tables = table_loader(self.schedule, tables, config, memory) if tables else None
        self._weights = Residency(config.weight_buffer)
        self._inputs = Residency(config.input_buffer)
        self._bank = 0
        self._bank_user = [NOBODY] * BANKS

    def emit(self) -> Schedule:
        """Write out the whole layer."""
        samples, runs = range(self._streams.shape.samples), self._streams.runs
        waiting: list[tuple[int, int, int, int]] = []
        for run, sample in itertools.product(runs, samples):
            final = run is runs[-1] and sample == samples[-1]
            pieces = list(self._pieces(run, final))
            # What the run before left is stored bit by bit, when the lanes have something else to do.
            share = math.ceil(len(waiting) / max(len(pieces) - 1, 1))
            last = NOBODY
            for number, (start, entries) in enumerate(pieces):
                last = self._execute(run, sample, start, entries, begins=number == 0)
                if number or len(pieces) == 1:
                    self._store(waiting[:share])
                    del waiting[:share]
            waiting = [(self._bank, sample, run.first + place, last) for place in range(run.blocks)]
            self._first = run.first
            self._bank = (self._bank + 1) % BANKS
        self._store(waiting)
        return self.schedule

    def _pieces(self, run: SparseRun, final: bool) -> Iterator[tuple[int, int]]:
        """First entry and number of entries of each EXECUTE of a run."""
        limit = piece_limit(self._config)
        start, end = run.start, run.start + run.entries
        grown = SMALLEST_PIECE if start == 0 and self._streams.shape.samples == 1 else limit
        while start < end:
            entries = min(limit, grown, end - start)
            if final and end - start > SMALLEST_PIECE:
                entries = min(entries, max((end - start) // 2, SMALLEST_PIECE))
            yield start, entries
            start += entries
            grown *= 2

    def _execute(self, run: SparseRun, sample: int, start: int, entries: int, begins: bool) -> int:
        inputs, inputs_loaded = self._sample(sample)
        region = self._weights.request(start, entries)
        if not region.loaded:
            source = self._memory.weights + start * self._memory.bus_bytes
            load = linear_load(Buffer.WEIGHTS, source, entries, self._weights.ring.address(region.position))
            region.record(entries, self.schedule.add(load, region.evicted_user))
        execute = Execute(
            bank=self._bank,
            accumulate=int(not begins),
            count=run.blocks,
            blocks=entries,
            input_base=self._inputs.ring.address(inputs),
            weight_base=self._weights.ring.address(region.position),
            sparse=self._streams.form.value,
        )
        index = self.schedule.add(execute, region.loader(entries), inputs_loaded, self._bank_user[self._bank])
        self._weights.ring.use(region.position, entries, index)
        self._inputs.ring.use(inputs, self._streams.shape.positions, index)
        return index

    def _sample(self, sample: int) -> tuple[int, int]:
        """Where the sample's pixels lie in the input buffer, and the LOAD that brings them."""
        shape, bus = self._streams.shape, self._memory.bus_bytes
        region = self._inputs.request(sample, shape.positions)
        if not region.loaded:
            image, row = divmod(sample, self._out_height)
            source = self._memory.inputs + (image * shape.blocks * self._image + row * self._stride) * bus
            whole = shape.run_beats == self._image
            load = Load(
                buffer=Buffer.INPUTS.value,
                source=source,
                run_beats=shape.positions if whole else shape.run_beats,
                runs=1 if whole else shape.blocks,
                run_pitch=self._image * bus,
                destination=self._inputs.ring.address(region.position),
                row_beats=shape.positions,
            )
            region.record(shape.positions, self.schedule.add(load, region.evicted_user))
        return region.position, region.loader(shape.positions)

    def _store(self, vectors: list[tuple[int, int, int, int]]) -> None:
        """Store vectors: of each its bank, sample and output block, and the EXECUTE that completes it."""
        bus = self._memory.bus_bytes
        for bank, sample, block, after in vectors:
            image, row = divmod(sample, self._out_height)
            parameter_block, parameters_loaded = self._parameters.request(block)
            table, table_loaded, table_block = 0, NOBODY, block if self._layer.lookup is Lookup.CHANNEL else 0
            if self._tables:
                entry, table_loaded = self._tables.request(table_block)
                table = entry + 1
            plane = image * self._streams.shape.outputs + block
            pixel = plane * self._surface.pixels + row * self._surface.row_pixels
            store = Store(
                bank=bank,
                zero_point=self._layer.y_zero_point,
                minimum=self._layer.minimum,
                maximum=self._layer.maximum,
                accumulator_base=block - self._first,
                parameter_block=parameter_block,
                destination=self._memory.outputs + pixel * bus,
                row_pitch=bus,
                table=table,
            )
            index = self.schedule.add(store, parameters_loaded, table_loaded, after)
            self._parameters.use(block, index)
            if self._tables:
                self._tables.use(table_block, index)
            self._bank_user[bank] = index
