"""What the timing model has to know of the gateware: each latency and size from the component that has it."""

from __future__ import annotations

import ctypes
import functools

from wingrid.hw.bus.read_master import ReadMaster
from wingrid.hw.bus.write_master import WriteMaster
from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.control.semaphores import Semaphores
from wingrid.hw.core import Core
from wingrid.hw.execute.weight_feeder import WeightFeeder
from wingrid.hw.load.load_engine import LoadEngine
from wingrid.hw.mesh.accumulators import Accumulators
from wingrid.hw.mesh.vector_source import VectorSource
from wingrid.hw.queue import Queue
from wingrid.hw.store.output_buffer import OutputBuffer
from wingrid.hw.store.output_path import OutputPath
from wingrid.hw.store.store_engine import StoreEngine
from wingrid.hw.winograd.patch_feeder import PatchFeeder
from wingrid.hw.winograd.separable_transform import SeparableTransform
from wingrid.hw.winograd.transform_buffer import TransformBuffer
from wingrid.hw.winograd.weight_transform import WeightTransform
from wingrid.hw.winograd_matrices import POINTS, winograd
from wingrid.sim.memory import DramTiming, MemoryTiming

TILE_ENTRIES = max(POINTS) + 1
"""Length of the lists with an entry for each Winograd tile, and entry 0 for direct convolution."""

SCALARS = (
    "rows",
    "bus_bytes",
    "queue_depth",
    "fetch_ahead",
    "burst_beats",
    "reads_in_flight",
    "writes_in_flight",
    "output_buffer",
    "memory_latency",
    "memory_bytes_per_cycle",
    "queue_latency",
    "semaphore_latency",
    "read_request_latency",
    "read_beat_latency",
    "load_start_latency",
    "weight_start_latency",
    "weight_read_latency",
    "weight_transform_stages",
    "weight_transform_halves",
    "vector_start_latency",
    "vector_read_latency",
    "patch_start_latency",
    "patch_read_latency",
    "transform_buffer_halves",
    "sum_latency",
    "settling_cycles",
    "accumulator_read_latency",
    "store_parameter_cycles",
    "store_measure_cycles",
    "placing_segments",
    "leaving_segments",
    "write_requests",
    "write_start_latency",
)
BY_TILE = ("patch", "input_transform_latency", "first_write", "output_latency", "segment_tiles")


class Parameters(ctypes.Structure):
    """The C++ structure of the same name: the DRAM's, unsigned 32-bit numbers, then arrays of them by tile."""

    _fields_ = [
        ("dram", DramTiming),
        *((name, ctypes.c_uint32) for name in SCALARS),
        *((name, ctypes.c_uint32 * TILE_ENTRIES) for name in BY_TILE),
    ]


@functools.lru_cache(maxsize=1024)
def parameters(config: AcceleratorConfig, timing: MemoryTiming) -> Parameters:
    """What makes up the time of a program on this accelerator and this memory."""
    timing.check(config.bus_bytes)
    values = {
        name: getattr(config, name)
        for name in ("rows", "bus_bytes", "queue_depth", "fetch_ahead", "burst_beats", "reads_in_flight")
    }
    values |= {
        "writes_in_flight": config.writes_in_flight,
        "output_buffer": config.output_buffer,
        "memory_latency": timing.latency,
        "memory_bytes_per_cycle": timing.bytes_per_cycle,
        "queue_latency": Queue.latency,
        "semaphore_latency": Semaphores.latency,
        "read_request_latency": ReadMaster.request_latency,
        "read_beat_latency": ReadMaster.beat_latency,
        "load_start_latency": LoadEngine.start_latency,
        "weight_start_latency": WeightFeeder.start_latency,
        "weight_read_latency": WeightFeeder.read_latency,
        "weight_transform_stages": WeightTransform.stages,
        "weight_transform_halves": WeightTransform.halves,
        "vector_start_latency": VectorSource.start_latency,
        "vector_read_latency": VectorSource.read_latency,
        "patch_start_latency": PatchFeeder.start_latency,
        "patch_read_latency": PatchFeeder.read_latency,
        "transform_buffer_halves": TransformBuffer.halves,
        "sum_latency": Core.commit_latency(config),
        "settling_cycles": Core.settling_cycles(config),
        "accumulator_read_latency": Accumulators.read_latency,
        "store_parameter_cycles": StoreEngine.parameter_cycles,
        "store_measure_cycles": StoreEngine.measure_cycles,
        "placing_segments": OutputBuffer.placing_segments,
        "leaving_segments": OutputBuffer.leaving_segments,
        "write_requests": WriteMaster.requests(config),
        "write_start_latency": WriteMaster.start_latency,
    }
    result = Parameters(dram=DramTiming.of(timing.dram), **values)
    result.segment_tiles[0] = config.segment_tiles(0)
    result.output_latency[0] = OutputPath.latency(0)
    for tile in config.tiles:
        result.patch[tile] = winograd(tile).patch
        result.input_transform_latency[tile] = SeparableTransform.latency(winograd(tile).patch)
        result.first_write[tile] = TransformBuffer.first_write(tile)
        result.output_latency[tile] = OutputPath.latency(tile)
        result.segment_tiles[tile] = config.segment_tiles(tile)
    return result
