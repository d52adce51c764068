"""Where the matrix unit's vectors come from: the signature of direct and Winograd feeders."""

from __future__ import annotations

from collections.abc import Mapping

from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Member, Out

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.control.counters import Stall
from wingrid.hw.isa import Execute, Semaphore
from wingrid.hw.mesh.accumulators import accumulator_tag
from wingrid.hw.mesh.matrix_unit import vectors_layout


class VectorSource(wiring.Component):
    """What the sources of vectors have in common: their ports.

    ``instruction`` is taken in order. ``read_*`` goes to the input buffer, which answers a cycle later and
    holds its answer while ``read_enable`` is low. ``signal`` and ``take`` are semaphore masks. ``stall`` says
    what keeps the next vector from being offered, when none is. ``idle`` is high when nothing is queued
    or under way. ``started`` and ``ended`` pulse with an instruction's start and the read of its last vector.
    ``ports`` are those that a source has besides.
    """

    start_latency = 1
    """Cycles from the start of an instruction to its first read, if the vector before has gone."""
    read_latency = 1
    """Cycles from a read to the earliest transfer of the vector."""

    def __init__(self, config: AcceleratorConfig, ports: Mapping[str, Member] | None = None) -> None:
        self._config = config
        super().__init__(
            {
                **(ports or {}),
                "instruction": In(stream.Signature(Execute.layout())),
                "available": In(len(Semaphore)),
                "take": Out(len(Semaphore)),
                "signal": Out(len(Semaphore)),
                "read_enable": Out(1),
                "read_address": Out(range(config.input_buffer)),
                "read_data": In(8 * config.rows),
                "vectors": Out(stream.Signature(vectors_layout(config, accumulator_tag(config)))),
                "halt": In(1),
                "stall": Out(Stall),
                "idle": Out(1),
                "started": Out(1),
                "ended": Out(1),
            }
        )
