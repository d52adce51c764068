"""The latencies and sizes of the gateware that the timing model needs, each from the component that has it."""

from __future__ import annotations

from collections.abc import Callable

from wingrid.hw.bus.bursts import Bursts
from wingrid.hw.bus.read_master import ReadMaster
from wingrid.hw.bus.write_master import WriteMaster
from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.control.fetch_engine import FetchEngine
from wingrid.hw.control.semaphores import ARMING_LATENCY, Semaphores
from wingrid.hw.control.supervisor import Supervisor
from wingrid.hw.core import Core
from wingrid.hw.execute.execute_engine import ExecuteEngine
from wingrid.hw.execute.weight_feeder import WeightFeeder
from wingrid.hw.isa import SparseFormat
from wingrid.hw.load.load_engine import LoadEngine
from wingrid.hw.mesh.accumulators import Accumulators
from wingrid.hw.mesh.matrix_unit import PAYLOAD_LATENCY
from wingrid.hw.mesh.vector_source import VectorSource
from wingrid.hw.queue import Queue
from wingrid.hw.sparse.sparse_unit import SparseUnit
from wingrid.hw.store.output_buffer import OutputBuffer
from wingrid.hw.store.output_path import OutputPath
from wingrid.hw.store.store_engine import StoreEngine
from wingrid.hw.winograd.input_transform import InputTransform
from wingrid.hw.winograd.patch_feeder import PatchFeeder
from wingrid.hw.winograd.transform_buffer import TransformBuffer
from wingrid.hw.winograd.weight_decoder import WeightDecoder
from wingrid.hw.winograd.weight_transform import WeightTransform
from wingrid.hw.winograd_matrices import winograd
from wingrid.sim.timing.parameters import TILE_ENTRIES

SCALARS: dict[str, Callable[[AcceleratorConfig], int]] = {
    "rows": lambda config: config.rows,
    "bus_bytes": lambda config: config.bus_bytes,
    "queue_depth": lambda config: config.queue_depth,
    "fetch_ahead": lambda config: config.fetch_ahead,
    "burst_beats": lambda config: config.burst_beats,
    "reads_in_flight": lambda config: config.reads_in_flight,
    "writes_in_flight": lambda config: config.writes_in_flight,
    "output_buffer": lambda config: config.output_buffer,
    "tables": lambda config: config.tables,
    "addends": lambda config: config.addends,
    "code_entries": lambda config: config.code_entries,
    "decoder_columns": lambda config: config.decoder_columns,
    "decoder_latency": lambda config: WeightDecoder.latency_for(config),
    "sparse_formats": lambda config: len(SparseFormat) if config.sparse else 1,
    "queue_latency": lambda _: Queue.latency,
    "semaphore_latency": lambda _: Semaphores.latency,
    "arming_latency": lambda _: ARMING_LATENCY,
    "read_request_latency": lambda _: ReadMaster.request_latency,
    "read_beat_latency": lambda _: ReadMaster.beat_latency,
    "fetch_request_cycles": lambda _: FetchEngine.request_cycles,
    "fetch_refill_latency": lambda _: FetchEngine.refill_latency,
    "decode_latency": lambda _: FetchEngine.decode_latency,
    "fence_latency": lambda _: FetchEngine.fence_latency,
    "load_start_latency": lambda _: LoadEngine.start_latency,
    "burst_latency": lambda _: Bursts.latency,
    "burst_interval": lambda _: Bursts.interval,
    "execute_ready_latency": lambda _: ExecuteEngine.ready_latency,
    "switch_latency": lambda _: ExecuteEngine.switch_latency,
    "weight_start_latency": lambda _: WeightFeeder.start_latency,
    "weight_read_latency": lambda _: WeightFeeder.read_latency,
    "payload_latency": lambda _: PAYLOAD_LATENCY,
    "weight_transform_stages": lambda _: WeightTransform.stages,
    "weight_transform_halves": lambda _: WeightTransform.halves,
    "vector_start_latency": lambda _: VectorSource.start_latency,
    "vector_read_latency": lambda _: VectorSource.read_latency,
    "patch_start_latency": lambda _: PatchFeeder.start_latency,
    "patch_read_latency": lambda _: PatchFeeder.read_latency,
    "transform_buffer_halves": lambda _: TransformBuffer.halves,
    "commit_latency": lambda config: Core.commit_latency_for(config),
    "sparse_start_latency": lambda _: SparseUnit.start_latency,
    "sparse_read_latency": lambda _: SparseUnit.read_latency,
    "sparse_release_latency": lambda _: SparseUnit.release_latency,
    "sparse_commit_latency": lambda config: Core.sparse_commit_latency_for(config),
    "sparse_settling_cycles": lambda config: ExecuteEngine.settling_cycles_for(config),
    "stop_latency": lambda _: Supervisor.stop_latency,
    "settling_latency": lambda config: Core.settling_latency_for(config),
    "accumulator_read_latency": lambda _: Accumulators.read_latency,
    "store_start_latency": lambda _: StoreEngine.start_latency,
    "store_parameter_cycles": lambda _: StoreEngine.parameter_cycles,
    "store_measure_cycles": lambda _: StoreEngine.measure_cycles,
    "placing_segments": lambda _: OutputBuffer.placing_segments,
    "output_room_latency": lambda _: OutputBuffer.room_latency,
    "leaving_segments": lambda _: OutputBuffer.leaving_segments,
    "write_requests": lambda config: WriteMaster.requests(config),
    "write_start_latency": lambda _: WriteMaster.start_latency,
}
"""Each number that the model needs once, and where it comes from."""

BY_TILE: dict[str, Callable[[AcceleratorConfig, int], int]] = {
    "patch": lambda _, tile: winograd(tile).patch if tile else 0,
    "input_transform_latency": lambda _, tile: InputTransform.latency_for(tile) if tile else 0,
    "refill_latency": lambda _, tile: TransformBuffer.refill_latency_for(tile) if tile else 0,
    "output_latency": lambda config, tile: OutputPath.latency_for(config, tile),
    "output_span": lambda _, tile: OutputPath.span_for(tile),
    "segment_tiles": lambda config, tile: config.segment_tiles(tile),
}
"""Each number that depends on an instruction's tile; 0 where direct convolution has none."""


def numbers(config: AcceleratorConfig) -> dict[str, int | list[int]]:
    """All of them for an accelerator, by name; those of ``BY_TILE`` as lists of ``TILE_ENTRIES``.

    Entries of tiles that the accelerator does not have are 0.
    """
    scalars: dict[str, int | list[int]] = {name: number(config) for name, number in SCALARS.items()}
    by_tile: dict[str, list[int]] = {
        name: [number(config, tile) if tile in (0, *config.tiles) else 0 for tile in range(TILE_ENTRIES)]
        for name, number in BY_TILE.items()
    }
    return {**scalars, **by_tile}
