"""What all sources of vectors have in common: ports, and the register that tells whether a vector makes way."""

from __future__ import annotations

from collections.abc import Mapping

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Member, Out

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.control.counters import Stall
from wingrid.hw.isa import Execute, Semaphore
from wingrid.hw.layouts import layout_of
from wingrid.hw.mesh.accumulators import accumulator_tag
from wingrid.hw.mesh.matrix_unit import vectors_layout


class VectorSource(wiring.Component):
    """The ports that all sources of vectors have; ``ports`` adds those of one source.

    Members
    -------
    instruction : In, stream of ``layout_of(Execute)``
        Taken in order.
    available : In, len(Semaphore)
    take : Out, len(Semaphore)
    signal : Out, len(Semaphore)
    read_enable : Out, 1
    read_address : Out, range(input_buffer)
    read_data : In, 8 * rows
        The input buffer's entry, ``OperandBuffers.read_latency`` cycles after its address.
    vectors : Out, stream of ``vectors_layout(config, accumulator_tag(config))``
        Lanes come ``PAYLOAD_LATENCY`` cycles after their transfer. Goes to a ``MatrixUnit``, whose ``ready`` is
        foreseen from ``loaded_next`` and not heard.
    loaded_next : In, 1
        The matrix unit's: in the next cycle a vector with ``first`` is taken. All others always are.
    halt : In, 1
        No further instruction starts.
    stall : Out, Stall
        What kept the next vector from being offered in the cycle before, when none was.
    idle : Out, 1
        Nothing is queued or under way.
    started : Out, 1
        An instruction starts.
    ended : Out, 1
        The last vector of an instruction is read.
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
                "instruction": In(stream.Signature(layout_of(Execute))),
                "available": In(len(Semaphore)),
                "take": Out(len(Semaphore)),
                "signal": Out(len(Semaphore)),
                "read_enable": Out(1),
                "read_address": Out(range(config.input_buffer)),
                "read_data": In(8 * config.rows),
                "vectors": Out(stream.Signature(vectors_layout(config, accumulator_tag(config)))),
                "loaded_next": In(1),
                "halt": In(1),
                "stall": Out(Stall),
                "idle": Out(1),
                "started": Out(1),
                "ended": Out(1),
            }
        )


def makes_way(m: Module, loaded_next: Value, step: Value, first: Value) -> Signal:
    """A register that says whether the place of the vector on offer is free for the next one.

    It is empty, or its vector is taken in this cycle. Only a vector with ``first`` waits, for a complete tile of
    weights; ``step`` puts one there, ``first`` or another. Foreseen in the cycle before, as whatever moves behind it
    hangs on this.
    """
    advance = Signal(init=1, name="advance")
    m.d.sync += advance.eq(loaded_next | (advance & ~(step & first)))
    return advance
