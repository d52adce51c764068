"""The Winograd counterpart of the vector feeder: patches, transform, reordering."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib.wiring import Out, connect, flipped

from wingrid.hw.config import AcceleratorConfig
from wingrid.hw.control.counters import Stall
from wingrid.hw.mesh.vector_source import VectorSource
from wingrid.hw.winograd.patch_feeder import PatchFeeder
from wingrid.hw.winograd.transform_buffer import TransformBuffer


class WinogradFeeder(VectorSource):
    """Carries out EXECUTE instructions with a tile: the patch feeder runs up to two blocks ahead of the mesh.

    Both parts take the instructions in order from queues of their own; the patch feeder waits for
    INPUTS_LOADED, the transform buffer for BANK_RELEASED. The ports are those of every ``VectorSource``, where
    ``started`` and ``ended`` are the transform buffer's, and two more.

    Members
    -------
    patches_started : Out, 1
        The patch feeder starts an instruction.
    patches_ended : Out, 1
        The patch feeder reads the last pixel of an instruction.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        super().__init__(config, {"patches_started": Out(1), "patches_ended": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.patches = patches = PatchFeeder(self._config)
        m.submodules.buffer = buffer = TransformBuffer(self._config)
        connect(m, patches.block, buffer.block)
        connect(m, buffer.vectors, flipped(self.vectors))
        m.d.comb += [
            buffer.loaded_next.eq(self.loaded_next),
            self.instruction.ready.eq(patches.instruction.ready & buffer.instruction.ready),
            patches.instruction.valid.eq(self.instruction.valid & buffer.instruction.ready),
            buffer.instruction.valid.eq(self.instruction.valid & patches.instruction.ready),
            patches.instruction.payload.eq(self.instruction.payload),
            buffer.instruction.payload.eq(self.instruction.payload),
            patches.available.eq(self.available),
            buffer.available.eq(self.available),
            self.take.eq(patches.take | buffer.take),
            self.signal.eq(patches.signal),
            self.read_enable.eq(patches.read_enable),
            self.read_address.eq(patches.read_address),
            patches.read_data.eq(self.read_data),
            buffer.transformed.eq(patches.transformed),
            patches.halt.eq(self.halt),
            buffer.halt.eq(self.halt),
            self.idle.eq(patches.idle & buffer.idle),
            self.stall.eq(buffer.stall),
            self.started.eq(buffer.started),
            self.ended.eq(buffer.ended),
            self.patches_started.eq(patches.started),
            self.patches_ended.eq(patches.ended),
        ]
        awaited_inputs = Signal()
        m.d.sync += awaited_inputs.eq(patches.awaiting_inputs)
        with m.If((buffer.stall == Stall.TRANSFORM) & awaited_inputs):
            m.d.comb += self.stall.eq(Stall.INPUTS)
        return m
