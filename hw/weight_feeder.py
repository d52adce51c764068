"""The half of the execute engine that streams weight tiles ahead of the vectors."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.config import AcceleratorConfig
from hw.fetch_engine import dispatched
from hw.isa import Execute, Semaphore
from hw.matrix_unit import weights_layout
from hw.queue import Queue

WAITS = frozenset({Semaphore.WEIGHTS_LOADED})
"""The semaphore of an EXECUTE that this half waits for; the vector feeder waits for the others."""


class WeightFeeder(wiring.Component):
    """Reads the weight tiles of queued EXECUTE instructions in order and streams their rows.

    Per instruction blocks x kernel_height x kernel_width tiles of ``config.rows`` rows, from
    consecutive entries of the weight buffer. One row per cycle, across instructions too; a row leaves
    one cycle after ``read_enable`` asked the buffer for it. ``read_data`` is the buffer's entry one
    cycle after, and must hold while ``read_enable`` is low.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self._config = config
        super().__init__(
            {
                "instruction": In(stream.Signature(dispatched(Execute))),
                "available": In(len(Semaphore)),
                "take": Out(len(Semaphore)),
                "read_enable": Out(1),
                "read_address": Out(range(config.weight_buffer)),
                "read_data": In(8 * config.cols),
                "weights": Out(stream.Signature(weights_layout(config))),
                "halt": In(1),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        config = self._config
        m = Module()
        fields = data.StructLayout(
            {
                "waits": 1,
                "weight_base": range(config.weight_buffer),
                "blocks": 16,
                "kernel_height": 8,
                "kernel_width": 8,
            }
        )
        m.submodules.queue = queue = Queue(fields, config.queue_depth)
        execute = self.instruction.payload.instruction
        m.d.comb += [
            queue.input.valid.eq(self.instruction.valid),
            self.instruction.ready.eq(queue.input.ready),
            queue.input.payload.waits.eq(execute.wait[Semaphore.WEIGHTS_LOADED]),
        ]
        m.d.comb += [
            queue.input.payload[name].eq(execute[name])
            for name in ("weight_base", "blocks", "kernel_height", "kernel_width")
        ]

        active = Signal()
        address = Signal(range(config.weight_buffer))
        row = Signal(range(config.rows))
        taps_x, kernel_width = Signal(8), Signal(8)
        taps_y, kernel_height = Signal(8), Signal(8)
        blocks = Signal(16)

        valid = Signal()
        advance = Signal()
        finishing = Signal()
        start = Signal()
        head = queue.output.payload
        ends_tile = row == config.rows - 1
        m.d.comb += [
            advance.eq(~valid | self.weights.ready),
            finishing.eq(ends_tile & (taps_x == 1) & (taps_y == 1) & (blocks == 1)),
            start.eq(
                queue.output.valid
                & (~active | (finishing & advance))
                & (~head.waits | self.available[Semaphore.WEIGHTS_LOADED])
                & ~self.halt
            ),
            queue.output.ready.eq(start),
            self.take.eq(Mux(start & head.waits, 1 << Semaphore.WEIGHTS_LOADED, 0)),
            self.read_enable.eq(active & advance),
            self.read_address.eq(address),
            self.idle.eq(~active & ~queue.output.valid & ~valid),
            self.weights.valid.eq(valid),
        ]
        for lane in range(config.cols):
            m.d.comb += self.weights.payload[lane].eq(self.read_data.word_select(lane, 8).as_signed())

        with m.If(advance):
            m.d.sync += valid.eq(active)
        with m.If(active & advance):
            m.d.sync += [address.eq(address + 1), row.eq(Mux(ends_tile, 0, row + 1))]
            with m.If(ends_tile):
                m.d.sync += taps_x.eq(taps_x - 1)
                with m.If(taps_x == 1):
                    m.d.sync += [taps_x.eq(kernel_width), taps_y.eq(taps_y - 1)]
                    with m.If(taps_y == 1):
                        m.d.sync += [taps_y.eq(kernel_height), blocks.eq(blocks - 1)]
            with m.If(finishing):
                m.d.sync += active.eq(0)
        with m.If(start):
            m.d.sync += [
                active.eq(1),
                address.eq(head.weight_base),
                taps_x.eq(head.kernel_width),
                taps_y.eq(head.kernel_height),
                kernel_width.eq(head.kernel_width),
                kernel_height.eq(head.kernel_height),
                blocks.eq(head.blocks),
            ]
        return m
